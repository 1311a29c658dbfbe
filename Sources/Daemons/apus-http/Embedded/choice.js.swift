// SPDX-License-Identifier: Apache-2.0
// The page's choice.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of choice.js.
    static let choiceJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Which transport to play by: the best that works, what was tried before it, and why that did not do.

/** All transports, the best first. */
export const order = ['webrtc', 'mse', 'websocket', 'hls', 'mjpeg'];

export const labels = {
  webrtc: 'WebRTC', mse: 'MSE', websocket: 'WebSocket', hls: 'HLS', mjpeg: 'MJPEG',
};

/** So many attempts in a row without a picture end a transport that has shown one before. */
const patience = 3;
const longestWait = 15000;

/**
 * Decides what to try next. It holds no timers: it is told what happens and says what to do.
 *
 * A transport that cannot be had is passed over with its reason. One that has never shown a picture gets one attempt;
 * one that has, gets three in a row, since networks and cameras come back. After all have failed it begins anew.
 */
export class Choice {
  #entries;
  #wanted;
  #failures = 0;
  current;

  /** @param {(name: string) => string | undefined} refusal why a transport cannot be had; undefined if it can */
  constructor(refusal, wanted = 'auto') {
    this.refusal = refusal;
    this.#wanted = wanted;
    this.#clear();
  }

  get wanted() { return this.#wanted; }

  /** What is known of each transport: { name, state: 'untried' | 'impossible' | 'failed' | 'playing' | 'trying', reason }. */
  get tried() { return this.#entries.map((entry) => ({ ...entry })); }

  /** Takes 'auto', or one transport and no other. */
  want(name) {
    this.#wanted = name;
    this.#clear();
  }

  /** What to try now: { name, wait in ms }; name is undefined if nothing can ever work here. */
  next() {
    let entry = this.#usable().find((entry) => entry.state !== 'failed');
    if (!entry) {
      for (const failed of this.#usable()) failed.state = 'untried';
      entry = this.#usable()[0];
    }
    this.current = entry?.name;
    if (!entry) return { name: undefined, wait: 0 };
    const wait = this.#failures ? Math.min(longestWait, 250 * 2 ** (this.#failures - 1)) : 0;
    // The next of several is tried at once; to wait is for what failed before.
    const isFresh = entry.state === 'untried' && !entry.reason;
    entry.state = 'trying';
    return { name: entry.name, wait: isFresh ? 0 : wait };
  }

  /** The current transport shows pictures. */
  played() {
    this.#failures = 0;
    const entry = this.#entry(this.current);
    if (!entry) return;
    entry.state = 'playing';
    entry.hasPlayed = true;
    entry.failures = 0;
    delete entry.reason;
  }

  /** The current transport failed; with `isFinal`, it would fail again. */
  failed(reason, isFinal = false) {
    const entry = this.#entry(this.current);
    if (!entry) return;
    this.#failures += 1;
    entry.failures += 1;
    entry.reason = reason;
    const isOut = isFinal || !entry.hasPlayed || entry.failures >= patience;
    entry.state = isOut ? 'failed' : 'untried';
    if (isFinal) entry.hasPlayed = false;
  }

  /** Everything may be different now: the camera is back, or its codec is another one. */
  reset() { this.#clear(); }

  #clear() {
    this.#failures = 0;
    this.current = undefined;
    this.#entries = order.map((name) => {
      const reason = this.refusal(name);
      return { name, state: reason ? 'impossible' : 'untried', failures: 0, hasPlayed: false, ...(reason && { reason }) };
    });
  }

  #usable() {
    return this.#entries.filter((entry) => entry.state !== 'impossible'
      && (this.#wanted === 'auto' || entry.name === this.#wanted));
  }

  #entry(name) { return this.#entries.find((entry) => entry.name === name); }
}
"""###
}
