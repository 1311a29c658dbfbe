// SPDX-License-Identifier: Apache-2.0
// The page's clock.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of clock.js.
    static let clockJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// How far the server's clock is from this browser's: the question with the shortest way tells it best.

const kept = 8;

/** Estimates the difference of two clocks from questions and answers; all times in milliseconds. */
export class ClockOffset {
  #samples = [];

  /** Notes that what was asked at `sent` was answered at `received` by a server whose clock showed `server`. */
  add(sent, received, server) {
    if (![sent, received, server].every(Number.isFinite) || received < sent) return;
    this.#samples.push({ trip: received - sent, offset: server - (sent + received) / 2 });
    if (this.#samples.length > kept) this.#samples.shift();
  }

  get isKnown() { return this.#samples.length > 0; }

  /** Server's time minus this browser's. */
  get offset() { return this.#best?.offset ?? 0; }

  /** The offset is right to this, up and down. */
  get uncertainty() { return this.#best ? this.#best.trip / 2 : Infinity; }

  /** The server's time at an instant of `performance.now()`, in milliseconds since 1970. */
  serverTime(now = performance.now()) { return performance.timeOrigin + now + this.offset; }

  get #best() {
    return this.#samples.reduce((best, sample) => (best && best.trip <= sample.trip ? best : sample), undefined);
  }
}

/** Asks `ask` (which resolves to the server's milliseconds since 1970) a few times. */
export async function measure(clock, ask, times = 4) {
  for (let round = 0; round < times; round++) {
    const sent = performance.timeOrigin + performance.now();
    const server = await ask();
    clock.add(sent, performance.timeOrigin + performance.now(), server);
  }
}
"""###
}
