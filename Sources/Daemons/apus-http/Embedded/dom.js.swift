// SPDX-License-Identifier: Apache-2.0
// The page's dom.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of dom.js.
    static let domJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Makes elements. Text from the server only ever becomes text or an attribute's value, never markup.

export const $ = (selector, root = document) => root.querySelector(selector);

/**
 * Makes an element: h('button.icon.wide', { title: 'Mute', onclick }, icon('mute'), 'Mute').
 * Properties that begin with `on` are listeners; true and false set and leave out an attribute.
 */
export function h(selector, properties = {}, ...children) {
  const [tag, ...classes] = selector.split('.');
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(' ');
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else set(element, name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Sets an attribute, or takes it away. */
export function set(element, name, value) {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (name === 'value' && 'value' in element) element.value = value;
  else element.setAttribute(name, value === true ? '' : value);
}

/** One of the drawings in index.html. */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  const use = document.createElementNS(space, 'use');
  use.setAttribute('href', `#${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

/** A button that shows a drawing; its label is read out and shown as a hint. */
export function iconButton(name, label, onclick, key) {
  const hint = key ? `${label} (${key})` : label;
  return h('button.icon', { type: 'button', title: hint, 'aria-label': label, onclick }, icon(name));
}

/** Changes an icon button's drawing and label. */
export function relabel(button, name, label, key) {
  $('use', button).setAttribute('href', `#${name}`);
  button.title = key ? `${label} (${key})` : label;
  button.setAttribute('aria-label', label);
}

/** Sets an element's text, if it is another one: screen readers announce each change. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A table with a heading for each column; the cells of `rows` are texts or elements. */
export function table(caption, columns, rows) {
  return h('div.scroll', { tabindex: 0, role: 'region', 'aria-label': caption },
    h('table', {},
      h('thead', {}, h('tr', {}, columns.map((column) => h('th', { scope: 'col' }, column)))),
      h('tbody', {}, rows.map((cells) => h('tr', {}, cells.map((cell, index) => (
        index ? h('td', { 'data-label': columns[index] }, cell) : h('th', { scope: 'row' }, cell))))))));
}

/** Shows a dialog until it is closed; Escape and a click beside it close it. */
export function dialog(title, ...content) {
  const close = iconButton('close', 'Close', () => element.close());
  const element = h('dialog', { 'aria-label': title }, h('header', {}, h('h2', {}, title), close), ...content);
  element.addEventListener('click', (event) => { if (event.target === element) element.close(); });
  element.addEventListener('close', () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}

/** Copies a text; the clipboard is there on secure origins only, which a camera in the local network rarely is. */
export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = h('textarea.unseen', { readonly: true }, text);
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}

/** A button that copies a text and says so. */
export function copyButton(text, label) {
  const button = iconButton('copy', label, async () => {
    await copy(text);
    relabel(button, 'done', 'Copied');
    setTimeout(() => relabel(button, 'copy', label), 1500);
  });
  return button;
}
"""###
}
