// SPDX-License-Identifier: Apache-2.0
// The page's viewers.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of viewers.js.
    static let viewersJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Who is connected, and how to end that.

import { api } from './api.js';
import { h, table } from './dom.js';
import { duration, size } from './format.js';

/** A table of connections with a button each; `changed` is called after one was ended. */
export function viewerTable(app, clients, changed, isShort = false) {
  if (!clients.length) return h('p.empty', {}, 'Nobody watches.');
  const kick = (client) => h('button.small', {
    type: 'button', 'aria-label': `End the connection of ${client.peer}`,
    onclick: async (event) => {
      event.target.disabled = true;
      try { await api.kick(client.daemon, client.id); } catch (error) { app.toast({ title: 'Not ended', text: error.message, kind: 'bad' }); }
      changed();
    },
  }, 'End');
  const where = (client) => [client.camera, client.stream].filter(Boolean).join('/') || '–';
  const columns = isShort ? ['Viewer', 'Transport', 'For', ''] : ['Viewer', 'Watches', 'Transport', 'For', 'Sent', 'Drops', 'Lag', ''];
  return table('Viewers', columns, clients.map((client) => {
    const who = [client.user, client.peer].filter(Boolean).join(' · ');
    const how = client.transport ?? client.state;
    const long = duration(client.seconds);
    if (isShort) return [who, how, long, kick(client)];
    const lag = Number.isFinite(client.lag_ms) ? `${Math.round(client.lag_ms)} ms` : '–';
    return [who, where(client), how, long, size(client.sent), String(client.drops ?? 0), lag, kick(client)];
  }));
}
"""###
}
