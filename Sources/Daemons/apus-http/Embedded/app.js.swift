// SPDX-License-Identifier: Apache-2.0
// The page's app.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of app.js.
    static let appJS = ###"""
// The page: shows each camera as motion JPEG, its figures and its addresses.
// Text from the server only ever becomes textContent or an encoded path: a camera's name cannot become markup.

const refreshEvery = 2000;     // milliseconds between two looks at the figures
const liveAtMost = 4;          // browsers open six connections to a host; the others are shown by snapshots
const snapshotEvery = 1000;
const retryAtMost = 8000;

const $ = (selector, root = document) => root.querySelector(selector);
const copyOf = (id) => $(`#${id}`).content.firstElementChild.cloneNode(true);
const views = new Map();

class View {
  constructor(name, usesSnapshots) {
    this.name = name;
    this.path = `/${encodeURIComponent(name)}`;
    this.usesSnapshots = usesSnapshots;
    this.isPaused = false;
    this.isRunning = false;
    this.delay = 500;
    this.timer = 0;
    this.element = copyOf('camera');
    this.image = $('img', this.element);
    this.build();
  }

  build() {
    const element = this.element;
    $('h2', element).textContent = this.name;
    this.image.alt = `Live picture of ${this.name}`;
    this.image.onload = () => this.arrived();
    this.image.onerror = () => this.failed();
    const toggle = $('.toggle', element);
    toggle.onclick = () => {
      this.isPaused = !this.isPaused;
      $('use', toggle).setAttribute('href', this.isPaused ? '#play' : '#pause');
      toggle.title = this.isPaused ? 'Play' : 'Pause';
      toggle.setAttribute('aria-label', toggle.title);
      element.classList.toggle('paused', this.isPaused);
      this.isPaused ? this.stop() : this.start();
      if (this.isPaused) this.veil('Paused');
    };
    const save = $('.save', element);
    save.href = `${this.path}/snapshot.jpg`;
    save.onclick = () => {
      const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
      save.download = `${this.name}-${time}.jpg`;
    };
    const figure = $('.view', element);
    const full = () => (document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen?.());
    $('.full', element).onclick = full;
    this.image.ondblclick = full;
  }

  start() {
    if (this.isPaused || this.isRunning || document.hidden) return;
    this.isRunning = true;
    this.veil(this.image.hasAttribute('src') ? null : 'Waiting for the camera…');
    this.load();
  }

  // Without a source the browser closes the connection, and an encoder that nobody else watches goes idle.
  stop() {
    this.isRunning = false;
    clearTimeout(this.timer);
    this.image.removeAttribute('src');
  }

  // Blink paints a part when the next one's fields come: advance_headers has them sent right behind the picture.
  load() {
    const kind = this.usesSnapshots ? 'snapshot.jpg?' : 'mjpeg?advance_headers=1&';
    this.image.src = `${this.path}/${kind}t=${Date.now()}`;
  }

  arrived() {
    this.delay = 500;
    this.veil(null);
    if (this.usesSnapshots && this.isRunning) this.timer = setTimeout(() => this.load(), snapshotEvery);
  }

  failed() {
    if (!this.isRunning) return;
    this.veil('No picture. Trying again…');
    this.timer = setTimeout(() => this.load(), this.delay);
    this.delay = Math.min(this.delay * 2, retryAtMost);
  }

  veil(text) {
    const veil = $('.veil', this.element);
    veil.hidden = text === null;
    $('p', veil).textContent = text ?? '';
  }

  update(camera, rtspPort) {
    const element = this.element;
    element.classList.toggle('online', camera.online);
    element.classList.toggle('offline', !camera.online);
    if (!camera.online && !this.isPaused) this.veil('The camera is offline.');
    else if (camera.online && this.isRunning && this.image.naturalWidth) this.veil(null);
    const jpeg = camera.streams.find((stream) => stream.name === 'jpeg');
    const viewers = camera.viewers === 1 ? '1 viewer' : `${camera.viewers} viewers`;
    $('.badge', element).textContent = [rate(jpeg), viewers].filter(Boolean).join(' · ');
    if (jpeg?.width) $('.view', element).style.aspectRatio = `${jpeg.width} / ${jpeg.height}`;
    $('tbody', element).replaceChildren(...camera.streams.map(row));
    const addresses = this.addresses(camera, rtspPort);
    const key = JSON.stringify(addresses);
    if (key === this.addressKey) return;
    this.addressKey = key;
    $('.addresses', element).replaceChildren(...addresses.map(address));
  }

