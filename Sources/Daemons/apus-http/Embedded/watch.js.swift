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

async function refresh(name) {
  clearTimeout(timer);
  try {
    app.cameras = [await api.camera(name)];
    if (!view) {
      view = new LiveView(app, name, { isShared: true });
      $('#main').replaceChildren(view.element);
      document.title = name;
      view.start();
    }
    view.update();
  } catch (error) {
    if ([401, 403, 404].includes(error.status)) return say('This link is none, or none any more.');
  }
  if (!document.hidden) timer = setTimeout(refresh, refreshEvery, name);
}

async function begin() {
  session.ended = () => say('This link is none, or none any more.');
  try { await measure(app.clock, api.time); } catch { /* Without it there are no delays to show. */ }
  try {
    const { share } = await api.session();
    if (!share) return say('This link is none, or none any more.');
    await refresh(share.camera);
    document.addEventListener('visibilitychange', () => {
      view?.visibility(!document.hidden);
      if (!document.hidden) refresh(share.camera);
    });
  } catch (error) { say(error.message); }
}

addEventListener('pagehide', () => view?.stop());
begin();
"""###
}
