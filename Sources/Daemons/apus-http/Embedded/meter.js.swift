// SPDX-License-Identifier: Apache-2.0
// The page's meter.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of meter.js.
    static let meterJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// What is measured of a running picture: frames and bits per second, delay, drops.

const span = 2000;

/** Counts over the last two seconds; `now` is `performance.now()` throughout. */
export class Meter {
  #frames = [];
  #bytes = [];
  #delays = [];
  frames = 0;
  dropped = 0;

  /** A picture was shown. */
  frame(now, delay) {
    this.frames += 1;
    this.#frames.push(now);
    if (Number.isFinite(delay)) this.#delays.push({ at: now, value: delay });
    this.#forget(now);
  }

  /** Bytes arrived. */
  bytes(now, count) {
    this.#bytes.push({ at: now, value: count });
    this.#forget(now);
  }

  /** { fps, bitrate in bit/s, delay in ms (the median) or undefined, frames, dropped } */
  read(now) {
    this.#forget(now);
    const delays = this.#delays.map((delay) => delay.value).sort((a, b) => a - b);
    return {
      fps: rate(this.#frames.length, this.#frames[0], this.#frames.at(-1), now),
      bitrate: this.#bytes.length > 1
        ? this.#bytes.reduce((sum, bytes) => sum + bytes.value, 0) * 8000 / Math.max(500, now - this.#bytes[0].at) : 0,
      delay: delays[delays.length >> 1],
      frames: this.frames,
      dropped: this.dropped,
    };
  }

  #forget(now) {
    while (this.#frames[0] < now - span) this.#frames.shift();
    while (this.#bytes[0]?.at < now - span) this.#bytes.shift();
    while (this.#delays[0]?.at < now - span) this.#delays.shift();
  }
}

/** Intervals between the first and the last of `count`; a picture that stands still falls to zero. */
function rate(count, first, last, now) {
  if (count < 2) return 0;
  return (count - 1) * 1000 / Math.max(last - first, now - first - 1000);
}
"""###
}
