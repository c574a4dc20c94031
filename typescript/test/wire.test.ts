import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { Chunks } from '#dist/chunks.js';
import { Decoder } from '#dist/decoder.js';
import { Encoder } from '#dist/encoder.js';
import { ProtocolError } from '#dist/errors.js';
import { Id, Ids } from '#dist/ids.js';
import { limitsWith } from '#dist/limits.js';
import { writeFlow, decodeFlow, type FlowEntry } from '#dist/extension/flow.js';
import { MetadataReader, MetadataWriter } from '#dist/extension/metadata.js';
import { DEFAULT_SETTINGS, decodeSettings, encodeSettings, settingsOf } from '#dist/extension/settings.js';
import { Receiving } from '#dist/extension/receiving.js';
import { Sending } from '#dist/extension/sending.js';
import { Names } from '#dist/names.js';
import { Outgoing, Sender } from '#dist/outgoing.js';
import { PendingTable } from '#dist/pending.js';
import { LatePlaces } from '#dist/places.js';
import type { Pending } from '#dist/request.js';
import type { Head, Sink } from '#dist/sink.js';
import { EMPTY } from '#dist/wire.js';
import { type Handlers, fastReply } from 'sockety-runtime';

import { content, pair, raw, until } from './support.js';


/** Says what was decoded, without where content was cut. */
class Listener implements Sink<string> {
  readonly lines: string[] = [];

  private content(key: string, bytes: Uint8Array): void {
    const last = this.lines.at(-1);
    const text = Buffer.from(bytes).toString('hex');
    if (last?.startsWith(`${key} `) === true) this.lines[this.lines.length - 1] = last + text;
    else this.lines.push(`${key} ${text}`);
  }

  onHeader(channels: number, isExtended: boolean): void {
    this.lines.push(`header ${channels} ${isExtended}`);
  }
  onWhole(head: Head, payload: Uint8Array): void {
    const target = this.onHead(head);
    if (payload.length > 0) this.onData(target, payload);
    this.onEnd(target);
  }
  onHead(head: Head): string {
    this.lines.push(`head ${JSON.stringify({ ...head, parent: String(head.parent), id: String(head.id) })}`);
    return `${head.number}`;
  }
  onFileHeader(target: string, index: number, size: number, name: string): void {
    this.lines.push(`file header ${target} ${index} ${size} ${name}`);
  }
  onData(target: string, bytes: Uint8Array): void {
    this.content(`data ${target}`, bytes);
  }
  onStream(target: string, bytes: Uint8Array): void {
    this.content(`stream ${target}`, bytes);
  }
  onStreamEnd(target: string): void {
    this.lines.push(`stream end ${target}`);
  }
  onFile(target: string, index: number, bytes: Uint8Array): void {
    this.content(`file ${target} ${index}`, bytes);
  }
  onFileEnd(target: string, index: number, missing: number): void {
    this.lines.push(`file end ${target} ${index} ${missing}`);
  }
  onEnd(target: string): void {
    this.lines.push(`end ${target}`);
  }
  onAbort(target: string): void {
    this.lines.push(`abort ${target}`);
  }
  onRefused(_: unknown, error: Error): void {
    this.lines.push(`refused ${error.message}`);
  }
  onDropped(): void {}
  onFastReply(id: Id, code: number): void {
    this.lines.push(`reply ${id} ${code}`);
  }
  onHeartbeat(): void {
    this.lines.push('heartbeat');
  }
  onGoAway(): void {
    this.lines.push('go away');
  }
  onUseless(): void {}
  onSettings(): void {
    this.lines.push('settings');
  }
  onMetadata(): void {}
  onFlow(): void {}
  onCancel(): void {}
  onLeave(): void {}
  onDone(): void {}
  onPing(): void {}
  onPong(): void {}
  onStatus(): void {}
}

/** 16 times the same character. */
function idOf(character: string): Id {
  return Id.read(Buffer.alloc(16, character), 0);
}

