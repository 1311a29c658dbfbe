// SPDX-License-Identifier: Apache-2.0
// What the daemons have logged, with a filter.

import { api } from './api.js';
import { h, write } from './dom.js';

const refreshEvery = 2000;
const kept = 2000;

export class LogsView {
  name = 'logs';
  title = 'Logs';
  #lines = []; #next = 0; #timer = 0; #isStopped = false;

  constructor(app) {
    this.app = app;
    this.filter = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter lines', oninput: () => this.#draw() });
    this.level = h('select', { 'aria-label': 'Least level', onchange: () => this.#draw() },
      [['', 'All levels'], ['info', 'Info and above'], ['warn', 'Warnings and errors'], ['error', 'Errors']]
        .map(([value, label]) => h('option', { value }, label)));
    this.state = h('p.hint', { role: 'status' });
    this.text = h('ol.log', { tabindex: 0, 'aria-label': 'Lines' });
    this.element = h('div', {}, h('header.bar', {}, h('h1', {}, 'Logs'), this.level, this.filter), this.state, this.text);
  }

  start() { this.#load(); }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  visibility(isVisible) {
    clearTimeout(this.#timer);
    if (isVisible) this.#load();
  }

  async #load() {
    try {
      const { lines, next } = await api.logs(this.#next);
      if (this.#isStopped) return;
      this.#next = next ?? this.#next;
      this.#lines.push(...lines.map((line) => line.text ?? line));
      this.#lines.splice(0, this.#lines.length - kept);
      if (lines.length || !this.#lines.length) this.#draw();
    } catch (error) { write(this.state, error.message); }
    if (!this.#isStopped && !document.hidden) this.#timer = setTimeout(() => this.#load(), refreshEvery);
  }

  #draw() {
    const wanted = this.filter.value.toLowerCase();
    const least = ['debug', 'info', 'warn', 'error'].indexOf(this.level.value || 'debug');
    const found = this.#lines.map((line) => ({ line, level: levelOf(line) }))
      .filter(({ line, level }) => level >= least && line.toLowerCase().includes(wanted));
    const isAtEnd = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 40;
    this.text.replaceChildren(...found.map(({ line, level }) => h(`li.${['debug', 'info', 'warn', 'error'][level]}`, {}, line)));
    write(this.state, found.length === this.#lines.length ? `${found.length} lines` : `${found.length} of ${this.#lines.length} lines`);
    if (isAtEnd) this.text.scrollTop = this.text.scrollHeight;
  }
}

function levelOf(line) {
  const word = /\b(debug|info|warn(?:ing)?|error)\b/i.exec(line.slice(0, 80))?.[1].toLowerCase() ?? 'info';
  return ['debug', 'info', 'warn', 'error'].indexOf(word === 'warning' ? 'warn' : word);
}
