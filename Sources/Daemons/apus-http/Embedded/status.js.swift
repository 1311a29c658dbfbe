// SPDX-License-Identifier: Apache-2.0
// The page's status.js, written by web/embed: change that file, not this one.
// swift-format-ignore-file

extension WebFile {
    /// The text of status.js.
    static let statusJS = ###"""
// SPDX-License-Identifier: Apache-2.0
// How the machine and the daemons are, and who is connected.

import { api } from './api.js';
import { h, table } from './dom.js';
import { describeWarnings, duration, size } from './format.js';
import { viewerTable } from './viewers.js';

const refreshEvery = 2000;

export class StatusView {
  name = 'status';
  title = 'Status';
  #timer = 0; #isStopped = false; #isFirst = true;

  constructor(app) {
    this.app = app;
    this.machine = h('dl.tiles-small');
    this.daemons = h('div');
    this.viewers = h('div');
    this.warnings = h('ul.warnings', { hidden: true });
    this.element = h('div', {}, h('header.bar', {}, h('h1', {}, 'Status')), this.warnings, this.machine,
      h('section.card', {}, h('h2', {}, 'Daemons'), this.daemons), h('section.card', {}, h('h2', {}, 'Viewers'), this.viewers));
  }

  start() { this.#load(); }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  visibility(isVisible) {
    clearTimeout(this.#timer);
    if (isVisible) this.#load();
  }

  async #load() {
    const part = async (question, draw, place) => {
      try {
        const answer = await question;
        // A table that is being read or has the focus is not pulled away.
        if (!this.#isStopped && !place.contains(document.activeElement)) draw(answer);
      } catch (error) {
        if (!this.#isStopped) place.replaceChildren(h('p.problem', {}, error.message));
      }
    };
    await Promise.all([
      part(api.system(), (system) => this.#drawMachine(system), this.machine),
      part(api.daemons(), ({ daemons }) => this.#drawDaemons(daemons), this.daemons),
      part(api.clients(), ({ clients }) => this.viewers.replaceChildren(
        viewerTable(this.app, clients.filter((client) => client.camera), () => this.#load())), this.viewers),
    ]);
    // Processor time is a difference: the first answer does not know it yet.
    if (!this.#isStopped && !document.hidden) this.#timer = setTimeout(() => this.#load(), this.#isFirst ? 700 : refreshEvery);
    this.#isFirst = false;
  }

  #drawMachine(system) {
    const { memory = {}, temperatures = [], disks = [], network = [], fans = [], storage = [], throttling } = system;
    const warnings = describeWarnings(system);
    this.warnings.hidden = !warnings.length;
    this.warnings.replaceChildren(...warnings.map((text) => h('li', {}, text)));
    const used = memory.total - memory.available;
    const hottest = temperatures.reduce((most, zone) => (most && most.celsius >= zone.celsius ? most : zone), undefined);
    const cores = (system.cpus ?? []).map((core) => core.usage).filter(Number.isFinite);
    const busy = cores.length > 1 && cores.length <= 16 ? `cores ${cores.map((part) => Math.round(part * 100)).join(', ')} %` : `${system.cpus?.length ?? 1} cores`;
    const sum = (key) => network.filter((one) => one.interface !== 'lo').reduce((total, one) => total + (one[key] ?? 0), 0);
    const tile = (label, value, note, part) => h('div', {}, h('dt', {}, label), h('dd', {}, value),
      part !== undefined && Number.isFinite(part) && h('dd.meter', {}, meter(label, part)), note && h('dd.note', {}, note));
    const tiles = [
      tile('Processor', Number.isFinite(system.cpu) ? `${Math.round(system.cpu * 100)} %` : '–',
        Number.isFinite(system.load) ? `load ${system.load.toFixed(2)}, ${busy}` : '', system.cpu),
      tile('Memory', size(used), `of ${size(memory.total)}`, used / memory.total),
      hottest && tile('Temperature', `${Math.round(hottest.celsius)} °C`, hottest.zone, hottest.celsius / 100),
      ...fans.map((fan) => tile('Fan', `${fan.rpm} rpm`, fan.name, fan.power ?? undefined)),
      ...disks.slice(0, 1).map((disk) => tile('Disk', `${size(disk.free)} free`, `of ${size(disk.total)}, ${disk.path}`, 1 - disk.free / disk.total)),
      ...storage.filter((device) => Number.isFinite(device.wear) || /^(SD|MMC)$/.test(device.kind)).slice(0, 1)
        .map((device) => tile('Wear', Number.isFinite(device.wear) ? `≤ ${Math.round(device.wear * 100)} %` : 'unknown',
          `${device.device}, ${size(device.lifetime_written ?? device.written)} written, ${size(device.write_rate ?? 0)}/s`, device.wear ?? undefined)),
      network.length && tile('Network', `${size(sum('send_rate'))}/s out`, `${size(sum('receive_rate'))}/s in`),
      throttling?.length && tile('Throttled', throttling.join(', ')),
      tile('Apus', this.app.version ?? '–', `up ${duration(this.app.uptime)}`),
    ];
    this.machine.replaceChildren(...tiles.filter(Boolean));
  }

  #drawDaemons(daemons) {
    const state = (daemon) => h('span.pill', { class: `pill ${daemon.state === 'running' ? 'good' : /fail|stop/.test(daemon.state) ? 'bad' : 'warn'}` }, daemon.state);
    const restart = (daemon) => (daemon.name === 'supervisor' ? '' : h('button.small', {
      type: 'button', 'aria-label': `Restart ${daemon.name}`,
      onclick: async () => {
        try { await api.restart(daemon.name); } catch (error) { this.app.toast({ title: 'Not restarted', text: error.message, kind: 'bad' }); }
        document.activeElement?.blur();
        this.#load();
      },
    }, 'Restart'));
    const why = (daemon) => (daemon.reason
      ? h('span.problem', { title: daemon.last_words?.join('\n') ?? '' }, daemon.reason, daemon.last_words?.length && h('p.note', {}, daemon.last_words.at(-1)))
      : daemon.last_end ?? '–');
    this.daemons.replaceChildren(table('Daemons', ['Daemon', 'State', 'Processor', 'Memory', 'Private', 'Up', 'Restarts', 'Last end', ''],
      daemons.map((daemon) => [
        daemon.name, state(daemon), Number.isFinite(daemon.cpu) ? `${(daemon.cpu * 100).toFixed(1)} %` : '–',
        size(daemon.memory?.pss ?? daemon.memory?.resident), size(daemon.memory?.private), duration(daemon.uptime),
        String(daemon.restarts ?? 0), why(daemon), restart(daemon),
      ])));
  }
}

function meter(label, part) {
  const element = h('progress', { max: 1, value: Math.min(1, Math.max(0, part)), 'aria-label': label });
  element.className = part > 0.9 ? 'bad' : part > 0.75 ? 'warn' : '';
  return element;
}
"""###
}