const WIDE = limitsWith({ channels: 4096, actionBytes: 65_535, headerBytes: 2 ** 31, payload: 2 ** 40, fileNameBytes: 65_535, files: 0xff_ffff });

function decode(bytes: Buffer, piece: number): string[] {
  const listener = new Listener();
  const decoder = new Decoder(listener, WIDE, false);
  for (let at = 0; at < bytes.length; at += piece) decoder.push(bytes.subarray(at, at + piece));
  return listener.lines;
}

interface Transcript {
  name: string;
  bytes_hex?: string;
  uuids: { id?: string }[];
  packets: { t: string }[];
}

test('recorded transcripts mean the same however they are cut', () => {
  const path = new URL('../../../tests/vectors/reference-transcripts.json', import.meta.url);
  const all = JSON.parse(readFileSync(path, 'utf8')) as Transcript[];
  let read = 0;
  for (const { name, bytes_hex: hex, packets } of all) {
    // Of long ones, some packets are left out of the list.
    if (hex === undefined || hex.length > 8192 || packets.some(({ t }) => t === '...')) continue;
    const bytes = Buffer.from(hex, 'hex');
    const whole = decode(bytes, bytes.length);
    for (const piece of [1, 2, 3, 7, 16]) assert.deepEqual(decode(bytes, piece), whole, name);
    const heads = whole.filter((line) => line.startsWith('head ')).length;
    const begun = packets.filter(({ t }) => /^(message|response)$/i.test(t)).length;
    assert.equal(heads, begun, name);
    read++;
  }
  assert.ok(read > 50, `${read} transcripts`);
});

test('what is encoded is decoded', () => {
  const encoder = new Encoder();
  const id = idOf('i');
  encoder.connectionHeader(300, false);
  const head = { parent: undefined, id, action: 'x'.repeat(300), expectsReply: true, hasStream: true, payloadSize: 70_000, files: [] };
  encoder.switchTo(300 - 1);
  assert.equal(encoder.head(head), 0);
  encoder.data(new Uint8Array(70_000).fill(1));
  encoder.stream(2);
  encoder.content(Uint8Array.of(2, 3));
  encoder.streamEnd();
  encoder.switchTo(3);
  const files = [{ name: 'ä', size: 0 }, { name: 'n'.repeat(300), size: 2 ** 40 }];
  assert.equal(encoder.head({ ...head, parent: idOf('p'), action: '', hasStream: false, payloadSize: 0, files }), 1);
  encoder.fileEnd(0);
  encoder.file(1, 1);
  encoder.content(Uint8Array.of(9));
  encoder.fastReply(id, 4095);
  encoder.fastReply(id, 15);
  const size = encoder.queued;
  const bytes = Buffer.concat(encoder.take());
  assert.equal(bytes.length, size);
  assert.equal(encoder.position, size);
  const lines = decode(bytes, bytes.length);
  assert.deepEqual(decode(bytes, 1), lines);
  assert.equal(lines[0], 'header 300 false');
  assert.ok(lines[1].includes(`"action":"${'x'.repeat(300)}"`) && lines[1].includes('"channel":299'));
  assert.deepEqual(lines.slice(3, 6), ['stream 0 0203', 'stream end 0', 'end 0']);
  assert.equal(lines[7], 'file header 1 0 0 ä');
  assert.equal(lines[8], `file header 1 1 ${2 ** 40} ${'n'.repeat(300)}`);
  assert.deepEqual(lines.slice(9, 11), ['file end 1 0 0', 'file 1 1 09']);
  assert.deepEqual(lines.slice(11), [`reply ${'69'.repeat(16)} 4095`, `reply ${'69'.repeat(16)} 15`]);
});

