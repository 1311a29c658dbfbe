// SPDX-License-Identifier: Apache-2.0
// The page's play-hls.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of play-hls.js.
    static let playHlsJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// Plays HLS where the browser does it by itself: Safari, newer Chromium, phones.

const kind = 'application/vnd.apple.mpegurl';
/** Seconds behind the newest at which to play, and from where on to jump there: the browser takes whole segments. */
const behind = 3;
const tooFar = 8;

/** Why this browser cannot play so; undefined if it can. */
export const refusal = () => (document.createElement('video').canPlayType(kind)
  ? undefined : 'this browser does not play HLS by itself');

/** Plays into `surface.video`; tells `report` what happens. */
export class HLSPlayer {
  #ended = false;
  #timer;
  #lastDropped = 0;

  constructor(url, surface, report) {
    this.url = url;
    this.surface = surface;
    this.video = surface.video;
    this.report = report;
  }

  start() {
    this.surface.show('video');
    this.report.about({ mime: kind, hasSound: true });
    const { video } = this;
    video.onerror = () => this.#fail(video.error?.message || 'the playlist could not be played');
    video.src = this.url;
    video.play().catch(() => {});
    this.#timer = setInterval(() => this.#follow(), 500);
    const shown = (now, frame) => {
      if (this.#ended) return;
      const began = video.getStartDate?.().getTime();
      this.report.frame(Number.isFinite(began) ? began + frame.mediaTime * 1000 : undefined, frame.expectedDisplayTime ?? now);
      video.requestVideoFrameCallback(shown);
    };
    video.requestVideoFrameCallback?.(shown);
  }

  stop() {
    this.#ended = true;
    clearInterval(this.#timer);
    this.video.onerror = null;
    this.video.removeAttribute('src');
    this.video.load();
  }

  #fail(reason) {
    if (this.#ended) return;
    this.stop();
    this.report.failed(reason);
  }

  #follow() {
    const { video } = this;
    // Chromium tells nothing as seekable in a live stream.
    const ranges = video.seekable.length ? video.seekable : video.buffered;
    const end = ranges.length ? ranges.end(ranges.length - 1) : 0;
    if (end - video.currentTime > tooFar) video.currentTime = end - behind;
    if (video.paused && !document.hidden) video.play().catch(() => {});
    const { droppedVideoFrames } = video.getVideoPlaybackQuality?.() ?? { droppedVideoFrames: 0 };
    if (droppedVideoFrames > this.#lastDropped) this.report.dropped(droppedVideoFrames - this.#lastDropped);
    this.#lastDropped = droppedVideoFrames;
  }
}
"""###
}
