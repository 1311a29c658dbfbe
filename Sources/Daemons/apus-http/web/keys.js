// SPDX-License-Identifier: Apache-2.0
// Keyboard shortcuts and the list of them.

import { dialog, h } from './dom.js';

/** Keys of the view that is shown. A key is one character, a name as in `KeyboardEvent.key`, or `g 1` for two in a row. */
export class Shortcuts {
  #keys = new Map();
  #prefix = '';
  #open;

  constructor() {
    addEventListener('keydown', (event) => this.#pressed(event));
  }

  clear() {
    this.#keys.clear();
    this.#open?.close();
  }

  add(key, label, act) { this.#keys.set(key, { label, act }); }

  show() {
    // One that was closed stays for a moment, until its event comes.
    if (this.#open?.open) return this.#open.close();
    const shown = dialog('Keyboard', h('dl.keys', {}, [...this.#keys].flatMap(([key, { label }]) => [
      h('dt', {}, key.split(' ').map((part) => h('kbd', {}, names[part] ?? part.toUpperCase()))), h('dd', {}, label)])));
    shown.addEventListener('close', () => { if (this.#open === shown) this.#open = undefined; });
    this.#open = shown;
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (target.matches?.('input:not([type=range], [type=checkbox]), textarea, select')) return;
    // Space presses the button that has the focus, arrows move the slider that has it.
    if (target.matches?.('button, a, summary, [role=tab]') && [' ', 'Enter'].includes(event.key)) return;
    if (target.matches?.('input[type=range], [role=tab]') && event.key.startsWith('Arrow')) return;
    const isDialog = document.querySelector('dialog[open]');
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const found = this.#keys.get(this.#prefix + key);
    const hasMore = [...this.#keys.keys()].some((other) => other.startsWith(`${this.#prefix}${key} `));
    this.#prefix = !found && hasMore ? `${key} ` : '';
    // A dialog closes itself on Escape.
    if (!found || (isDialog && (isDialog !== this.#open || key === 'Escape'))) return;
    event.preventDefault();
    found.act();
  }
}

const names = { ' ': 'Space', '': 'Space', ArrowLeft: '←', ArrowRight: '→', ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc' };
