// SPDX-License-Identifier: Apache-2.0
// The page's logic, without a browser: node --test Tests/Web

import assert from 'node:assert/strict';
import { test } from 'node:test';

const web = new URL('../../Sources/Daemons/apus-http/web/', import.meta.url);
const load = (name) => import(new URL(name, web));
const { ClockOffset } = await load('clock.js');
const { Choice } = await load('choice.js');
const { LiveEdge } = await load('edge.js');
const { Meter } = await load('meter.js');
const { MultipartReader } = await load('multipart.js');
const { describeEvent } = await load('events.js');
const { bitsOf } = await load('fields.js');
const { describeWarnings } = await load('format.js');
const { EventReader } = await load('sse.js');

const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));

test('the question with the shortest way tells the clocks apart', () => {
  const clock = new ClockOffset();
  clock.add(1000, 1400, 6350);
  clock.add(2000, 2010, 7005);
  clock.add(3000, 3200, 8000);

  assert.equal(clock.offset, 5000);
  assert.equal(clock.uncertainty, 5);
});

test('an answer that came before its question is left out', () => {
  const clock = new ClockOffset();
  clock.add(1000, 900, 1000);
  clock.add(1000, 1100, NaN);

  assert.equal(clock.isKnown, false);
});

test('the best transport that can be had is tried first', () => {
  const choice = new Choice((name) => (name === 'webrtc' ? 'not there' : undefined));

  assert.deepEqual(choice.next(), { name: 'mse', wait: 0 });
  assert.deepEqual(choice.tried[0], { name: 'webrtc', state: 'impossible', reason: 'not there', failures: 0, hasPlayed: false });
});

test('what never showed a picture gives way to the next at once', () => {
  const choice = new Choice((name) => (name === 'webrtc' ? 'not there' : undefined));
  choice.next();
  choice.failed('refused');

  assert.deepEqual(choice.next(), { name: 'websocket', wait: 0 });
  assert.equal(choice.tried[1].reason, 'refused');
});

test('what has shown a picture is tried three times, more slowly each time, before it gives way', () => {
  const choice = new Choice((name) => (name === 'webrtc' ? 'not there' : undefined));
  choice.next();
  choice.played();
  const waits = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    choice.failed('the connection ended');
    const next = choice.next();
    waits.push(`${next.name} ${next.wait}`);
  }

  assert.deepEqual(waits, ['mse 250', 'mse 500', 'websocket 0']);
});

test('one that is wanted by hand is tried for ever, at most every 15 seconds', () => {
  const choice = new Choice(() => undefined, 'hls');
  let next = choice.next();
  for (let attempt = 0; attempt < 12; attempt++) {
    choice.failed('refused');
    next = choice.next();
  }

  assert.deepEqual(next, { name: 'hls', wait: 15000 });
});

test('where nothing can be had, nothing is tried', () => {
  assert.equal(new Choice(() => 'no').next().name, undefined);
});

test('a codec that cannot be decoded is not tried again', () => {
  const choice = new Choice((name) => (name === 'webrtc' ? 'not there' : undefined));
  choice.next();
  choice.played();
  choice.failed('cannot decode H.265', true);

  assert.equal(choice.next().name, 'websocket');
});

test('a player behind the live edge plays faster, one far behind jumps', () => {
  const edge = new LiveEdge(0.06);

  assert.deepEqual(edge.look(0.07, 0), { rate: 1, jump: 0 });
  assert.ok(edge.look(0.3, 0).rate > 1.05);
  assert.ok(Math.abs(edge.look(4, 0).jump - 3.94) < 1e-9);
  assert.equal(edge.look(0.06, 0).rate, 1);
});

test('the cushion grows when it was too small, and shrinks again', () => {
  const edge = new LiveEdge(0.06);
  edge.ranDry();
  const grown = edge.cushion;
  edge.look(grown, 1000);

  assert.ok(grown > 0.1);
  assert.equal(edge.cushion, 0.06);
});

