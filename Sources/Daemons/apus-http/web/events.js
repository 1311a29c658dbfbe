// SPDX-License-Identifier: Apache-2.0
// What happens: shown for a while at the edge, and as a list.

import { $, h, iconButton, write } from './dom.js';
import { time } from './format.js';

const shownFor = 6000;

/** Says an event in words: { title, text, kind: 'good' | 'warn' | 'bad' | '', isImportant }. */
export function describeEvent({ type, data }) {
  const about = data && typeof data === 'object' ? data : { message: String(data ?? '') };
  const name = (about.event ?? type).replaceAll(/[-_.]/g, ' ');
  const subject = [about.camera, about.stream].filter(Boolean).join('/') || about.daemon || about.user;
  const rest = Object.entries(about)
    .filter(([key]) => !['event', 'type', 'camera', 'stream', 'daemon', 'message', 'reason', 'time', 'at'].includes(key))
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  const text = [about.message ?? about.reason, ...rest].filter(Boolean).join(' · ');
  const whole = `${name} ${about.state ?? ''} ${about.online ?? ''}`;
  const isBad = /fail|lost|offline|died|crash|ended|false|down/.test(whole);
  const isGood = /online|live|back|recovered|true/.test(whole);
  return {
    title: [subject, name].filter(Boolean).join(': '),
    text,
    kind: isBad ? 'bad' : isGood ? 'good' : '',
    isImportant: /camera|daemon|motion|config|slate|offline|lost/.test(name) || isBad,
  };
}

/** Shows something at the edge of the page for a while. */
export function toast({ title, text, kind = '' }) {
  const element = h('div.toast', {}, h('div', {}, h('strong', {}, title), text && h('p', {}, text)));
  if (kind) element.classList.add(kind);
  const leave = () => element.remove();
  element.append(iconButton('close', 'Dismiss', leave));
  const toasts = $('#toasts');
  while (toasts.children.length > 3) toasts.firstChild.remove();
  toasts.append(element);
  let timer = setTimeout(leave, shownFor);
  element.onpointerenter = () => clearTimeout(timer);
  element.onpointerleave = () => { timer = setTimeout(leave, shownFor / 2); };
}

/** The list of events since the page was opened. */
export class EventsView {
  name = 'events';
  title = 'Events';

  constructor(app) {
    this.app = app;
    this.filter = h('input', { type: 'search', placeholder: 'Filter', 'aria-label': 'Filter events', oninput: () => this.#draw() });
    this.list = h('ol.events');
    this.empty = h('p.empty');
    this.element = h('div', {}, h('header.bar', {}, h('h1', {}, 'Events'), this.filter), this.empty, this.list);
  }

  start() { this.#draw(); }

  stop() {}

  tell() { this.#draw(); }

  #draw() {
    const wanted = this.filter.value.toLowerCase();
    const told = this.app.events.map((event) => ({ ...describeEvent(event), at: event.at }))
      .filter((event) => `${event.title} ${event.text}`.toLowerCase().includes(wanted));
    write(this.empty, told.length ? '' : this.app.events.length ? 'Nothing like that happened.'
      : 'Nothing has happened since this page was opened.');
    this.list.replaceChildren(...told.map((event) => h(`li${event.kind && `.${event.kind}`}`, {},
      h('time', { datetime: event.at.toISOString() }, time(event.at)), h('strong', {}, event.title), h('span', {}, event.text))));
  }
}
