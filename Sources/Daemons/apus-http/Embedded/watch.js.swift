// SPDX-License-Identifier: Apache-2.0
// The page's watch.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of watch.js.
    static let watchJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// The page of a share link: one camera, and nothing else.

import { api, session } from './api.js';
import { ClockOffset, measure } from './clock.js';
import { $, h } from './dom.js';
import { toast } from './events.js';
import { Shortcuts } from './keys.js';
import { LiveView } from './live.js';

const refreshEvery = 5000;
const app = { cameras: [], clock: new ClockOffset(), shortcuts: new Shortcuts(), may: () => false, toast };
let view;
let timer;

function say(text) {
  clearTimeout(timer);
  view?.stop();
  view = undefined;
  $('#main').replaceChildren(h('p.notice', { role: 'alert' }, text));
}

/** What the link is for and how long it lasts, as far as it says so. */
const terms = ({ label, expires }) => h('p.terms', {}, label && h('strong', {}, label),
  expires ? h('span', {}, `until ${new Date(expires * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' })}`)
    : h('span', {}, 'until it is revoked'));

async function refresh(share) {
  const name = share.camera;
  clearTimeout(timer);
  try {
    app.cameras = [await api.camera(name)];
    if (!view) {
      view = new LiveView(app, name, { isShared: true });
      $('#main').replaceChildren(view.element, terms(share));
      document.title = share.label ? `${name} – ${share.label}` : name;
      view.start();
    }
    view.update();
  } catch (error) {
    if ([401, 403, 404].includes(error.status)) return say('This link is none, or none any more.');
  }
  if (!document.hidden) timer = setTimeout(refresh, refreshEvery, share);
}

async function begin() {
  session.ended = () => say('This link is none, or none any more.');
  try { await measure(app.clock, api.time); } catch { /* Without it there are no delays to show. */ }
  try {
    const { share } = await api.session();
    if (!share) return say('This link is none, or none any more.');
    await refresh(share);
    document.addEventListener('visibilitychange', () => {
      view?.visibility(!document.hidden);
      if (!document.hidden) refresh(share);
    });
  } catch (error) { say(error.message); }
}

addEventListener('pagehide', () => view?.stop());
begin();
"""###
}
