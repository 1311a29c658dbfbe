// SPDX-License-Identifier: Apache-2.0
// The page's app.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of app.js.
    static let appJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// The page: who is there, which view is shown, what the server says of its cameras.

import { api, follow, session } from './api.js';
import { ClockOffset, measure } from './clock.js';
import { $, h, icon, iconButton, write } from './dom.js';
import { describeEvent, EventsView, toast } from './events.js';
import { GridView } from './grid.js';
import { Shortcuts } from './keys.js';
import { LiveView } from './live.js';
import { LoginView } from './login.js';
import { LogsView } from './logs.js';
import { ConfigView } from './config.js';
import { StatusView } from './status.js';

const refreshEvery = 2000;
const noConnection = 'No connection to the server. Trying again…';

/** What all views share. */
const app = {
  cameras: [],
  events: [],
  clock: new ClockOffset(),
  shortcuts: new Shortcuts(),
  user: null,
  isLoginNeeded: false,
  /** True if the server would let the user do this: view, control, configure. */
  may(permission) {
    return this.permissions?.includes(permission) ?? true;
  },
  toast,
};

const views = [
  { path: '', label: 'Cameras', icon: 'cameras', make: () => (app.cameras.length === 1 ? live(app.cameras[0].name) : new GridView(app)) },
  { path: 'status', label: 'Status', icon: 'status', needs: 'configure', make: () => new StatusView(app) },
  { path: 'events', label: 'Events', icon: 'events', make: () => new EventsView(app) },
  { path: 'logs', label: 'Logs', icon: 'logs', needs: 'configure', make: () => new LogsView(app) },
  { path: 'config', label: 'Settings', icon: 'config', needs: 'configure', make: () => new ConfigView(app) },
];
const live = (name) => new LiveView(app, name);

let view;
let shown;
let timer = 0;
let stopEvents = () => {};
let isAnswering = true;

/** Shows what the address says. */
function route(isForced = false) {
  const [path, argument] = location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  const key = app.isLoginNeeded ? 'login' : `${path}/${argument ?? ''}/${path ? '' : app.cameras.length}`;
  if (key === shown && !isForced) return;
  shown = key;
  view?.stop();
  app.shortcuts.clear();
  if (app.isLoginNeeded) view = new LoginView(app, begin);
  else if (path === 'camera' && app.cameras.some((camera) => camera.name === argument)) view = live(argument);
  else {
    const entry = views.find((entry) => entry.path === path && (!entry.needs || app.may(entry.needs))) ?? views[0];
    view = entry.make();
  }
  $('#main').replaceChildren(view.element);
  $('#main').className = view.name;
  document.title = [view.title, 'Apus'].filter(Boolean).join(' · ');
  drawNavigation(path);
  globalKeys();
  view.start();
}

function drawNavigation(path) {
  const entries = app.isLoginNeeded ? [] : views.filter((entry) => !entry.needs || app.may(entry.needs));
  const current = path === 'camera' ? '' : path;
  $('#nav').replaceChildren(...entries.map((entry) => h('a', {
    href: `#/${entry.path}`, 'aria-current': entry.path === current ? 'page' : false,
  }, icon(entry.icon), h('span', {}, entry.label))));
  const theme = iconButton('theme', 'Theme', () => app.toast({ title: themeNames[globalThis.nextTheme()] }), 'T');
  const help = iconButton('help', 'Keyboard shortcuts', () => app.shortcuts.show(), '?');
  help.classList.add('wide-only');
  const who = app.user?.name && !app.isLoginNeeded ? [
    h('span.user', { title: app.user.role }, app.user.name),
    iconButton('leave', 'Log out', async () => { await api.logout().catch(() => {}); location.reload(); }),
  ] : [];
  $('#who').replaceChildren(help, theme, ...who);
}

const themeNames = { '': 'Theme: as the system has it', dark: 'Theme: dark', light: 'Theme: light' };

function globalKeys() {
  app.shortcuts.add('?', 'Show these keys', () => app.shortcuts.show());
  app.shortcuts.add('t', 'Next theme', () => app.toast({ title: themeNames[globalThis.nextTheme()] }));
  if (app.isLoginNeeded) return;
  views.filter((entry) => !entry.needs || app.may(entry.needs)).forEach((entry, index) => {
    app.shortcuts.add(`g ${index + 1}`, `Go to ${entry.label}`, () => { location.hash = `#/${entry.path}`; });
  });
}

async function refresh() {
  clearTimeout(timer);
  try {
    const state = await api.cameras();
    app.cameras = state.cameras;
    Object.assign(app, { version: state.version, uptime: state.uptime, rtspPort: state.rtsp_port });
    isAnswering = true;
    summarize();
    route();
    view.update?.();
  } catch (error) {
    if (error.status === 401) return;
    isAnswering = false;
    summarize(error.status ? error.message : noConnection);
  }
  if (!document.hidden) timer = setTimeout(refresh, refreshEvery);
}

function summarize(problem) {
  const online = app.cameras.filter((camera) => camera.online).length;
  const count = app.cameras.length;
  const text = count === 1 ? `Camera ${online ? 'online' : 'offline'}` : `${online} of ${count} cameras online`;
  write($('#summary'), problem ?? (count ? text : 'No cameras'));
  $('#summary').className = problem ? 'bad' : online === count ? 'good' : 'warn';
}

async function begin() {
  app.isLoginNeeded = false;
  try {
    const answer = await api.session();
    if (!answer.authenticated) return session.ended();
    app.user = answer.user ? { name: answer.user, role: answer.role } : null;
    app.permissions = answer.permissions;
  } catch (error) { if (error.status !== 404) return summarizeAndRetry(error); }
  stopEvents();
  stopEvents = follow((event) => {
    // Some controls change by themselves all the time: of each, the last change is enough.
    const isSame = ({ type, data }) => type === event.type && data.camera === event.data.camera && data.control.name === event.data.control.name;
    if (event.type === 'control') app.events = app.events.filter((old) => !isSame(old));
    app.events.unshift({ ...event, at: new Date(event.data?.time ?? Date.now()) });
    app.events.length = Math.min(app.events.length, 300);
    const told = describeEvent(event);
    // What happened before the page was opened is in the list.
    if (told.isImportant && Date.now() - app.events[0].at < 10000) toast(told);
    if (/^camera|^daemon/.test(event.type)) refresh();
    view?.tell?.(event);
  });
  measureClock();
  await refresh();
}

function summarizeAndRetry(error) {
  summarize(error.status ? error.message : noConnection);
  timer = setTimeout(begin, refreshEvery);
}

async function measureClock() {
  try { await measure(app.clock, api.time); } catch { /* Without it there are no delays to show. */ }
}

session.ended = () => {
  if (app.isLoginNeeded) return;
  app.isLoginNeeded = true;
  app.user = null;
  clearTimeout(timer);
  stopEvents();
  write($('#summary'), '');
  route(true);
};

addEventListener('hashchange', () => { if (isAnswering) route(); });
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  view?.visibility?.(!document.hidden);
  if (!document.hidden && !app.isLoginNeeded) { measureClock(); refresh(); }
});
addEventListener('pagehide', () => view?.stop());
setInterval(() => { if (!document.hidden && !app.isLoginNeeded) measureClock(); }, 60000);
begin();
"""###
}
