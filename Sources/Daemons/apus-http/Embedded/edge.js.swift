// SPDX-License-Identifier: Apache-2.0
// The page's edge.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of edge.js.
    static let edgeJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Keeps a video element at the live edge: a little faster when it is behind, a jump when it is far behind.

const jumpBeyond = 1.5;
const fastest = 1.25;

/**
 * Follows how much is buffered and says what to do. All times in seconds.
 *
 * The cushion grows when the buffer has run dry and shrinks slowly again, so that a bad network costs delay, not halts.
 */
export class LiveEdge {
  #cushion;
  #smallest;
  #rate = 1;

  constructor(smallest = 0.06) {
    this.#smallest = smallest;
    this.#cushion = smallest;
  }

  get cushion() { return this.#cushion; }

  /** The picture stood still for want of frames. */
  ranDry() { this.#cushion = Math.min(1, this.#cushion * 1.5 + 0.02); }

  /** Returns { rate, jump }: what the playback rate is to be, and how far ahead to jump. */
  look(ahead, elapsed) {
    this.#cushion = Math.max(this.#smallest, this.#cushion * 0.99 ** elapsed);
    if (ahead > this.#cushion + jumpBeyond) {
      this.#rate = 1;
      return { rate: 1, jump: ahead - this.#cushion };
    }
    const surplus = ahead - this.#cushion;
    // Off and on at different places, or it would change all the time.
    if (surplus > 0.08) this.#rate = Math.min(fastest, 1.05 + surplus / 4);
    else if (surplus < 0.02) this.#rate = 1;
    return { rate: this.#rate, jump: 0 };
  }
}
"""###
}
