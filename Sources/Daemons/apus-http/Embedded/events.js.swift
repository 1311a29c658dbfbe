// SPDX-License-Identifier: Apache-2.0
// The page's events.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of events.js.
    static let eventsJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// What happens: shown for a while at the edge, and as a list.

import { $, h, iconButton, write } from './dom.js';
import { describeWarnings, time } from './format.js';

const shownFor = 6000;

const words = {
  'camera-online': ['is online', 'good'], 'camera-offline': ['is offline', 'bad'],
  'viewer-joined': ['has a viewer more'], 'viewer-left': ['has a viewer less'],
  config: ['has other settings'], lost: ['Some events were missed', 'warn'],
};
const known = ['time', 'camera', 'daemon', 'stream', 'state', 'name', 'active', 'message', 'reason', 'pid'];

/** Says an event in words: { title, text, kind: 'good' | 'warn' | 'bad' | '', isImportant }. */
export function describeEvent({ type, data }) {
  const about = data && typeof data === 'object' ? data : { message: String(data ?? '') };
  let [title, kind = ''] = words[type] ?? [type.replaceAll('-', ' ')];
  if (type === 'daemon') {
    title = `is ${about.state ?? 'another'}`;
    kind = /fail|wait|stopped/.test(title) ? 'bad' : /running/.test(title) ? 'good' : '';
  }
  if (type === 'threshold') {
    title = about.active ? 'has passed its limit' : 'is within its limit again';
    kind = about.active ? 'warn' : 'good';
    // The message says limit and value.
    if (about.message) return { title: [about.name, title].join(' '), text: about.active ? about.message : '', kind, isImportant: true };
  }
  if (type === 'thermal') {
    const lowered = describeWarnings({ thermal: about });
    return {
      title: lowered.length ? 'The processor is hot' : 'The processor is cool', text: lowered[0] ?? 'Encoders do what is configured again',
      kind: lowered.length ? 'warn' : 'good', isImportant: true,
    };
  }
  if (type === 'device') {
    const isThere = about.change === 'added';
    return {
      title: `${about.name ?? about.id} was ${isThere ? 'plugged in' : 'unplugged'}`, text: about.camera ? `camera ${about.camera}` : '',
      kind: isThere ? 'good' : 'bad', isImportant: true,
    };
  }
  if (type === 'control') {
    const { label, active } = about.control ?? {};
    return { title: `${about.camera}: ${label} ${controlState(about.control ?? {})}`, text: active === false ? 'Another control decides it' : '', kind: '', isImportant: false };
  }
  const subject = type.startsWith('viewer') ? [about.camera, about.stream].filter(Boolean).join('/')
    : type === 'daemon' ? about.name ?? about.daemon : about.camera ?? about.name ?? about.daemon;
  const rest = Object.entries(about).filter(([key, value]) => !known.includes(key) && value !== null)
    .map(([key, value]) => `${key} ${typeof value === 'object' ? JSON.stringify(value) : value}`);
  return {
    title: [subject, title].filter(Boolean).join(' '),
    text: [about.message, about.reason, ...rest].filter(Boolean).join(' · '),
    kind,
    isImportant: kind !== '' && type !== 'lost',
  };
}

function controlState({ value, unit, choices = [] }) {
  if (value === undefined || value === null) return 'was used';
  if (typeof value === 'boolean') return value ? 'is on' : 'is off';
  return `is ${[choices.find((choice) => choice.value === value)?.label ?? value, unit].filter((part) => part !== undefined).join(' ')}`;
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
"""###
}
