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
const { describe: look, units } = await load('annexb.js');
const { captureTime, find, runs, tracks } = await load('fmp4.js');

const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const box = (type, ...content) => {
  const inside = content.flatMap((part) => [...part]);
  const size = inside.length + 8;
  return [size >>> 24, size >> 16 & 255, size >> 8 & 255, size & 255, ...bytes(type), ...inside];
};
const word = (value) => [value >>> 24, value >> 16 & 255, value >> 8 & 255, value & 255];
const view = (...boxes) => new DataView(Uint8Array.from(boxes.flat()).buffer);

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

test('units are found behind start codes of both lengths', () => {
  const data = [0, 0, 0, 1, 0x67, 0x64, 0, 0x1f, 0, 0, 1, 0x68, 9, 0, 0, 0, 1, 0x65, 7];

  assert.deepEqual([...units(data)], [[4, 8], [11, 13], [17, 19]]);
  assert.deepEqual(look(Uint8Array.from(data)), { isKey: true, codec: 'avc1.64001f' });
  assert.deepEqual(look(Uint8Array.from([0, 0, 1, 0x41, 1])), { isKey: false, codec: undefined });
});

test('the name of an H.265 stream comes out of its SPS', () => {
  const sps = [0x42, 1, 1, 1, 0x60, 0, 0, 3, 0, 0x90, 0, 0, 3, 0, 0, 3, 0, 0x5d, 0xa0];
  const unit = Uint8Array.from([0, 0, 0, 1, ...sps, 0, 0, 1, 0x26, 1]);

  assert.deepEqual(look(unit, 'h265'), { isKey: true, codec: 'hev1.1.6.L93.90' });
});

test('tracks and their time scales are read from an initialisation segment', () => {
  const head = [0, 0, 0, 0];
  const track = box('trak',
    box('tkhd', head, word(0), word(0), word(7)),
    box('mdia', box('mdhd', head, word(0), word(0), word(90000)), box('hdlr', head, word(0), bytes('vide'))));

  assert.deepEqual(tracks(view(box('ftyp', bytes('iso6')), box('moov', track))), [{ id: 7, timescale: 90000, kind: 'vide' }]);
});

test('a fragment tells when it was captured', () => {
  const prft = box('prft', [1, 0, 0, 24], word(1), word(2208988800 + 1000), word(2 ** 31), word(0), word(180000));
  const moof = box('moof', box('traf',
    box('tfhd', word(0), word(1)), box('tfdt', [1, 0, 0, 0], word(0), word(180000)), box('trun', word(0), word(1))));
  const fragment = view(prft, moof);

  assert.deepEqual(captureTime(fragment), { track: 1, utc: 1000500, mediaTime: 180000 });
  assert.deepEqual(runs(fragment), [{ track: 1, decodeTime: 180000, samples: 1 }]);
});

test('boxes that reach beyond the end are not looked into', () => {
  for (let length = 0; length < 16; length++) {
    const whole = Uint8Array.from(box('moov', box('trak')));
    const cut = new DataView(whole.buffer, 0, length);

    assert.equal(find(cut, 'moov/trak'), undefined);
  }
});