test('no bytes make a decoder throw anything but a ProtocolError', () => {
  let seed = 7;
  const random = (most: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % most;
  };
  for (let round = 0; round < 5000; round++) {
    const isOffering = round % 2 === 0;
    const listener = new Listener();
    const decoder = new Decoder(listener, limitsWith(), isOffering);
    const begin = isOffering ? [0xe2, 0xee, 0, 0xf0, 1, 0] : [0xe1, 10];
    const bytes = Buffer.from([...begin, ...Array.from({ length: 200 }, () => (random(3) === 0 ? random(256) : random(8) * 16))]);
    try {
      for (let at = 0; at < bytes.length; at += 13) decoder.push(bytes.subarray(at, at + 13));
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
    }
  }
});

test('settings, flow entries and metadata survive their encoding', () => {
  const settings = { ...settingsOf(limitsWith({ payload: 1, channels: 4096 }), 0, 30_000) };
  assert.deepEqual(decodeSettings(encodeSettings(settings).subarray(1)), settings);
  const entries: FlowEntry[] = [
    { kind: 'part', number: 1, part: -1, limit: 70_000, isLifeline: true },
    { kind: 'part', number: 2 ** 32 - 1, part: 300, limit: 2 ** 40, isLifeline: false },
    { kind: 'files-below', number: 4, index: 70_000 },
    { kind: 'connection', limit: 2 ** 24 },
    { kind: 'stop', number: 5, part: undefined },
    { kind: 'stop', number: 6, part: 7 },
    { kind: 'stop', number: 6, part: -1 },
  ];
  const bytes = new Uint8Array(200);
  let at = 0;
  for (const entry of entries) at = writeFlow(bytes, at, entry);
  assert.deepEqual(decodeFlow(bytes.subarray(0, at)), entries);
  const [writer, reader] = [new MetadataWriter(), new MetadataReader()];
  for (let round = 0; round < 100; round++) {
    const value = { value: new Uint8Array(round * 5).fill(round), isSecret: round % 2 === 0 };
    const metadata = { attempt: 3, retryAfter: null, entries: new Map([[`name${round % 70}`, value], ['baggage', value]]) };
    const content = writer.encode(metadata, 1500, 65_536);
    assert.ok(content instanceof Uint8Array);
    assert.deepEqual(reader.decode(Buffer.from(content)), { ...metadata, deadline: 1500 });
  }
});

test('credit of both sides fits: everything arrives, whatever the readers do', () => {
  let seed = 3;
  const random = (most: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * most);
  };
  for (let round = 0; round < 200; round++) {
    const [window, connection] = [4096 + random(20_000), 16_384 + random(40_000)];
    const messageMax = random(4) * window;
    const [sending, receiving] = [new Sending(), new Receiving({ message: window, messageMax, connection })];
    sending.open(window, connection);
    const messages = Array.from({ length: 1 + random(6) }, (_, number) => {
      const files = random(5);
      const sizes = Array.from({ length: files }, () => random(40_000));
      const parts = [...sizes.map((size, part) => ({ part, size })), { part: -1, size: random(80_000) }];
      sending.begin(number, true, files);
      receiving.begin(number, true, files, sizes.reduce((sum, size) => sum + size, 0));
      return { number, parts: parts.map((each) => ({ ...each, sent: 0, read: 0, ended: false })) };
    });
    let entries = 0;
    for (let turn = 0; ; turn++) {
      assert.ok(turn < 100_000, `round ${round} does not end`);
      const open = messages.filter(({ parts }) => parts.some(({ read, size, ended }) => read < size || !ended));
      if (open.length === 0) break;
      const { number, parts } = open[random(open.length)];
      // Parts are read one after another, and the stream before the files: the worst order.
      const reading = [...parts].reverse().find(({ read, size, ended }) => read < size || !ended);
      for (const each of parts) {
        const credit = Math.min(sending.credit(number, each.part), each.size - each.sent, 1 + random(9000));
        if (credit > 0) {
          each.sent += credit;
          sending.sent(number, each.part, credit);
          assert.ok(receiving.received(number, each.part, credit));
        }
        if (each.sent === each.size && !each.ended) {
          each.ended = true;
          sending.end(number, each.part);
          receiving.end(number, each.part);
        }
      }
      if (reading !== undefined) {
        const bytes = Math.min(reading.sent - reading.read, 1 + random(9000));
        if (bytes > 0) {
          reading.read += bytes;
          receiving.taken(number, reading.part, bytes);
        } else if (!reading.ended) {
          receiving.waits(number, reading.part);
        }
      }
      for (const entry of receiving.due(random(3) > 0)) {
        entries++;
        if (entry.kind === 'connection') sending.connection(entry.limit);
        else if (entry.kind === 'files-below') sending.release(entry.number, entry.index);
        else if (entry.kind === 'part') sending.grow(entry.number, entry.part, entry.limit, entry.isLifeline);
        else assert.fail('nothing is stopped');
      }
    }
    const bytes = messages.flatMap(({ parts }) => parts).reduce((sum, { size }) => sum + size, 0);
    const ended = messages.reduce((sum, { parts }) => sum + parts.length, 0);
    // ext.credit.budget
    assert.ok(entries <= 1024 + bytes / 1024 + ended, `${entries} entries for ${bytes} bytes`);
  }
});

