// SPDX-License-Identifier: Apache-2.0
// The page's play-mse.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of play-mse.js.
    static let playMseJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Plays fragmented MP4 from a WebSocket by Media Source Extensions, at the live edge.

import { LiveEdge } from './edge.js';

/** Seconds of the past that the browser keeps. */
const kept = 6;
const queueLimit = 300;

const Source = globalThis.ManagedMediaSource ?? globalThis.MediaSource;

/** Why this browser cannot play so; undefined if it can. */
export const refusal = () => (Source ? undefined : 'this browser has no Media Source Extensions');

/** Plays into `surface.video`; tells `report` what happens. */
export class MSEPlayer {
  #socket; #source; #buffer; #url;
  #queue = [];
  #edge = new LiveEdge();
  #epoch;
  #ended = false;
  #timer; #looked = performance.now(); #trimmed = 0; #lastDropped = 0;

  constructor(url, surface, report) {
    this.surface = surface;
    this.video = surface.video;
    this.report = report;
    this.url = url;
  }

  start() {
    this.surface.show('video');
    const socket = new WebSocket(this.url);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => this.#take(data);
    socket.onclose = (event) => this.#fail(event.reason || 'the connection ended');
    this.#socket = socket;
    this.#timer = setInterval(() => this.#follow(), 100);
    this.#watchFrames();
  }

  stop() {
    this.#ended = true;
    clearInterval(this.#timer);
    if (this.#socket) { this.#socket.onclose = null; this.#socket.close(); }
    this.video.onwaiting = this.video.onerror = null;
    this.video.removeAttribute('src');
    this.video.srcObject = null;
    this.video.load();
    if (this.#url) URL.revokeObjectURL(this.#url);
  }

  #fail(reason, isFinal = false) {
    if (this.#ended) return;
    this.stop();
    this.report.failed(reason, isFinal);
  }

  #take(data) {
    if (this.#ended) return;
    if (typeof data === 'string') return this.#announce(data);
    this.report.bytes(data.byteLength);
    this.#queue.push(data);
    // A tab that was asleep: what it missed is of no use to anybody.
    if (this.#queue.length > queueLimit) return this.#fail('this browser did not keep up');
    this.#feed();
  }

  /** The server says what comes, before it comes and whenever it changes. */
  #announce(text) {
    let message;
    try { message = JSON.parse(text); } catch { return this.#fail('the server sent something else'); }
    const { mime, audio, epoch_ms: epoch } = message;
    if (!mime) return;
    // What media time 0 was in milliseconds since 1970: times in the stream are those of capture.
    this.#epoch = epoch;
    if (!Source.isTypeSupported(mime)) return this.#fail(`this browser does not play ${mime}`, true);
    this.report.about({ mime, hasSound: Boolean(audio) });
    if (this.#source) { this.#queue.push(mime); return this.#feed(); }
    this.#source = new Source();
    this.#source.onsourceopen = () => {
      URL.revokeObjectURL(this.#url);
      try {
        this.#source.duration = Infinity;
        this.#buffer = this.#source.addSourceBuffer(mime);
      } catch (error) { return this.#fail(`this browser does not play ${mime}: ${error.message}`, true); }
      this.#buffer.onupdateend = () => this.#feed();
      this.#feed();
    };
    this.#url = URL.createObjectURL(this.#source);
    this.video.disableRemotePlayback = true;
    this.video.onerror = () => this.#fail(this.video.error?.message || 'the picture could not be decoded');
    this.video.onwaiting = () => { if (this.video.currentTime > 0) this.#edge.ranDry(); };
    this.video.src = this.#url;
    this.video.play().catch(() => {});
  }

  #feed() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#ended || this.#source.readyState !== 'open') return;
    const next = this.#queue[0];
    if (next === undefined) return;
    try {
      const keepFrom = this.video.currentTime - kept;
      const isQuick = performance.now() - this.#trimmed < 2000;
      if (!isQuick && buffer.buffered.length && buffer.buffered.start(0) < keepFrom - kept) {
        this.#trimmed = performance.now();
        return buffer.remove(0, keepFrom);
      }
      if (typeof next === 'string') {
        buffer.changeType(next);
        this.#queue.shift();
        return this.#feed();
      }
      // Many at once where they have piled up: each append costs about the same.
      let count = 1;
      while (count < 32 && this.#queue[count] instanceof ArrayBuffer) count += 1;
      const batch = this.#queue.splice(0, count);
      buffer.appendBuffer(count === 1 ? batch[0] : joined(batch));
    } catch (error) {
      if (error.name !== 'QuotaExceededError') return this.#fail(`the picture could not be decoded: ${error.message}`);
      if (buffer.buffered.length) buffer.remove(0, Math.max(0.1, this.video.currentTime - 1));
    }
  }

  /** Goes to where the stream is, and stays there. */
  #follow() {
    const { video } = this;
    const buffered = this.#buffer?.buffered;
    if (!buffered?.length) return;
    const end = buffered.end(buffered.length - 1);
    const start = buffered.start(buffered.length - 1);
    const now = performance.now();
    if (video.currentTime < start || video.currentTime > end + 1) {
      video.currentTime = Math.max(start, end - this.#edge.cushion);
    } else {
      const { rate, jump } = this.#edge.look(end - video.currentTime, (now - this.#looked) / 1000);
      if (jump) video.currentTime += jump;
      if (video.playbackRate !== rate) video.playbackRate = rate;
    }
    if (video.paused && !document.hidden) video.play().catch(() => {});
    this.#looked = now;
    const { droppedVideoFrames } = video.getVideoPlaybackQuality?.() ?? { droppedVideoFrames: 0 };
    if (droppedVideoFrames > this.#lastDropped) this.report.dropped(droppedVideoFrames - this.#lastDropped);
    this.#lastDropped = droppedVideoFrames;
  }

  #watchFrames() {
    const { video } = this;
    if (!video.requestVideoFrameCallback) {
      // Older Firefox: frames are seen, but not when each was taken.
      let last = -1;
      const look = () => {
        if (this.#ended) return;
        if (video.currentTime !== last && video.readyState >= 2) this.#shown(video.currentTime, performance.now());
        last = video.currentTime;
        requestAnimationFrame(look);
      };
      return requestAnimationFrame(look);
    }
    const shown = (now, frame) => {
      if (this.#ended) return;
      this.#shown(frame.mediaTime, frame.expectedDisplayTime ?? now);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback(shown);
  }

  #shown(mediaTime, at) {
    this.report.frame(this.#epoch + mediaTime * 1000, at);
  }
}

function joined(buffers) {
  const whole = new Uint8Array(buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0));
  let offset = 0;
  for (const buffer of buffers) {
    whole.set(new Uint8Array(buffer), offset);
    offset += buffer.byteLength;
  }
  return whole;
}
"""###
}
