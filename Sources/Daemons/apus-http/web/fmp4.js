// SPDX-License-Identifier: Apache-2.0
// What the player reads of fragmented MP4 (ISO/IEC 14496-12): the time scale, and when a fragment was captured.

/** Milliseconds from 1900, where NTP begins, to 1970. */
const ntpEpoch = 2208988800000;

/** Yields the boxes between two offsets as { type, start, end }, where start is that of the content. */
export function* boxes(view, start = 0, end = view.byteLength) {
  while (start + 8 <= end) {
    let size = view.getUint32(start);
    let header = 8;
    if (size === 1 && start + 16 <= end) {
      size = Number(view.getBigUint64(start + 8));
      header = 16;
    }
    if (size === 0) size = end - start;
    if (size < header || start + size > end) return;
    const type = String.fromCharCode(...[4, 5, 6, 7].map((index) => view.getUint8(start + index)));
    yield { type, start: start + header, end: start + size };
    start += size;
  }
}

/** Finds a box by its path, such as `moov/trak/mdia`. */
export function find(view, path, start, end) {
  const [type, ...rest] = path.split('/');
  for (const box of boxes(view, start, end)) {
    if (box.type !== type) continue;
    const found = rest.length ? find(view, rest.join('/'), box.start, box.end) : box;
    if (found) return found;
  }
  return undefined;
}

/** The tracks of an initialisation segment: { id, kind: 'vide' | 'soun', timescale }. */
export function tracks(view) {
  const movie = find(view, 'moov');
  if (!movie) return [];
  return [...boxes(view, movie.start, movie.end)].filter((box) => box.type === 'trak').map((track) => {
    const header = find(view, 'tkhd', track.start, track.end);
    const media = find(view, 'mdia/mdhd', track.start, track.end);
    const handler = find(view, 'mdia/hdlr', track.start, track.end);
    if (!header || !media || !handler) return undefined;
    const long = (box) => view.getUint8(box.start) === 1;
    return {
      id: view.getUint32(header.start + (long(header) ? 20 : 12)),
      timescale: view.getUint32(media.start + (long(media) ? 20 : 12)),
      kind: String.fromCharCode(...[8, 9, 10, 11].map((index) => view.getUint8(handler.start + index))),
    };
  }).filter(Boolean);
}

/** A producer reference time (§8.16.5): { track, utc in milliseconds since 1970, mediaTime in ticks }. */
export function captureTime(view) {
  const box = find(view, 'prft');
  if (!box || box.end - box.start < 20) return undefined;
  const seconds = view.getUint32(box.start + 8);
  const fraction = view.getUint32(box.start + 12) / 2 ** 32;
  const isLong = view.getUint8(box.start) === 1 && box.end - box.start >= 24;
  const mediaTime = isLong ? Number(view.getBigUint64(box.start + 16)) : view.getUint32(box.start + 16);
  return { track: view.getUint32(box.start + 4), utc: (seconds + fraction) * 1000 - ntpEpoch, mediaTime };
}

/** The runs of a fragment: { track, decodeTime in ticks, samples }. */
export function runs(view) {
  const found = [];
  const fragment = find(view, 'moof');
  if (!fragment) return found;
  for (const box of boxes(view, fragment.start, fragment.end)) {
    if (box.type !== 'traf') continue;
    const header = find(view, 'tfhd', box.start, box.end);
    const time = find(view, 'tfdt', box.start, box.end);
    const run = find(view, 'trun', box.start, box.end);
    if (!header || !time || !run) continue;
    const isLong = view.getUint8(time.start) === 1;
    found.push({
      track: view.getUint32(header.start + 4),
      decodeTime: isLong ? Number(view.getBigUint64(time.start + 4)) : view.getUint32(time.start + 4),
      samples: view.getUint32(run.start + 4),
    });
  }
  return found;
}