  addresses(camera, rtspPort) {
    const suffixes = { main: '', sub: '/sub', jpeg: '/jpeg' };
    const host = location.hostname;
    const rtsp = camera.streams.filter((stream) => rtspPort && stream.name in suffixes)
      .map((stream) => [`RTSP ${stream.name}`, `rtsp://${host}:${rtspPort}${this.path}${suffixes[stream.name]}`]);
    const http = [['MJPEG', `${location.origin}${this.path}/mjpeg`], ['Snapshot', `${location.origin}${this.path}/snapshot.jpg`]];
    return [...rtsp, ...http];
  }
}

function rate(stream) {
  return stream?.fps ? `${stream.fps.toFixed(stream.fps < 9.95 ? 1 : 0)} fps` : null;
}

function row(stream) {
  const row = document.createElement('tr');
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = stream.name;
  row.append(head);
  const texts = [stream.codec?.toUpperCase() ?? '–', stream.width ? `${stream.width} × ${stream.height}` : '–'];
  for (const text of [...texts, stream.online ? rate(stream) ?? 'idle' : 'offline']) {
    const cell = document.createElement('td');
    cell.textContent = text;
    if (text === 'idle' || text === 'offline') cell.className = 'idle';
    row.append(cell);
  }
  return row;
}

function address([label, text]) {
  const item = copyOf('address');
  $('.label', item).textContent = label;
  $('code', item).textContent = text;
  const button = $('button', item);
  button.title = 'Copy';
  button.setAttribute('aria-label', `Copy the ${label} address`);
  button.onclick = async () => {
    await copy(text, $('code', item));
    button.classList.add('copied');
    $('use', button).setAttribute('href', '#done');
    setTimeout(() => {
      button.classList.remove('copied');
      $('use', button).setAttribute('href', '#copy');
    }, 1200);
  };
  return item;
}

// The clipboard is there on secure origins only, which a camera in the local network rarely is.
async function copy(text, element) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text).catch(() => {});
  getSelection().selectAllChildren(element);
  document.execCommand('copy');
}

function duration(seconds) {
  const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24, minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

function show(state) {
  const main = $('#cameras');
  const names = state.cameras.map((camera) => camera.name);
  for (const [name, view] of views) {
    if (names.includes(name)) continue;
    view.stop();
    view.element.remove();
    views.delete(name);
  }
  state.cameras.forEach((camera, index) => {
    if (!views.has(camera.name)) {
      const view = new View(camera.name, index >= liveAtMost);
      views.set(camera.name, view);
      main.append(view.element);
      $('details', view.element).open = names.length === 1;
      view.start();
    }
    views.get(camera.name).update(camera, state.rtsp_port);
  });
  main.classList.toggle('single', names.length === 1);
  const online = state.cameras.filter((camera) => camera.online).length;
  $('#summary').textContent = names.length === 1
    ? (online ? 'Camera online' : 'Camera offline') : `${online} of ${names.length} cameras online`;
  $('#uptime').textContent = `up ${duration(state.uptime)}`;
  document.title = names.length === 1 ? `${names[0]} · Apus` : 'Apus';
}

async function refresh() {
  try {
    const response = await fetch('/api/v1/cameras', { cache: 'no-store' });
    if (!response.ok) throw new Error(response.status);
    show(await response.json());
  } catch {
    $('#summary').textContent = 'No connection to the server. Trying again…';
  }
  // The server looks at the streams only while it is asked, so its first answer does not know them yet.
  if (!document.hidden) timer = setTimeout(refresh, refreshes++ ? refreshEvery : 300);
}

const themes = ['', 'dark', 'light'];
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem('theme', theme); } catch { /* storage may be off */ }
}
try { document.documentElement.dataset.theme = localStorage.getItem('theme') ?? ''; } catch { /* storage may be off */ }
$('#theme-button').onclick = () => {
  setTheme(themes[(themes.indexOf(document.documentElement.dataset.theme) + 1) % themes.length]);
};

let timer = 0;
let refreshes = 0;
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  for (const view of views.values()) document.hidden ? view.stop() : view.start();
  if (!document.hidden) refresh();
});
addEventListener('pagehide', () => { for (const view of views.values()) view.stop(); });
refresh();
"""###
}
