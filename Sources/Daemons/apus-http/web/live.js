// SPDX-License-Identifier: Apache-2.0
// One camera, live: its picture, what can be done with it, and how it comes here.

import { $, h, iconButton, relabel, set, write } from './dom.js';
import { bitrate, codec, milliseconds, rate, sentence, stamp } from './format.js';
import { labels, order } from './choice.js';
import { Panel } from './panel.js';
import { Player } from './player.js';
import { shareDialog } from './share.js';

/** A hidden tab goes on for a while, so that a look elsewhere costs no new start. */
const hiddenFor = 10000;
const clipSeconds = 10;

const stored = (name, fallback) => { try { return localStorage.getItem(name) ?? fallback; } catch { return fallback; } };
const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* storage may be off */ } };

export class LiveView {
  name = 'live';
  #hidden = 0; #isPaused = false;

  constructor(app, camera, { isShared = false } = {}) {
    this.app = app;
    this.camera = camera;
    this.title = camera;
    const info = this.info;
    this.player = new Player({ camera, clock: app.clock, wanted: stored('transport', 'auto'), info });
    this.player.addEventListener('change', () => this.#drawState());
    this.player.addEventListener('figures', () => this.#drawFigures());
    this.veil = h('p.veil', { role: 'status' }, 'Connecting…');
    this.stage = h('figure.stage', {}, this.player.video, this.player.canvas, this.veil);
    this.stage.ondblclick = () => this.#fullScreen();
    this.figures = Object.fromEntries(['Delay', 'Rate', 'Bitrate', 'Dropped', 'Picture', 'Transport']
      .map((label) => [label, h('dd', {}, '–')]));
    const strip = h('dl.figures', { 'aria-label': 'Figures' }, Object.entries(this.figures)
      .map(([label, cell]) => h('div', {}, h('dt', {}, label), cell)));
    this.box = h('section.player', { 'aria-label': `${camera}, live` }, this.stage, this.#toolbar(isShared));
    const left = h('div.left', {}, h('header.name', {},
      !isShared && app.cameras.length > 1 && h('a.back', { href: '#/' }, '← Cameras'), this.dot = h('span.dot'), h('h1', {}, camera)),
    this.box, strip);
    // Who has a link only watches.
    this.panel = isShared ? undefined : new Panel(app, this.player);
    this.element = h('div.live-layout', {}, left, this.panel?.element);
  }

  get info() { return this.app.cameras.find((camera) => camera.name === this.camera); }

  start() {
    this.player.start();
    this.panel?.start();
    this.update();
    this.#addKeys();
  }

  stop() {
    clearTimeout(this.#hidden);
    this.player.stop();
    this.panel?.stop();
  }

  tell(event) { this.panel?.tell(event); }

  visibility(isVisible) {
    clearTimeout(this.#hidden);
    if (isVisible) { if (!this.#isPaused) this.player.start(); }
    else this.#hidden = setTimeout(() => this.player.stop(), hiddenFor);
  }

  update() {
    const { info } = this;
    if (!info) return;
    this.player.update(info);
    this.dot.className = `dot ${info.online ? 'good' : 'bad'}`;
    const stream = info.streams.find((stream) => stream.name === this.player.stream);
    if (stream?.width) this.stage.style.setProperty('--ratio', `${stream.width} / ${stream.height}`);
    for (const button of this.streams.children) {
      const isThere = info.streams.some((stream) => stream.name === button.dataset.stream);
      button.hidden = !isThere;
    }
    this.#drawState();
    this.panel?.update(info);
  }

  #toolbar(isShared) {
    const link = (name, label, file, ending) => {
      const anchor = h('a.icon', { title: label, 'aria-label': label, download: '', href: '#' });
      anchor.append(iconButton(name, label).firstChild);
      anchor.addEventListener('click', () => {
        anchor.href = this.player.url(file, 'main') + (file.includes('clip') ? `?from=-${clipSeconds}s` : '');
        anchor.download = `${this.camera}_${stamp()}.${ending}`;
      });
      return anchor;
    };
    this.pauseButton = iconButton('pause', 'Pause', () => this.#pause(), 'Space');
    this.muteButton = iconButton('mute', 'Sound on', () => this.#mute(), 'M');
    this.volume = h('input.volume', {
      type: 'range', min: 0, max: 1, step: 0.05, value: 1, 'aria-label': 'Volume',
      oninput: () => { this.player.video.volume = Number(this.volume.value); },
    });
    this.sound = h('span.sound', { hidden: true }, this.muteButton, this.volume);
    this.streams = h('div.segments', { role: 'group', 'aria-label': 'Stream' }, ['main', 'sub'].map((name) => h('button', {
      type: 'button', 'data-stream': name, 'aria-pressed': String(name === this.player.stream),
      onclick: () => this.#setStream(name),
    }, name === 'main' ? 'Main' : 'Sub')));
    this.transport = h('select', { 'aria-label': 'Transport', onchange: () => this.#setTransport(this.transport.value) },
      h('option', { value: 'auto' }, 'Automatic'), order.map((name) => h('option', { value: name }, labels[name])));
    this.transport.value = this.player.choice.wanted;
    this.saveButton = link('snapshot', 'Save a snapshot (S)', 'snapshot.jpg', 'jpg');
    this.clipButton = link('clip', `Save the last ${clipSeconds} seconds (C)`, 'clip.mp4', 'mp4');
    const share = !isShared && this.app.may('configure')
      && iconButton('share', 'Share a link', () => shareDialog(this.app, this.camera));
    return h('div.toolbar', { role: 'toolbar', 'aria-label': 'Player' }, this.pauseButton, this.sound, this.streams,
      this.transport, h('span.gap'), this.saveButton, !isShared && this.clipButton, share,
      iconButton('full', 'Full screen', () => this.#fullScreen(), 'F'));
  }

  #addKeys() {
    const keys = this.app.shortcuts;
    keys.add(' ', 'Pause and go on', () => this.#pause());
    keys.add('f', 'Full screen', () => this.#fullScreen());
    keys.add('m', 'Sound on and off', () => { if (!this.sound.hidden) this.#mute(); });
    keys.add('s', 'Save a snapshot', () => this.saveButton.click());
    keys.add('c', `Save the last ${clipSeconds} seconds`, () => this.clipButton.click());
    keys.add('q', 'Main and sub stream', () => this.#setStream(this.player.stream === 'main' ? 'sub' : 'main'));
    const { cameras } = this.app;
    if (cameras.length < 2) return;
    const at = cameras.findIndex((camera) => camera.name === this.camera);
    const go = (step) => { location.hash = `#/camera/${encodeURIComponent(cameras[(at + step + cameras.length) % cameras.length].name)}`; };
    keys.add('ArrowRight', 'Next camera', () => go(1));
    keys.add('ArrowLeft', 'Camera before', () => go(-1));
    keys.add('Escape', 'All cameras', () => { if (!document.fullscreenElement) location.hash = '#/'; });
  }

  #pause() {
    this.#isPaused = !this.#isPaused;
    this.#isPaused ? this.player.stop() : this.player.start();
    relabel(this.pauseButton, this.#isPaused ? 'play' : 'pause', this.#isPaused ? 'Go on' : 'Pause', 'Space');
    this.#drawState();
  }

  #mute() {
    const { video } = this.player;
    video.muted = !video.muted;
    relabel(this.muteButton, video.muted ? 'mute' : 'sound', video.muted ? 'Sound on' : 'Sound off', 'M');
  }

  #setStream(name) {
    if (!this.info?.streams.some((stream) => stream.name === name)) return;
    this.player.setStream(name);
    for (const button of this.streams.children) set(button, 'aria-pressed', String(button.dataset.stream === name));
    this.update();
  }

  #setTransport(name) {
    store('transport', name);
    this.player.want(name);
  }

  #fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else if (this.box.requestFullscreen) this.box.requestFullscreen().catch(() => {});
    // iPhones have it for videos only.
    else this.player.video.webkitEnterFullscreen?.();
  }

  #drawState() {
    const { player, info } = this;
    const current = player.choice.tried.find((entry) => entry.name === player.choice.current);
    let text = '';
    if (this.#isPaused) text = 'Paused';
    else if (info && !info.online && !player.isPlaying) text = `The camera is offline${info.reason ? `: ${info.reason}` : ''}`;
    else if (!current) text = 'Nothing that this browser can play: see Connection';
    else if (!player.isPlaying) text = current.reason ? `${sentence(current.reason)} Trying ${labels[current.name]} again…` : 'Connecting…';
    write(this.veil, text);
    this.veil.hidden = !text;
    this.sound.hidden = !player.about.hasSound || player.video.hidden;
    const automatic = $('option', this.transport);
    const name = player.isPlaying && player.choice.wanted === 'auto' ? ` · ${labels[player.choice.current]}` : '';
    write(automatic, `Automatic${name}`);
    write(this.figures.Transport, player.isPlaying ? labels[player.choice.current] : '–');
    this.panel?.drawConnection();
  }

  #drawFigures() {
    const figures = this.player.figures();
    const [width, height] = this.player.size;
    write(this.figures.Delay, milliseconds(figures.delay));
    this.figures.Delay.title = Number.isFinite(figures.uncertainty)
      ? `From the camera to this screen, ± ${milliseconds(figures.uncertainty)}` : '';
    write(this.figures.Rate, rate(figures.fps));
    write(this.figures.Bitrate, bitrate(figures.bitrate));
    write(this.figures.Dropped, String(figures.dropped));
    write(this.figures.Picture, width ? `${width} × ${height} ${codec(this.player.choice.current === 'mjpeg' ? 'jpeg' : this.player.coding)}` : '–');
  }
}
