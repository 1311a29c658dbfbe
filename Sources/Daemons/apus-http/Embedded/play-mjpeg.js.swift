// SPDX-License-Identifier: Apache-2.0
// The page's play-mjpeg.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of play-mjpeg.js.
    static let playMjpegJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Plays motion JPEG: works everywhere, costs most.

import { MultipartReader } from './multipart.js';

/** Why this browser cannot play so; undefined if it can. */
export const refusal = () => (globalThis.ReadableStream && globalThis.createImageBitmap
  ? undefined : 'this browser cannot read a stream');

/** Plays into `surface.canvas`; tells `report` what happens. */
export class MJPEGPlayer {
  #abort = new AbortController();
  #isBusy = false;
  #next;

  constructor(url, surface, report) {
    this.url = url;
    this.surface = surface;
    this.report = report;
  }

  start() {
    this.surface.show('canvas');
    this.report.about({ mime: 'image/jpeg', hasSound: false });
    this.#read().then(() => this.#fail('the connection ended'), (error) => this.#fail(error.message));
  }

  stop() {
    this.#abort.abort();
    this.#next = undefined;
  }

  #fail(reason) {
    if (this.#abort.signal.aborted) return;
    this.stop();
    this.report.failed(reason);
  }

  async #read() {
    const response = await fetch(this.url, { cache: 'no-store', signal: this.#abort.signal });
    if (!response.ok) throw new Error((await response.text()).trim() || `the server answered ${response.status}`);
    const reader = response.body.getReader();
    const parts = new MultipartReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.report.bytes(value.length);
      for (const part of parts.add(value)) {
        if (this.#next) this.report.dropped(1);
        this.#next = part;
      }
      this.#decode();
    }
  }

  /** One picture at a time; of those that come meanwhile, the newest is next. */
  async #decode() {
    if (this.#isBusy || !this.#next) return;
    this.#isBusy = true;
    const { fields, body } = this.#next;
    this.#next = undefined;
    try {
      const picture = await createImageBitmap(new Blob([body], { type: 'image/jpeg' }));
      await new Promise((resolve) => {
        requestAnimationFrame((now) => {
          if (!this.#abort.signal.aborted) {
            this.surface.paint(picture, picture.width, picture.height);
            const seconds = Number(fields.get('x-timestamp') ?? NaN);
            this.report.frame(seconds * 1000, now);
          }
          picture.close();
          resolve();
        });
        // No frames are drawn while the tab is hidden.
        setTimeout(resolve, 1000);
      });
    } catch {
      this.report.dropped(1);
    }
    this.#isBusy = false;
    this.#decode();
  }
}
"""###
}
