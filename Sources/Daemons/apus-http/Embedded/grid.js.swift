// SPDX-License-Identifier: Apache-2.0
// The page's grid.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of grid.js.
    static let gridJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// All cameras as small pictures that cost little: a JPEG a second, and none while nobody sees it.

import { h, write } from './dom.js';
import { rate } from './format.js';

const refreshEvery = 1000;
const retryAtMost = 10000;
const width = 640;

export class GridView {
  name = 'grid';
  title = 'Cameras';
  #tiles = new Map();

  constructor(app) {
    this.app = app;
    this.list = h('ul.tiles', { 'aria-label': 'Cameras' });
    this.empty = h('p.empty');
    this.element = h('div', {}, this.empty, this.list);
    this.watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) entry.target.tile.setVisible(entry.isIntersecting);
    }, { rootMargin: '50px' });
  }

  start() {
    this.update();
    this.app.cameras.slice(0, 9).forEach((camera, index) => {
      this.app.shortcuts.add(String(index + 1), `Open ${camera.name}`, () => { location.hash = `#/camera/${encodeURIComponent(camera.name)}`; });
    });
  }

  stop() {
    this.watcher.disconnect();
    for (const tile of this.#tiles.values()) tile.stop();
  }

  visibility(isVisible) {
    for (const tile of this.#tiles.values()) tile.setPageVisible(isVisible);
  }

  update() {
    const names = new Set(this.app.cameras.map((camera) => camera.name));
    for (const [name, tile] of this.#tiles) {
      if (names.has(name)) continue;
      tile.stop();
      tile.element.remove();
      this.#tiles.delete(name);
    }
    for (const camera of this.app.cameras) {
      if (!this.#tiles.has(camera.name)) {
        const tile = new Tile(camera.name);
        this.#tiles.set(camera.name, tile);
        this.list.append(tile.element);
        this.watcher.observe(tile.element);
      }
      this.#tiles.get(camera.name).update(camera);
    }
    write(this.empty, names.size ? '' : 'No cameras are configured.');
  }
}

/** One camera of the grid. */
class Tile {
  #isVisible = false; #isPageVisible = !document.hidden; #timer = 0; #isLoading = false; #delay = refreshEvery;

  constructor(name) {
    this.name = name;
    this.image = h('img', { alt: '', decoding: 'async', width: 16, height: 9 });
    this.image.onload = () => this.#arrived();
    this.image.onerror = () => this.#failed();
    this.state = h('p.veil', {}, 'Waiting for a picture…');
    this.dot = h('span.dot');
    this.note = h('span.note');
    const label = h('strong', {}, name);
    this.element = h('li', {}, h('a.tile', { href: `#/camera/${encodeURIComponent(name)}` },
      h('span.picture', {}, this.image, this.state), h('span.caption', {}, this.dot, label, this.note)));
    this.element.tile = this;
  }

  setVisible(isVisible) { this.#isVisible = isVisible; this.#run(); }

  setPageVisible(isVisible) { this.#isPageVisible = isVisible; this.#run(); }

  stop() {
    this.#isVisible = false;
    clearTimeout(this.#timer);
  }

  update(camera) {
    this.camera = camera;
    const main = camera.streams.find((stream) => stream.name === 'main') ?? camera.streams[0];
    if (main?.width) this.element.style.setProperty('--ratio', `${main.width} / ${main.height}`);
    this.dot.className = `dot ${camera.online ? 'good' : 'bad'}`;
    const viewers = camera.viewers === 1 ? '1 viewer' : `${camera.viewers ?? 0} viewers`;
    const size = main?.height ? `${main.width} × ${main.height}` : undefined;
    write(this.note, [size, main?.fps ? rate(main.fps) : undefined, viewers].filter(Boolean).join(' · '));
    const reason = camera.reason ? `: ${camera.reason}` : '';
    if (!camera.online) this.#veil(`Offline${reason}`);
    else if (this.image.naturalWidth) this.#veil('');
    this.image.alt = `Picture of ${camera.name}${camera.online ? '' : ', offline'}`;
  }

  #veil(text) {
    write(this.state, text);
    this.state.hidden = !text;
  }

  #run() {
    clearTimeout(this.#timer);
    if (this.#isVisible && this.#isPageVisible && !this.#isLoading) this.#load();
  }

  #load() {
    this.#isLoading = true;
    this.image.src = `/${encodeURIComponent(this.name)}/snapshot.jpg?width=${width}&t=${Date.now()}`;
  }

  #arrived() {
    this.#isLoading = false;
    this.#delay = refreshEvery;
    if (this.camera?.online !== false) this.#veil('');
    this.#later();
  }

  #failed() {
    this.#isLoading = false;
    this.#delay = Math.min(this.#delay * 2, retryAtMost);
    if (this.camera?.online) this.#veil('No picture yet. Trying again…');
    this.#later();
  }

  #later() {
    clearTimeout(this.#timer);
    if (this.#isVisible && this.#isPageVisible) this.#timer = setTimeout(() => this.#load(), this.#delay);
  }
}
"""###
}
