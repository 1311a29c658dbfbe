// SPDX-License-Identifier: Apache-2.0
// The page's share.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of share.js.
    static let shareJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Links that let somebody without a password watch one camera.

import { api } from './api.js';
import { copyButton, dialog, h, write } from './dom.js';

const lifetimes = [[3600, 'An hour'], [86400, 'A day'], [7 * 86400, 'A week'], ['', 'Until revoked']];

/** Shows the links of a camera; makes, copies and revokes them. */
export async function shareDialog(app, camera) {
  const list = h('div');
  const problem = h('p.problem', { role: 'alert' });
  const label = h('input', { name: 'label', maxlength: 64, placeholder: 'Grandmother', autocomplete: 'off' });
  const lifetime = h('select', {}, lifetimes.map(([value, text]) => h('option', { value }, text)));
  lifetime.value = '86400';
  const viewers = h('input', { type: 'number', min: 1, max: 100, value: 2, inputmode: 'numeric' });

  const load = async () => {
    try {
      const { shares } = await api.shares();
      const mine = shares.filter((share) => share.camera === camera);
      list.replaceChildren(mine.length ? h('ul.shares', {}, mine.map(row)) : h('p.empty', {}, 'There are no links to this camera.'));
    } catch (error) { write(problem, error.message); }
  };
  const revoke = async (id) => {
    try { await api.revoke(id); } catch (error) { write(problem, error.message); }
    load();
  };
  const row = (share) => {
    const until = share.expires ? `until ${new Date(share.expires * 1000).toLocaleString()}` : 'until revoked';
    const watching = `${share.watching} of ${share.viewers} watch`;
    return h('li', {}, h('div', {}, h('strong', {}, share.label || 'Link'), h('p.hint', {}, `${until} · ${watching}`)),
    h('button.small', { type: 'button', onclick: () => revoke(share.id) }, 'Revoke'));
  };
  const made = h('div', { 'aria-live': 'polite' });
  const form = h('form.share', {
    onsubmit: async (event) => {
      event.preventDefault();
      write(problem, '');
      try {
        const share = await api.share({
          camera, label: label.value, viewers: Number(viewers.value),
          lifetime: lifetime.value ? Number(lifetime.value) : null,
        });
        const address = new URL(share.path, location.href).href;
        made.replaceChildren(h('p', {}, 'This link is shown once:'), h('p.address', {}, h('code', {}, address), copyButton(address, 'Copy the link')));
        label.value = '';
        load();
      } catch (error) { write(problem, error.message); }
    },
  }, h('label', {}, 'For whom', label), h('label', {}, 'For how long', lifetime), h('label', {}, 'Viewers at once', viewers),
  h('button.primary', { type: 'submit' }, 'Make a link'));
  dialog(`Share ${camera}`, h('p.hint', {}, 'Who has the link can watch this camera, and nothing else.'), form, problem, made, list);
  load();
}
"""###
}
