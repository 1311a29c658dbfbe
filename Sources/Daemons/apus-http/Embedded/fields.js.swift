// SPDX-License-Identifier: Apache-2.0
// The page's fields.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of fields.js.
    static let fieldsJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// What a control is set with: a slider, a switch, a menu, a text. Each is { element, show(value) }, and says what is wanted.

import { h } from './dom.js';

/** A bitmask with more bits than this is a number. */
const mostBits = 16;
/** More places than this on a slider could not be told apart. */
const mostPlaces = 1e6;

/** The field for a control; `want` is called with each value that is chosen. */
export function makeField(about, id, want) {
  const { type, read_only: isReadOnly } = about;
  if (type === 'boolean') return makeSwitch(id, want);
  if (type === 'menu' || type === 'integer-menu') return makeMenu(about, id, want);
  if (type === 'string') return makeText(about, id, want);
  if (type === 'bitmask') return bitsOf(about.maximum).length > mostBits ? makeNumber(about, id, want) : makeBits(about, id, want);
  if (type === 'integer' || type === 'number') {
    const isWide = about.maximum - about.minimum > mostPlaces && about.minimum <= 0;
    return isReadOnly || isWide ? makeNumber(about, id, want) : makeSlider(about, id, want);
  }
  return makeNote(id);
}

/** The numbers of the bits of a mask, which may have more than the 32 that operators know. */
export function bitsOf(mask) {
  const bits = [];
  for (let bit = 0; bit < 53; bit++) if (Math.floor(mask / 2 ** bit) % 2 === 1) bits.push(bit);
  return bits;
}

function makeSwitch(id, want) {
  const element = h('input.switch', { id, type: 'checkbox', role: 'switch', onchange: () => want(element.checked) });
  return { element, show: (value) => { element.checked = Boolean(value); } };
}

function makeMenu({ choices = [] }, id, want) {
  const element = h('select', { id, onchange: () => want(Number(element.value)) },
    choices.map((choice) => h('option', { value: choice.value }, choice.label)));
  const show = (value) => {
    // The device may have more entries than it lists.
    if (value !== null && value !== undefined && !choices.some((choice) => choice.value === value)) {
      element.querySelector('[data-more]')?.remove();
      element.append(h('option', { value, 'data-more': '' }, String(value)));
    }
    element.value = value ?? '';
  };
  return { element, show };
}

/** What is typed is sent when it is done, with Enter or by going elsewhere; meanwhile nothing else is shown there. */
function makeTyped(properties, want) {
  let isTyping = false;
  const element = h('input', {
    ...properties, autocomplete: 'off', oninput: () => { isTyping = true; },
    onchange: () => { isTyping = false; want(element); },
  });
  return { element, show: (value) => { if (!isTyping) element.value = value ?? ''; } };
}

function makeText({ minimum, maximum }, id, want) {
  const about = { id, type: 'text', minlength: minimum || false, maxlength: maximum, spellcheck: 'false' };
  return makeTyped(about, (element) => want(element.value));
}

function makeNumber({ minimum = 0, maximum, step, type, read_only: isReadOnly }, id, want) {
  if (isReadOnly) return makeNote(id);
  const about = { id, type: 'number', min: minimum, max: maximum, step: step ?? (type === 'number' ? 'any' : 1) };
  return makeTyped(about, (element) => { if (element.value !== '') want(Number(element.value)); });
}

/** A box for each bit: what they mean is the driver's secret. */
function makeBits({ maximum, label }, id, want) {
  let value = 0;
  const boxes = bitsOf(maximum).map((bit) => {
    const box = h('input', { type: 'checkbox', onchange: () => want(value + (box.checked ? 1 : -1) * 2 ** bit) });
    return { bit, box };
  });
  const element = h('span.bits', { id, role: 'group', 'aria-label': label },
    boxes.map(({ bit, box }) => h('label', {}, box, `Bit ${bit}`)));
  Object.defineProperty(element, 'disabled', { set: (isDisabled) => boxes.forEach(({ box }) => { box.disabled = isDisabled; }) });
  const show = (wanted) => {
    value = wanted ?? 0;
    for (const { bit, box } of boxes) box.checked = Math.floor(value / 2 ** bit) % 2 === 1;
  };
  return { element, show };
}

function makeSlider({ type, minimum, maximum, step }, id, want) {
  // Bitrates span four decades: a slider in equal steps could not set the small ones.
  const isLogarithmic = minimum > 0 && maximum / minimum >= 1000;
  const range = isLogarithmic ? { min: 0, max: 1000, step: 1 } : { min: minimum, max: maximum, step: step ?? (type === 'number' ? 'any' : 1) };
  const chosen = () => {
    const place = Number(element.value);
    if (!isLogarithmic) return place;
    const value = minimum * (maximum / minimum) ** (place / 1000);
    const digit = Math.max(step ?? 1, 10 ** Math.floor(Math.log10(value) - 1));
    return Math.min(maximum, Math.max(minimum, Math.round(value / digit) * digit));
  };
  const element = h('input', { id, type: 'range', ...range, oninput: () => want(chosen()) });
  const show = (value) => {
    if (value === null || value === undefined) return;
    element.value = isLogarithmic ? 1000 * Math.log(value / minimum) / Math.log(maximum / minimum) : value;
  };
  return { element, show };
}

/** What can only be read. */
function makeNote(id) {
  return { element: h('span.note', { id }), show: () => {} };
}
"""###
}
