// SPDX-License-Identifier: Apache-2.0
// The page's play-websocket.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of play-websocket.js.
    static let playWebsocketJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Plays coded frames from a WebSocket by WebCodecs: nothing waits, the newest picture is shown.

/** In front of each frame: flags (4 bytes), number (4), microseconds since 1970 when it was taken (8), little-endian. */
const header = 16;
const keyframe = 1;
/** More waiting frames than this, and the decoder does not keep up. */
const queueLimit = 12;

/** Why this browser cannot play so; undefined if it can. */
export function refusal() {
  if (globalThis.VideoDecoder) return undefined;
  return globalThis.isSecureContext ? 'this browser has no WebCodecs' : 'browsers allow WebCodecs over HTTPS only';
}

/** Plays into `surface.canvas`; tells `report` what happens. */
export class WebSocketPlayer {
  #socket; #decoder; #codec; #pending; #number;
  #painting = 0;
  #needsKey = true;
  #ended = false;
  #last = 0;

  constructor(url, surface, report) {
    Object.assign(this, { url, surface, report });
  }

  start() {
    this.surface.show('canvas');
    this.#decoder = new VideoDecoder({
      output: (frame) => this.#decoded(frame),
      error: (error) => this.#fail(`the picture could not be decoded: ${error.message}`),
    });
    const socket = new WebSocket(this.url);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => (typeof data === 'string' ? this.#announce(data) : this.#take(data));
    socket.onclose = (event) => this.#fail(event.reason || 'the connection ended');
    this.#socket = socket;
  }

  stop() {
    this.#ended = true;
    if (this.#socket) { this.#socket.onclose = null; this.#socket.close(); }
    cancelAnimationFrame(this.#painting);
    this.#pending?.close();
    if (this.#decoder && this.#decoder.state !== 'closed') this.#decoder.close();
  }

  #fail(reason, isFinal = false) {
    if (this.#ended) return;
    this.stop();
    this.report.failed(reason, isFinal);
  }

  /** The server says what comes, before it comes and whenever it changes. */
  #announce(text) {
    if (this.#ended) return;
    const { codec } = JSON.parse(text);
    if (!codec || codec === this.#codec) return;
    this.#codec = codec;
    this.#needsKey = true;
    this.report.about({ mime: codec, hasSound: false });
    const configuration = { codec, optimizeForLatency: true };
    const refuse = () => this.#fail(`this browser does not play ${codec}`, true);
    try { this.#decoder.configure(configuration); } catch { return refuse(); }
    VideoDecoder.isConfigSupported(configuration).then(({ supported }) => { if (!supported) refuse(); }, () => {});
  }

  #take(data) {
    if (this.#ended || data.byteLength <= header) return;
    this.report.bytes(data.byteLength);
    const view = new DataView(data);
    const isKey = Boolean(view.getUint32(0, true) & keyframe);
    const number = view.getUint32(4, true);
    const missed = this.#number === undefined ? 0 : (number - this.#number - 1) >>> 0;
    // The numbers begin anew when the camera does.
    if (missed && missed < 1000) this.report.dropped(missed);
    this.#number = number;
    if (!this.#codec || (this.#needsKey && !isKey)) return;
    if (this.#decoder.decodeQueueSize > queueLimit && !isKey) {
      this.#needsKey = true;
      return this.report.dropped(1);
    }
    this.#needsKey = false;
    // Decoders want times that grow.
    const timestamp = Math.max(Number(view.getBigInt64(8, true)), this.#last + 1);
    this.#last = timestamp;
    const unit = new Uint8Array(data, header);
    this.#decoder.decode(new EncodedVideoChunk({ type: isKey ? 'key' : 'delta', timestamp, data: unit }));
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
"""###
}
