// SPDX-License-Identifier: Apache-2.0
// The page's panel.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of panel.js.
    static let panelJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Beside the picture: controls, connection, addresses, viewers.

import { api } from './api.js';
import { labels } from './choice.js';
import { ControlList } from './controls.js';
import { copyButton, h, set } from './dom.js';
import { bitrate, codec, rate, sentence } from './format.js';
import { viewerTable } from './viewers.js';

const viewersEvery = 3000;

export class Panel {
  #timer = 0; #pages = new Map(); #drawn = '';

  constructor(app, player) {
    this.app = app;
    this.player = player;
    this.camera = player.camera;
    this.tabs = h('div.tabs', { role: 'tablist', 'aria-label': 'About this camera' });
    this.element = h('aside.panel.card', {}, this.tabs);
    if (app.may('control')) {
      this.controls = new ControlList(app, this.camera);
      this.#add('picture', 'Picture', this.controls.pictures);
      this.#add('encoder', 'Encoder', this.controls.encoders);
    }
    this.connection = h('div');
    this.addresses = h('div');
    this.viewers = h('div');
    this.#add('connection', 'Connection', this.connection);
    this.#add('addresses', 'Addresses', this.addresses);
    if (app.may('control')) this.#add('viewers', 'Viewers', this.viewers);
    this.#select(this.#pages.keys().next().value);
  }

  start() { this.controls?.load(); }

  tell(event) { this.controls?.tell(event); }

  stop() {
    clearTimeout(this.#timer);
    this.controls?.stop();
    this.isStopped = true;
  }

  update(info) {
    const key = JSON.stringify([info.streams.map((stream) => [stream.name, stream.codec]), this.app.rtspPort]);
    if (key !== this.#drawn) this.#drawAddresses(info);
    this.#drawn = key;
    this.controls?.cameraIs(info.online);
    this.info = info;
    this.drawConnection();
  }

  /** Which transport plays, which were tried before, and why they did not do. */
  drawConnection() {
    const { choice } = this.player;
    const words = { untried: 'not tried', impossible: 'not possible', failed: 'failed', playing: 'playing', trying: 'trying…' };
    const rows = choice.tried.map((entry) => h(`li.${entry.state}`, {},
      h('span.dot'), h('strong', {}, labels[entry.name]), h('span.state', {}, words[entry.state]),
      entry.reason && h('p', {}, sentence(entry.reason))));
    const streams = (this.info?.streams ?? []).map((stream) => h('tr', {},
      h('th', { scope: 'row' }, stream.name), h('td', {}, codec(stream.codec)),
      h('td', {}, stream.width ? `${stream.width} × ${stream.height}` : '–'),
      h('td', {}, stream.fps ? rate(stream.fps) : stream.online ? 'idle' : 'offline'), h('td', {}, stream.fps ? bitrate(stream.bitrate) : '–')));
    this.connection.replaceChildren(
      h('h2', {}, 'Transports, the best first'), h('ol.transports', {}, rows),
      h('p.hint', {}, choice.wanted === 'auto' ? 'The best that works is taken. Below the picture it can be chosen by hand.'
        : `Only ${labels[choice.wanted]} is tried, as chosen below the picture.`),
      h('h2', {}, 'Streams'), h('div.scroll', { tabindex: 0, role: 'region', 'aria-label': 'Streams' }, h('table', {}, h('tbody', {}, streams))));
  }

  #add(key, label, content) {
    const id = `panel-${key}`;
    const tab = h('button', {
      type: 'button', role: 'tab', id: `tab-${key}`, 'aria-controls': id, onclick: () => this.#select(key),
      onkeydown: (event) => this.#move(event),
    }, label);
    const page = h('div.page', { id, role: 'tabpanel', 'aria-labelledby': `tab-${key}`, hidden: true }, content);
    this.#pages.set(key, { tab, page });
    this.tabs.append(tab);
    this.element.append(page);
  }

  #select(key) {
    clearTimeout(this.#timer);
    for (const [name, { tab, page }] of this.#pages) {
      page.hidden = name !== key;
      set(tab, 'aria-selected', String(name === key));
      set(tab, 'tabindex', name === key ? 0 : -1);
    }
    if (key === 'viewers') this.#loadViewers();
  }

  #move(event) {
    const keys = [...this.#pages.keys()];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = keys.findIndex((key) => this.#pages.get(key).tab === event.currentTarget);
    const next = keys[(at + step + keys.length) % keys.length];
    this.#select(next);
    this.#pages.get(next).tab.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  async #loadViewers() {
    clearTimeout(this.#timer);
    try {
      const { clients } = await api.clients(this.camera);
      if (this.isStopped || this.#pages.get('viewers').page.hidden) return;
      this.viewers.replaceChildren(viewerTable(this.app, clients, () => this.#loadViewers(), true));
    } catch (error) { this.viewers.replaceChildren(h('p.problem', {}, error.message)); }
    this.#timer = setTimeout(() => this.#loadViewers(), viewersEvery);
  }

  #drawAddresses(info) {
    const suffixes = { main: '', sub: '/sub', jpeg: '/jpeg' };
    const path = `/${encodeURIComponent(info.name)}`;
    const port = this.app.rtspPort;
    const rtsp = info.streams.filter((stream) => port && stream.name in suffixes)
      .map(({ name }) => [`RTSP ${name}`, `rtsp://${location.hostname}:${port}${path}${suffixes[name]}`]);
    const http = ['index.m3u8', 'mjpeg', 'snapshot.jpg', 'clip.mp4?from=-10s'].map((file, index) => (
      [['HLS', 'MJPEG', 'Snapshot', 'Clip of the last 10 s'][index], `${location.origin}${path}/${file}`]));
    this.addresses.replaceChildren(h('ul.addresses', {}, [...rtsp, ...http].map(([label, address]) => h('li', {},
      h('span.label', {}, label), h('code', {}, address), copyButton(address, `Copy the ${label} address`)))));
  }
}
"""###
}