test('rates are those of the last two seconds', () => {
  const meter = new Meter();
  for (let frame = 0; frame <= 100; frame++) {
    meter.frame(frame * 40, 80 + frame % 3);
    meter.bytes(frame * 40, 5000);
  }
  const figures = meter.read(4000);

  assert.ok(Math.abs(figures.fps - 25) < 0.1);
  assert.ok(Math.abs(figures.bitrate - 1e6) < 5e4);
  assert.equal(figures.delay, 81);
  assert.equal(figures.frames, 101);
  assert.equal(meter.read(9000).fps, 0);
});

test('a multipart stream gives the same pictures however it is cut', () => {
  const part = (body) => `Content-Type: image/jpeg\r\nContent-Length: ${body.length}\r\nX-Timestamp: 1.5\r\n\r\n${body}`;
  const stream = bytes(`--b\r\n${part('first')}\r\n--b\r\n${part('the second')}\r\n--b\r\n`);
  for (let cut = 0; cut <= stream.length; cut++) {
    const reader = new MultipartReader();
    const parts = [...reader.add(stream.subarray(0, cut)), ...reader.add(stream.subarray(cut))];

    assert.deepEqual(parts.map((part) => String.fromCharCode(...part.body)), ['first', 'the second']);
    assert.equal(parts[1].fields.get('x-timestamp'), '1.5');
  }
});

test('what is no multipart stream is refused', () => {
  assert.throws(() => new MultipartReader().add(new Uint8Array(5000)));
  assert.throws(() => new MultipartReader().add(bytes('--b\r\nA: b\r\n\r\n')));
});

test('events are the same however they are cut', () => {
  const stream = ': hello\r\n\r\nevent: camera\r\nid: 7\r\ndata: {"camera":"yard",\r\ndata: "online":false}\r\n\r\ndata: text\n\n';
  for (let cut = 0; cut <= stream.length; cut++) {
    const reader = new EventReader();

    assert.deepEqual([...reader.add(stream.slice(0, cut)), ...reader.add(stream.slice(cut))], [
      { type: 'camera', id: '7', data: { camera: 'yard', online: false } }, { type: 'message', id: undefined, data: 'text' },
    ]);
  }
});

test('what is the matter with the machine is said in sentences', () => {
  const thermal = { steps: 2, bitrate: 0.64, fps: 1, untouched: ['cam/main'] };

  assert.deepEqual(describeWarnings({}), []);
  assert.deepEqual(describeWarnings({ warnings: [{ message: 'It is hot.' }], thermal: { steps: 0, bitrate: 1, fps: 1 } }), ['It is hot.']);
  assert.deepEqual(describeWarnings({ thermal }), [
    'Encoders are held to 64 % of the bitrate while the processor is hot; untouched, as they pass through: cam/main',
  ]);
});

test('the bits of a mask are told, beyond the 32nd too', () => {
  assert.deepEqual(bitsOf(0), []);
  assert.deepEqual(bitsOf(0x15), [0, 2, 4]);
  assert.deepEqual(bitsOf(0x80000000), [31]);
  assert.deepEqual(bitsOf(2 ** 40 + 1), [0, 40]);
});

test('a changed control is told with its value and unit', () => {
  const event = (control) => describeEvent({ type: 'control', data: { camera: 'cam', control } });

  assert.equal(event({ label: 'Bitrate', value: 800000, unit: 'bit/s' }).title, 'cam: Bitrate is 800000 bit/s');
  assert.equal(event({ label: 'Automatic', value: false, active: true }).title, 'cam: Automatic is off');
  assert.equal(event({ label: 'Mode', value: 1, choices: [{ value: 1, label: 'Night' }] }).title, 'cam: Mode is Night');
  assert.equal(event({ label: 'Focus now' }).title, 'cam: Focus now was used');
  assert.equal(event({ label: 'Focus', value: 3, active: false }).text, 'Another control decides it');
});
