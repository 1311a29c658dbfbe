// SPDX-License-Identifier: Apache-2.0
// Figures as people read them.

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

export function bitrate(bits) {
  if (!Number.isFinite(bits) || bits <= 0) return '–';
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(bits < 1e7 ? 1 : 0)} Mbit/s` : `${Math.round(bits / 1e3)} kbit/s`;
}

export function size(bytes) {
  if (!Number.isFinite(bytes)) return '–';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let step = 0;
  while (bytes >= 1000 && step < units.length - 1) { bytes /= 1000; step += 1; }
  return `${step && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${units[step]}`;
}

export function rate(fps) {
  return Number.isFinite(fps) && fps > 0 ? `${fps.toFixed(fps < 9.95 ? 1 : 0)} fps` : '–';
}

export function milliseconds(value) {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 10000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`;
}

export function time(date) {
  return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

/** A time for a file's name. */
export function stamp(date = new Date()) {
  const two = (value) => String(value).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day}_${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join('-')}`;
}

/** With a capital in front and a stop behind. */
export function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}` : '';
}

/** h264 → H.264 */
export function codec(name) {
  const names = { h264: 'H.264', h265: 'H.265', av1: 'AV1', jpeg: 'JPEG', opus: 'Opus', aac: 'AAC' };
  return names[name] ?? name?.toUpperCase() ?? '–';
}

/** What is the matter with the machine, in sentences: limits that are passed, and what heat leaves of the encoders. */
export function describeWarnings({ warnings = [], thermal }) {
  const texts = warnings.map((warning) => warning.message).filter(Boolean);
  if (!(thermal?.steps > 0)) return texts;
  const part = (share, name) => (share < 1 ? [`${Math.round(share * 100)} % of the ${name}`] : []);
  const parts = [...part(thermal.bitrate, 'bitrate'), ...part(thermal.fps, 'frame rate')].join(' and ');
  const untouched = thermal.untouched?.length ? `; untouched, as they pass through: ${thermal.untouched.join(', ')}` : '';
  return [...texts, `Encoders are held to ${parts} while the processor is hot${untouched}`];
}
