// SPDX-License-Identifier: Apache-2.0
// Takes a multipart stream of JPEG pictures apart, in whatever pieces it arrives.

const headLimit = 4096;
const pictureLimit = 16 << 20;

/** Collects bytes and gives whole parts. */
export class MultipartReader {
  #buffer = new Uint8Array(1 << 16);
  #length = 0;

  /** Takes bytes; returns the parts that are complete now as { fields, body }. Throws if it is no such stream. */
  add(bytes) {
    this.#append(bytes);
    const parts = [];
    for (let part = this.#next(); part; part = this.#next()) parts.push(part);
    return parts;
  }

  #append(bytes) {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
  }

  #next() {
    const end = this.#endOfHead();
    if (end < 0) {
      if (this.#length > headLimit) throw new Error('the server sent something that is no picture');
      return undefined;
    }
    const fields = new Map();
    const head = String.fromCharCode(...this.#buffer.subarray(0, end));
    for (const line of head.split('\r\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
    }
    const length = Number(fields.get('content-length'));
    if (!Number.isInteger(length) || length < 0 || length > pictureLimit) {
      throw new Error('the server sent a picture without its length');
    }
    const start = end + 4;
    if (this.#length < start + length) return undefined;
    const body = this.#buffer.slice(start, start + length);
    this.#buffer.copyWithin(0, start + length, this.#length);
    this.#length -= start + length;
    return { fields, body };
  }

  /** Where the blank line is that ends a head with fields; the delimiter's own lines count as part of the head. */
  #endOfHead() {
    const limit = Math.min(this.#length, headLimit);
    for (let index = 3; index + 3 < limit; index++) {
      const [a, b, c, d] = this.#buffer.subarray(index, index + 4);
      if (a === 13 && b === 10 && c === 13 && d === 10) return index;
    }
    return -1;
  }
}