/** Sends and reads a file of a message for as many turns, in each of which all arrives that may be sent. Returns the bytes of each turn. */
function turns(count: number, messageMax: number, isRead: (turn: number) => boolean, connection = 8 * 1024 * 1024): number[] {
  const window = 64 * 1024;
  const [sending, receiving] = [new Sending(), new Receiving({ message: window, messageMax, connection })];
  sending.open(window, connection);
  sending.begin(0, false, 1);
  receiving.begin(0, false, 1, 2 ** 40);
  receiving.waits(0, 0);
  let unread = 0;
  return Array.from({ length: count }, (_, turn) => {
    const bytes = sending.credit(0, 0);
    sending.sent(0, 0, bytes);
    if (bytes > 0) receiving.received(0, 0, bytes);
    unread += bytes;
    if (isRead(turn)) {
      receiving.taken(0, 0, unread);
      receiving.waits(0, 0);
      unread = 0;
    }
    for (const entry of receiving.due(true)) {
      if (entry.kind === 'connection') sending.connection(entry.limit);
      else if (entry.kind === 'part') sending.grow(0, 0, entry.limit, entry.isLifeline);
      else assert.fail(entry.kind);
    }
    return bytes;
  });
}

test('the window of a message grows while its reader waits for credit, and shrinks when it is slow', () => {
  const max = 512 * 1024;
  const grown = turns(40, max, () => true);
  assert.equal(grown[0], 64 * 1024);
  assert.ok(Math.max(...grown) > 128 * 1024, String(grown));
  assert.ok(Math.max(...grown) <= max, String(grown));
  // A reader that waits may always get 4,096 bytes.
  assert.ok(Math.max(...turns(40, 0, () => true)) <= 64 * 1024 + 4096);
  // With little room on the connection, it does not grow beyond that.
  assert.ok(Math.max(...turns(40, max, () => true, 128 * 1024)) <= 128 * 1024);
  // A reader that takes something only now and then has no more unread than the window that it has grown to.
  let unread = 0;
  turns(200, max, (turn) => turn < 20 || turn % 10 === 0).forEach((bytes, turn) => {
    unread = turn <= 20 || turn % 10 === 1 ? bytes : unread + bytes;
    assert.ok(unread <= max, `${unread} bytes are unread in turn ${turn}`);
  });
});

test('a response that is not read is given up only when much waits for credit', () => {
  const sender = new Sender(() => undefined);
  sender.start(16, true);
  sender.onSettings({ ...DEFAULT_SETTINGS, messageWindow: 4096 });
  const files = [{ name: 'f', size: 5_000_000, content: new Uint8Array(5_000_000) }];
  const response = (): Outgoing => {
    const outgoing = new Outgoing(idOf('p'), idOf('i'), '', false, EMPTY, EMPTY, files, undefined, undefined, undefined);
    sender.submit(outgoing);
    for (let turn = 0; turn < 5; turn++) sender.pump();
    return outgoing;
  };
  const first = response();
  assert.equal(sender.stalled(1000), undefined);
  assert.equal(sender.stalled(1_000_000), undefined);
  const second = response();
  assert.equal(sender.stalled(1_000_000), first);
  // It has moved.
  sender.credit.grow(first.number, 0, 10_000, false);
  sender.grant(first.number);
  sender.pump();
  assert.equal(sender.stalled(1_001_000), undefined);
  assert.equal(sender.stalled(1_060_500), second);
  sender.abort(second, new Error('given up'), 3845);
  assert.equal(sender.stalled(2_000_000), undefined);
});

