// SPDX-License-Identifier: Apache-2.0
// Sliders, menus and switches for all that can be set of a camera, as its table of controls says.

import { api } from './api.js';
import { h, iconButton, set, write } from './dom.js';
import { makeField } from './fields.js';
import { sentence } from './format.js';

/** While a slider moves, so often is it told. */
const sendEvery = 120;

/** Both groups of a camera's controls, each in an element of its own. */
export class ControlList {
  pictures = h('div.controls');
  encoders = h('div.controls');
  #controls = new Map();
  #isStopped = false; #retry = 0;

  constructor(app, camera) {
    this.app = app;
    this.camera = camera;
  }

  async load() {
    clearTimeout(this.#retry);
    try {
      const { controls } = await api.controls(this.camera);
      if (!this.#isStopped) this.#draw(controls);
    } catch (error) {
      if (this.#isStopped) return;
      for (const page of [this.pictures, this.encoders]) page.replaceChildren(h('p.empty', {}, sentence(error.message)));
      this.#controls.clear();
      this.#retry = setTimeout(() => this.load(), 5000);
    }
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    for (const control of this.#controls.values()) control.stop();
  }

  /** Another source may have other controls. */
  cameraIs(isOnline) {
    if (isOnline && this.wasOnline === false) this.load();
    this.wasOnline = isOnline;
  }

  /** Somebody else, or the camera itself, may have changed something. */
  tell({ type, data }) {
    if (type === 'control' && data.camera === this.camera) this.#take([data.control]);
    if (type === 'lost') this.load();
  }

  #draw(controls) {
    for (const control of this.#controls.values()) control.stop();
    this.#controls.clear();
    for (const [group, page] of [['source', this.pictures], ['encoder', this.encoders]]) {
      const mine = controls.filter((control) => control.group === group);
      const made = mine.map((control) => new Control(this.app, this.camera, control, (all) => this.#take(all)));
      made.forEach((control) => this.#controls.set(control.about.name, control));
      const resettable = made.filter((control) => control.canReset);
      page.replaceChildren(...made.map((control) => control.element),
        made.length ? '' : h('p.empty', {}, group === 'source' ? 'This source has nothing to set.' : 'This encoder has nothing to set.'),
        resettable.length ? h('button.small', { type: 'button', onclick: () => this.#reset(resettable) }, 'Reset all to default') : '');
    }
  }

  /** What one control is set to may make others active, or change them. */
  #take(controls) {
    for (const about of controls) this.#controls.get(about.name)?.take(about);
  }

  /** The server knows in which order, and leaves out what another control decides. */
  async #reset(controls) {
    try {
      const values = Object.fromEntries(controls.map((control) => [control.about.name, null]));
      this.#take((await api.setControls(this.camera, values)).controls);
    } catch (error) { this.app.toast({ title: 'Not reset', text: error.message, kind: 'bad' }); }
  }
}

/** One control: shows the new value at once, sends it a little later, takes it back if it was refused. */
class Control {
  #timer = 0; #wanted; #isSending = false; #sent = 0;

  constructor(app, camera, about, changed) {
    Object.assign(this, { app, camera, about, changed });
    const id = `control-${about.name}`;
    this.value = h('output', { for: id });
    this.reset = iconButton('reset', `Reset ${about.label} to default`, () => this.#want(this.about.default));
    if (about.type === 'button') {
      this.input = h('button.small', { id, type: 'button', onclick: () => this.#press() }, about.label);
      this.element = h('div.control.press', {}, this.input);
    } else {
      this.field = makeField(about, id, (value) => this.#want(value));
      this.input = this.field.element;
      const name = this.input.matches('input, select') ? h('label', { for: id }, about.label) : h('span.label', {}, about.label);
      this.element = h(`div.control.${about.type}`, {}, name, this.value, this.input, this.reset);
    }
    this.take(about);
  }

  get canReset() {
    const { type, read_only: isReadOnly, default: standard } = this.about;
    return type !== 'button' && !isReadOnly && standard !== undefined && standard !== null;
  }

  stop() { clearTimeout(this.#timer); }

  /** How the control stands, as the server says. */
  take(about) {
    this.about = { ...this.about, ...about };
    if (this.#wanted === undefined) this.#show(this.about.value);
    this.input.disabled = Boolean(this.about.read_only);
    this.element.classList.toggle('inactive', this.about.active === false);
    this.element.title = this.about.active === false ? 'Another control decides this at the moment' : '';
  }

  #show(value) {
    const { type, unit } = this.about;
    this.field?.show(value);
    const isNumber = type === 'integer' || type === 'number';
    if (isNumber && this.input.type !== 'number' || this.input.matches('.note')) {
      const text = isNumber || value === undefined || value === null ? shown(value, unit) : String(value);
      write(this.value, text);
      set(this.input, 'aria-valuetext', text);
    }
    this.reset.hidden = !this.canReset || value === this.about.default;
  }

  #want(value) {
    this.#wanted = value;
    this.#show(value);
    if (this.#isSending || this.#timer) return;
    this.#timer = setTimeout(() => this.#send(), Math.max(0, this.#sent + sendEvery - performance.now()));
  }

  async #send() {
    this.#timer = 0;
    this.#isSending = true;
    const value = this.#wanted;
    this.#sent = performance.now();
    try {
      const { controls } = await api.setControls(this.camera, { [this.about.name]: value });
      if (this.#wanted === value) this.#wanted = undefined;
      this.changed(controls);
    } catch (error) {
      this.#wanted = undefined;
      this.#show(this.about.value);
      this.app.toast({ title: `${this.about.label} was not set`, text: error.message, kind: 'bad' });
    }
    this.#isSending = false;
    if (this.#wanted !== undefined) this.#want(this.#wanted);
  }

  async #press() {
    this.input.disabled = true;
    try {
      await api.setControls(this.camera, { [this.about.name]: true });
    } catch (error) { this.app.toast({ title: `${this.about.label}: failed`, text: error.message, kind: 'bad' }); }
    this.input.disabled = false;
  }
}

function shown(value, unit) {
  if (!Number.isFinite(value)) return '–';
  if (/^bits?\/s$|bits per second/i.test(unit ?? '')) return value >= 1e6 ? `${value / 1e6} Mbit/s` : `${value / 1e3} kbit/s`;
  const number = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return unit ? `${number} ${unit}` : number;
}
