// SPDX-License-Identifier: Apache-2.0
// The page's api.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of api.js.
    static let apiJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Asks the server: JSON there and back, errors with code, key and message.

import { EventReader } from './sse.js';

/** What the server did not do, and why. */
export class APIError extends Error {
  constructor(status, message, { code, key } = {}) {
    super(message);
    Object.assign(this, { status, code, key });
  }
}

/** Called when the server wants to know who asks. */
export const session = { ended: () => {} };

/** Sends a request; resolves to the answer's JSON, or its text. */
export async function ask(method, path, body, { signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      cache: 'no-store',
      headers: { Accept: 'application/json', ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new APIError(0, 'The server does not answer.');
  }
  const text = await response.text();
  let value = text;
  if (/json/.test(response.headers.get('content-type') ?? '')) value = JSON.parse(text || 'null');
  if (response.ok) return value;
  if (response.status === 401 && !path.endsWith('/login')) session.ended();
  const { error } = typeof value === 'object' && value ? value : {};
  throw new APIError(response.status, error?.message ?? (text.trim() || `The server answered ${response.status}.`), error);
}

const camera = (name) => `/api/v1/cameras/${encodeURIComponent(name)}`;

export const api = {
  session: () => ask('GET', '/api/v1/session'),
  login: (user, password) => ask('POST', '/api/v1/login', { user, password }),
  logout: () => ask('POST', '/api/v1/logout', {}),
  time: async () => (await ask('GET', '/api/v1/time')).utc_ms,
  camera: (name) => ask('GET', camera(name)),
  cameras: () => ask('GET', '/api/v1/cameras'),
  controls: (name) => ask('GET', `${camera(name)}/controls`),
  setControls: (name, values) => ask('PATCH', `${camera(name)}/controls`, values),
  daemons: () => ask('GET', '/api/v1/daemons'),
  system: () => ask('GET', '/api/v1/system'),
  restart: (name) => ask('POST', '/api/v1/daemons/supervisor/verbs/restart', { daemon: name }),
  clients: (name) => ask('GET', `/api/v1/clients${name ? `?camera=${encodeURIComponent(name)}` : ''}`),
  kick: (daemon, id) => ask('DELETE', `/api/v1/clients/${encodeURIComponent(daemon)}/${id}`),
  logs: (after = 0) => ask('GET', `/api/v1/logs?limit=500${after ? `&after=${after}` : ''}`),
  config: () => ask('GET', '/api/v1/config'),
  setConfig: (values, isDryRun) => ask('PATCH', `/api/v1/config${isDryRun ? '?dry_run=true' : ''}`, values),
  shares: () => ask('GET', '/api/v1/shares'),
  share: (values) => ask('POST', '/api/v1/shares', values),
  revoke: (id) => ask('DELETE', `/api/v1/shares/${encodeURIComponent(id)}`),
};

/** Follows the server's events for ever, through lost connections; `take` gets { type, id, data }. Returns what ends it. */
export function follow(take) {
  const abort = new AbortController();
  const pause = (time) => new Promise((resolve) => { setTimeout(resolve, time); });
  (async () => {
    let last;
    let wait = 1000;
    while (!abort.signal.aborted) {
      try {
        const headers = { Accept: 'text/event-stream', ...(last && { 'Last-Event-ID': last }) };
        const response = await fetch('/api/v1/events', { headers, cache: 'no-store', signal: abort.signal });
        if ([401, 403, 404].includes(response.status)) return;
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        const events = new EventReader();
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          wait = 1000;
          for (const event of events.add(value)) {
            last = event.id ?? last;
            take(event);
          }
        }
      } catch { /* The connection ended; it is made again. */ }
      await pause(wait);
      wait = Math.min(wait * 2, 15000);
    }
  })();
  return () => abort.abort();
}
"""###
}