test('places of requests that were ended early become free at a bounded rate', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let [free, now] = [0, 0];
  const places = new LatePlaces(
    (count) => (free += count),
    () => now,
  );
  for (let place = 0; place < 5000; place++) places.leave();
  assert.equal(free, 1024);
  now += 10;
  t.mock.timers.tick(10);
  assert.equal(free, 1024 + 10);
  now += 60_000;
  t.mock.timers.tick(10);
  assert.equal(free, 1024 + 10 + 1024);
  // Nothing is free out of turn while others are held.
  places.leave();
  assert.equal(free, 1024 + 10 + 1024);
  places.end();
  assert.equal(free, 5001);
});

test('a request that comes byte by byte is answered', async (t) => {
  const handlers: Handlers = { echo: (message) => message.data() };
  const { server } = await pair(t, { handlers });
  const peer = await raw(server.port);
  const encoder = new Encoder();
  encoder.connectionHeader(2, false);
  const head = { parent: undefined, id: idOf('i'), action: 'echo', expectsReply: true, hasStream: false, payloadSize: 3, files: [] };
  encoder.head(head);
  encoder.data(Uint8Array.of(0xa2, 0x68, 0x69));
  for (const byte of Buffer.concat(encoder.take())) {
    peer.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  // Its header, which offers the extension; a response of 34 bytes with its packet's head; the payload.
  const answer = await peer.read(3 + 2 + 34 + 2 + 3);
  assert.equal(answer[3] >> 4, 5);
  assert.equal(answer.subarray(-3).toString('latin1'), '\xa2hi');
  peer.socket.destroy();
});

test('a deadline counts from its arrival, also with the first bytes of the peer', async (t) => {
  const { server } = await pair(t, { handlers: { ping: ({ timeLeft = 0 }) => fastReply(timeLeft > 0 ? 7 : 8) } });
  const peer = await raw(server.port);
  const encoder = new Encoder();
  encoder.connectionHeader(238, true);
  encoder.control(Uint8Array.of(0));
  // 200 ms: this process has run for longer.
  encoder.metadata(Uint8Array.of(0, 200));
  const head = { parent: undefined, id: idOf('i'), action: 'ping', expectsReply: true, hasStream: false, payloadSize: 0, files: [] };
  encoder.head(head);
  peer.write(Buffer.concat(encoder.take()));
  // The header and the settings of the server, and the code.
  const answer = await peer.read(13 + 17);
  assert.equal(answer.subarray(13).toString('hex'), `37${'69'.repeat(16)}`);
  peer.socket.destroy();
});

test('a peer that sends useless packets is disconnected, and the reason says which rule', async (t) => {
  const { server } = await pair(t, { handlers: {} });
  const peer = await raw(server.port);
  await until(() => server.connections.size === 2, 'the connection is there');
  const connection = [...server.connections][1];
  peer.write(0xe1, 16, new Uint8Array(5000).fill(0xa0));
  const reason = await connection.closed;
  assert.ok(reason.kind === 'limit' && reason.error.rule === 'limits.abuse', reason.kind);
});

test('a peer that reads none of its answers is not read any more', async (t) => {
  let count = 0;
  const handlers: Handlers = {
    ping: () => {
      count++;
    },
  };
  const { server } = await pair(t, { handlers });
  const peer = await raw(server.port);
  peer.socket.pause();
  const encoder = new Encoder();
  encoder.connectionHeader(2, false);
  const head = { parent: undefined, id: idOf('i'), action: 'ping', expectsReply: true, hasStream: false, payloadSize: 0, files: [] };
  encoder.head(head);
  const bytes = Buffer.concat(encoder.take());
  peer.write(bytes);
  const pings = Buffer.concat(Array.from({ length: 10_000 }, () => bytes.subarray(2)));
  const total = 400 * 10_000;
  for (let place = 0; place < 400; place++) peer.write(pings);
  let before = -1;
  while (before !== count) {
    before = count;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  // Their answers fill the buffers of the sockets, and a little more.
  assert.ok(count > 0 && count < total / 2, `${count} of ${total} were executed`);
  peer.socket.destroy();
});

test('requests whose ids begin with the same bits are told apart', () => {
  const table = new PendingTable();
  const ids = [1, 2, 3].map((d) => new Id(7, 0, 0, d));
  const all = ids.map((id) => ({ id, sibling: undefined }) as unknown as Pending);
  for (const each of all) table.add(each);
  assert.equal(table.size, 3);
  ids.forEach(({ d }, place) => assert.equal(table.get(new Id(7, 0, 0, d)), all[place]));
  assert.equal(table.get(new Id(7, 0, 0, 4)), undefined);
  assert.ok(table.delete(all[1]));
  assert.ok(!table.delete(all[1]));
  assert.deepEqual(new Set(table.values()), new Set([all[0], all[2]]));
  for (const each of table.values()) assert.ok(table.delete(each));
  assert.equal(table.size, 0);
});

test('ids are random UUIDs of version 4', () => {
  const ids = new Ids();
  const all = new Set(Array.from({ length: 1000 }, () => String(ids.next())));
  assert.equal(all.size, 1000);
  for (const id of all) assert.match(id, /^.{12}4.{3}[89ab].{15}$/);
});

test('names are found by their bytes', () => {
  const known = ['', 'a', 'bank.transfer', 'ä', 'x'.repeat(100)];
  const names = new Names(known);
  for (const name of known) {
    const bytes = Buffer.from(`..${name}..`);
    const found = names.find(bytes, 2, bytes.length - 4);
    assert.equal(found, name.length > 64 ? undefined : name);
  }
  assert.equal(names.find(Buffer.from('b'), 0, 1), undefined);
});

test('chunks keep no memory of what was read with them', () => {
  const read = Buffer.allocUnsafeSlow(64 * 1024);
  for (const size of [1, 1023, 1024, 30_000, 40_000]) {
    const chunks = new Chunks();
    chunks.push(read.subarray(7, 7 + size));
    chunks.push(read.subarray(100, 100 + size));
    for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) {
      assert.equal(chunk.length, size);
      assert.ok(chunk.buffer.byteLength <= 2 * size, `${chunk.buffer.byteLength} bytes for ${size}`);
    }
  }
});

test('small chunks are joined, and come in their order', () => {
  const chunks = new Chunks();
  const sizes = [1, 1, 2000, 1, 1023, 1, 5000, 0, 7, 9000, 1];
  let at = 0;
  for (let round = 0; round < 50; round++) {
    for (const size of sizes) {
      chunks.push(content(size, at));
      at += size;
    }
  }
  for (let place = 0; place < 20_000; place++) chunks.push(content(1, at++));
  const found: Uint8Array[] = [];
  for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) found.push(chunk);
  const all = Buffer.concat(found);
  assert.equal(all.length, at);
  for (let place = 0; place < at; place += 100_000) {
    assert.equal(Buffer.compare(all.subarray(place, place + 100_000), content(Math.min(100_000, at - place), place)), 0);
  }
  // Single bytes are no chunks of their own.
  assert.ok(found.length < 600, `${found.length} chunks`);
  assert.ok(found.reduce((sum, { buffer }) => sum + (buffer.byteLength > 4_000_000 ? 0 : buffer.byteLength), 0) < 2 * at);
});
