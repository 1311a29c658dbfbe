// SPDX-License-Identifier: Apache-2.0
// The page's annexb.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of annexb.js.
    static let annexbJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// What the player reads of H.264 and H.265 in Annex B form: unit types, and the codec's name out of an SPS.

/** Yields the units of an access unit as [start, end] without their start codes. */
export function* units(data) {
  let start = -1;
  for (let index = 0; index + 2 < data.length; index++) {
    if (data[index + 2] > 1) { index += 2; continue; }
    if (data[index] || data[index + 1] || data[index + 2] !== 1) continue;
    if (start >= 0) yield [start, data[index - 1] === 0 ? index - 1 : index];
    start = index + 3;
    index += 2;
  }
  if (start >= 0) yield [start, data.length];
}

/** Looks at an access unit: { isKey, codec }, where codec is its name for WebCodecs if it carries an SPS. */
export function describe(data, coding = 'h264') {
  let isKey = false;
  let codec;
  for (const [start, end] of units(data)) {
    if (coding === 'h265') {
      const type = data[start] >> 1 & 0x3f;
      if (type >= 16 && type <= 23) isKey = true;
      if (type === 33) codec = nameOfH265(data.subarray(start, end));
    } else {
      const type = data[start] & 0x1f;
      if (type === 5) isKey = true;
      if (type === 7 && end - start >= 4) codec = `avc1.${[1, 2, 3].map((step) => hex(data[start + step])).join('')}`;
    }
  }
  return { isKey, codec };
}

const hex = (byte) => byte.toString(16).padStart(2, '0');

/** The name of RFC 6381 and ISO/IEC 14496-15 annex E, out of profile_tier_level. */
function nameOfH265(unit) {
  const plain = withoutEmulation(unit.subarray(2, 24));
  if (plain.length < 13) return undefined;
  const profile = plain[1];
  const space = ['', 'A', 'B', 'C'][profile >> 6];
  let compatibility = 0;
  for (let bit = 0; bit < 32; bit++) {
    if (plain[2 + (bit >> 3)] & 0x80 >> (bit & 7)) compatibility += 2 ** bit;
  }
  const constraints = [...plain.subarray(6, 12)];
  while (constraints.at(-1) === 0) constraints.pop();
  const tail = constraints.map((byte) => `.${byte.toString(16).toUpperCase()}`).join('');
  const tier = profile & 0x20 ? 'H' : 'L';
  return `hev1.${space}${profile & 0x1f}.${compatibility.toString(16).toUpperCase()}.${tier}${plain[12]}${tail}`;
}

function withoutEmulation(bytes) {
  const plain = [];
  for (const byte of bytes) {
    if (byte === 3 && plain.at(-1) === 0 && plain.at(-2) === 0) { plain.push(-1); continue; }
    plain.push(byte);
  }
  return Uint8Array.from(plain.filter((byte) => byte >= 0));
}
"""###
}
