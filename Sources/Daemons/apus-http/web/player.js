// SPDX-License-Identifier: Apache-2.0
// Plays one camera: chooses the transport, measures, and begins again when something breaks.

import { Choice } from './choice.js';
import { h } from './dom.js';
import { Meter } from './meter.js';
import * as hls from './play-hls.js';
import * as mjpeg from './play-mjpeg.js';
import * as mse from './play-mse.js';
import * as websocket from './play-websocket.js';

/** Without a picture for so long, something is wrong. HLS needs whole segments first. */
const stallAfter = { hls: 15000, others: 6000 };

const makers = {
  mse: (player, report) => new mse.MSEPlayer(player.socketURL('mse'), player, report),
  websocket: (player, report) => new websocket.WebSocketPlayer(player.socketURL('ws?format=chunks'), player, report),
  hls: (player, report) => new hls.HLSPlayer(player.url('index.m3u8'), player, report),
  mjpeg: (player, report) => new mjpeg.MJPEGPlayer(player.url('mjpeg', 'main'), player, report),
};

/**
 * One camera's picture. Events: `change` when what is played or tried changes, `figures` twice a second.
 * Has the two surfaces that transports paint on: `video` and `canvas`.
 */
export class Player extends EventTarget {
  #transport; #timer; #figures; #lastFrame = 0; #isRunning = false; #attempt = 0;
  meter = new Meter();
  about = {};
  isPlaying = false;

  /** @param {{ camera: string, clock: import('./clock.js').ClockOffset, stream?: string, wanted?: string }} options */
  constructor({ camera, clock, stream = 'main', wanted = 'auto', info }) {
    super();
    this.camera = camera;
    this.clock = clock;
    this.stream = stream;
    this.info = info;
    this.video = h('video', { muted: true, playsinline: true, 'aria-label': `Live picture of ${camera}` });
    this.video.muted = true;
    this.canvas = h('canvas', { role: 'img', 'aria-label': `Live picture of ${camera}` });
    this.choice = new Choice((name) => this.#refusal(name), wanted);
    this.show('video');
  }

  /** The codec of the stream that is played, as the server names it. */
  get coding() { return this.info?.streams?.find((stream) => stream.name === this.stream)?.codec ?? 'h264'; }

  url(file, stream = this.stream) {
    return ['', encodeURIComponent(this.camera), ...(stream === 'main' ? [] : [stream]), file].join('/');
  }

  socketURL(file) { return new URL(this.url(file), location.href.replace(/^http/, 'ws')).href; }

  start() {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.choice.reset();
    this.#figures = setInterval(() => this.#look(), 500);
    this.#begin();
  }

  stop() {
    this.#isRunning = false;
    clearInterval(this.#figures);
    this.#end();
  }

  /** Plays by this transport alone, or by the best with 'auto'. */
  want(name) {
    this.choice.want(name);
    this.#restart();
  }

  /** Plays another stream of the camera. */
  setStream(stream) {
    this.stream = stream;
    this.choice.reset();
    this.#restart();
  }

  /** What the server says of the camera: another codec, or one that is back, is a reason to begin again. */
  update(info) {
    const before = this.coding;
    const wasOnline = this.info?.online;
    this.info = info;
    if (!this.#isRunning) return;
    if (this.coding !== before || (info.online && wasOnline === false && !this.isPlaying)) {
      this.choice.reset();
      this.#restart();
    }
  }

  figures() { return { ...this.meter.read(performance.now()), uncertainty: this.clock.uncertainty }; }

  // What transports use

  show(name) {
    this.video.hidden = name !== 'video';
    this.canvas.hidden = name !== 'canvas';
  }

  paint(picture, width, height) {
    const { canvas } = this;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    this.context ??= canvas.getContext('2d', { alpha: false });
    this.context.drawImage(picture, 0, 0);
  }

  get size() {
    const source = this.video.hidden ? this.canvas : this.video;
    return this.video.hidden ? [source.width, source.height] : [source.videoWidth, source.videoHeight];
  }

  #refusal(name) {
    if (name === 'webrtc') return 'this server has no WebRTC';
    if (name === 'mse' || name === 'websocket' || name === 'hls') {
      if (this.coding === 'jpeg') return 'the stream is JPEG';
    }
    return { mse, websocket, hls, mjpeg }[name].refusal();
  }

  #restart() {
    if (!this.#isRunning) return;
    this.#end();
    this.#begin();
  }

  #begin() {
    const { name, wait } = this.choice.next();
    this.meter = new Meter();
    this.isPlaying = false;
    this.dispatchEvent(new Event('change'));
    if (!name) return;
    const attempt = ++this.#attempt;
    this.#timer = setTimeout(() => {
      this.#lastFrame = performance.now();
      // What an attempt that is over still has to say is of no interest.
      const current = (act) => (...values) => { if (attempt === this.#attempt) act(...values); };
      this.#transport = makers[name](this, {
        frame: current((captured, at) => this.#frame(captured, at)),
        bytes: current((count) => this.meter.bytes(performance.now(), count)),
        dropped: current((count) => { this.meter.dropped += count; }),
        about: current((about) => { this.about = about; this.dispatchEvent(new Event('change')); }),
        failed: current((reason, isFinal) => this.#failed(reason, isFinal)),
      });
      try { this.#transport.start(); } catch (error) { this.#failed(error.message); }
    }, wait);
  }

  #end() {
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#transport?.stop();
    this.#transport = undefined;
    this.isPlaying = false;
  }

  #frame(captured, at) {
    this.#lastFrame = performance.now();
    this.meter.frame(at, this.clock.isKnown ? this.clock.serverTime(at) - captured : NaN);
    if (this.isPlaying) return;
    this.isPlaying = true;
    this.choice.played();
    this.dispatchEvent(new Event('change'));
  }

  #failed(reason, isFinal) {
    this.#end();
    this.choice.failed(reason, isFinal);
    if (this.#isRunning) this.#begin();
  }

  #look() {
    this.dispatchEvent(new Event('figures'));
    if (!this.#transport || document.hidden) { this.#lastFrame = performance.now(); return; }
    const limit = stallAfter[this.choice.current] ?? stallAfter.others;
    if (performance.now() - this.#lastFrame > limit) {
      this.#failed(`no picture for ${limit / 1000} s`);
    }
  }
}
