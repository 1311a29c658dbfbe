// SPDX-License-Identifier: Apache-2.0
// The configuration: every key with its value, and what a change would do before it is made.

import { api } from './api.js';
import { dialog, h, iconButton, write } from './dom.js';

export class ConfigView {
  name = 'config';
  title = 'Settings';
  #keys = []; #changes = new Map(); #isFixed = false;

  constructor(app) {
    this.app = app;
    this.filter = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter keys', oninput: () => this.#draw() });
    this.isSetOnly = h('input', { type: 'checkbox', onchange: () => this.#draw() });
    this.file = h('p.hint');
    this.list = h('div');
    this.check = h('button.primary', { type: 'button', onclick: () => this.#try() }, 'Check and apply…');
    this.count = h('span');
    this.bar = h('div.changes', { role: 'status', hidden: true }, this.count, h('span.gap'),
      h('button', { type: 'button', onclick: () => { this.#changes.clear(); this.#draw(); } }, 'Discard'), this.check);
    this.element = h('div', {}, h('header.bar', {}, h('h1', {}, 'Settings'),
      h('label.check', {}, this.isSetOnly, 'Changed from default'), this.filter), this.file, this.list, this.bar);
  }

  start() { this.#load(); }

  stop() {}

  async #load() {
    try {
      const { file, keys } = await api.config();
      this.#keys = keys;
      this.#isFixed = !file;
      write(this.file, file ?? 'Apus runs without a configuration file, so nothing can be changed here. apus up --config FILE has one.');
      this.#draw();
    } catch (error) { this.list.replaceChildren(h('p.problem', {}, error.message)); }
  }

  #draw() {
    const wanted = this.filter.value.toLowerCase();
    const sections = new Map();
    for (const key of this.#keys) {
      if (this.isSetOnly.checked && !key.is_set && !this.#changes.has(key.key)) continue;
      if (!`${key.key} ${key.doc}`.toLowerCase().includes(wanted)) continue;
      const section = key.key.slice(0, key.key.lastIndexOf('.'));
      sections.set(section, [...(sections.get(section) ?? []), key]);
    }
    this.list.replaceChildren(...[...sections].map(([name, keys]) => h('section.card', {},
      h('h2', {}, name), h('div.settings', {}, keys.map((key) => this.#row(key))))));
    if (!sections.size && this.#keys.length) this.list.append(h('p.empty', {}, 'No key is like that.'));
    this.#drawBar();
  }

  #row(key) {
    const id = `key-${key.key}`;
    const value = this.#changes.get(key.key) ?? key.value;
    const change = (text) => {
      if (String(text) === key.value) this.#changes.delete(key.key);
      else this.#changes.set(key.key, String(text));
      row.classList.toggle('changed', this.#changes.has(key.key));
      this.#drawBar();
    };
    // `error, warn, info or debug` is a choice; `a number from 2 to 1000` is none.
    const isChoice = /^\w+(, \w+)* or \w+$/.test(key.expects ?? '');
    const input = isChoice
      ? h('select', { id, onchange: () => change(input.value) }, key.expects.split(/, | or /).map((option) => h('option', {}, option)))
      : h('input', { id, value, placeholder: key.default, spellcheck: 'false', autocomplete: 'off', oninput: () => change(input.value) });
    if (isChoice) input.value = value;
    input.disabled = this.#isFixed;
    const note = [key.expects, key.default !== '' && `default ${key.default}`, key.effect === 'restart' && 'restarts a daemon'].filter(Boolean).join(' · ');
    const back = key.is_set && !this.#isFixed && iconButton('reset', `Back to the default, ${key.default}`, () => { input.value = key.default; change(key.default); });
    const row = h('div.setting', {}, h('label', { for: id }, key.key.slice(key.key.lastIndexOf('.') + 1)),
      h('div.value', {}, input, back), h('p', {}, key.doc), h('p.hint', {}, note));
    row.classList.toggle('changed', this.#changes.has(key.key));
    return row;
  }

  #drawBar() {
    this.bar.hidden = !this.#changes.size;
    write(this.count, this.#changes.size === 1 ? '1 change' : `${this.#changes.size} changes`);
  }

  /** Asks what the changes would do, shows it, and makes them if that is wanted. */
  async #try() {
    const values = Object.fromEntries(this.#changes);
    let plan;
    try { plan = await api.setConfig(values, true); } catch (error) {
      return this.app.toast({ title: error.key ?? 'This cannot be set', text: error.message, kind: 'bad' });
    }
    const words = { live: 'takes it over while it runs', restart: 'is restarted', start: 'is started', stop: 'is stopped' };
    const viewers = plan.viewers === 0 ? 'No viewer is affected.' : plan.viewers === 1 ? '1 viewer is affected.' : `${plan.viewers} viewers are affected.`;
    const apply = h('button.primary', {
      type: 'button',
      onclick: async () => {
        apply.disabled = true;
        try {
          await api.setConfig(values, false);
          this.#changes.clear();
          this.app.toast({ title: 'The settings are in force', kind: 'good' });
        } catch (error) { this.app.toast({ title: 'Not applied', text: error.message, kind: 'bad' }); }
        shown.close();
        this.#load();
      },
    }, 'Apply');
    const shown = dialog('What this does',
      h('ul.plan', {}, Object.entries(values).map(([key, value]) => h('li', {}, h('code', {}, `${key} = ${value}`)))),
      h('ul', {}, (plan.daemons ?? []).map((daemon) => h('li', {}, `${daemon.name} ${words[daemon.effect] ?? daemon.effect}`))),
      plan.interrupted?.length ? h('p.warn', {}, `Interrupted: ${plan.interrupted.join(', ')}.`) : '',
      h('p', {}, h('strong', {}, viewers)),
      h('footer', {}, h('button', { type: 'button', onclick: () => shown.close() }, 'Not now'), apply));
  }
}
