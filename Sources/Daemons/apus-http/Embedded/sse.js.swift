// SPDX-License-Identifier: Apache-2.0
// The page's sse.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of sse.js.
    static let sseJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Takes Server-Sent Events apart, in whatever pieces they arrive.

const limit = 1 << 20;

/** Collects text and gives whole events: { type, id, data }, where data is JSON if it can be. */
export class EventReader {
  #text = '';

  add(text) {
    // A line's end may be cut in the middle.
    this.#text = (this.#text + text).replaceAll('\r\n', '\n');
    if (this.#text.length > limit) throw new Error('an event is too long');
    const blocks = this.#text.split('\n\n');
    this.#text = blocks.pop();
    return blocks.map(parse).filter(Boolean);
  }
}

function parse(block) {
  const event = { type: 'message', id: undefined };
  const data = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') event.type = value;
    else if (name === 'id') event.id = value;
    else if (name === 'data') data.push(value);
  }
  if (!data.length) return undefined;
  try { event.data = JSON.parse(data.join('\n')); } catch { event.data = data.join('\n'); }
  return event;
}
"""###
}
