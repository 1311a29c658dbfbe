// SPDX-License-Identifier: Apache-2.0
// Plays H.264 or H.265 access units from a WebSocket by WebCodecs: nothing waits, the newest picture is shown.

import { describe } from './annexb.js';

/** Behind each access unit: when it was taken, in milliseconds since 1970, as 8 bytes little-endian. */
const suffix = 8;
/** More waiting units than this, and the decoder does not keep up. */
const queueLimit = 12;

/** Why this browser cannot play so; undefined if it can. */
export function refusal() {
  if (globalThis.VideoDecoder) return undefined;
  return globalThis.isSecureContext ? 'this browser has no WebCodecs' : 'browsers allow WebCodecs over HTTPS only';
}

/** Plays into `surface.canvas`; tells `report` what happens. */
export class WebSocketPlayer {
  #socket; #decoder; #codec; #pending; #painting = 0;
  #needsKey = true;
  #ended = false;
  #last = 0;

  constructor(url, surface, report, { coding = 'h264' } = {}) {
    this.url = url;
    this.surface = surface;
    this.report = report;
    this.coding = coding;
  }

  start() {
    this.surface.show('canvas');
    this.#decoder = this.#makeDecoder();
    const socket = new WebSocket(this.url);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => { if (data instanceof ArrayBuffer) this.#take(data); };
    socket.onclose = (event) => this.#fail(event.reason || 'the connection ended');
    this.#socket = socket;
  }

  stop() {
    this.#ended = true;
    if (this.#socket) { this.#socket.onclose = null; this.#socket.close(); }
    cancelAnimationFrame(this.#painting);
    this.#pending?.close();
    if (this.#decoder?.state !== 'closed') this.#decoder?.close();
  }

  #makeDecoder() {
    return new VideoDecoder({
      output: (frame) => this.#decoded(frame),
      error: (error) => this.#fail(`the picture could not be decoded: ${error.message}`),
    });
  }

  #fail(reason, isFinal = false) {
    if (this.#ended) return;
    this.stop();
    this.report.failed(reason, isFinal);
  }

  #take(data) {
    if (this.#ended || data.byteLength <= suffix) return;
    this.report.bytes(data.byteLength);
    const captured = Number(new DataView(data).getBigUint64(data.byteLength - suffix, true));
    const unit = new Uint8Array(data, 0, data.byteLength - suffix);
    const { isKey, codec } = describe(unit, this.coding);
    if (codec && codec !== this.#codec && !this.#configure(codec)) return;
    if (this.#needsKey && !(isKey && this.#codec)) return;
    if (this.#decoder.decodeQueueSize > queueLimit && !isKey) {
      this.#needsKey = true;
      return this.report.dropped(1);
    }
    this.#needsKey = false;
    // Decoders want times that grow; two pictures of one millisecond must not be one to them.
    const timestamp = Math.max(captured * 1000, this.#last + 1);
    this.#last = timestamp;
    this.#decoder.decode(new EncodedVideoChunk({ type: isKey ? 'key' : 'delta', timestamp, data: unit }));
  }

  #configure(codec) {
    this.#codec = codec;
    this.report.about({ mime: codec, hasSound: false });
    const configuration = { codec, optimizeForLatency: true };
    try {
      this.#decoder.configure(configuration);
    } catch (error) {
      this.#fail(`this browser does not play ${codec}: ${error.message}`, true);
      return false;
    }
    VideoDecoder.isConfigSupported(configuration).then(({ supported }) => {
      if (!supported) this.#fail(`this browser does not play ${codec}`, true);
    }, () => {});
    return true;
  }

  #decoded(frame) {
    if (this.#ended) return frame.close();
    if (this.#pending) {
      this.#pending.close();
      this.report.dropped(1);
    }
    this.#pending = frame;
    this.#painting ||= requestAnimationFrame((now) => this.#paint(now));
  }

  #paint(now) {
    this.#painting = 0;
    const frame = this.#pending;
    this.#pending = undefined;
    if (!frame) return;
    this.surface.paint(frame, frame.displayWidth, frame.displayHeight);
    this.report.frame(frame.timestamp / 1000, now);
    frame.close();
  }
}
