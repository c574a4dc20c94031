import assert from 'node:assert/strict';
import test from 'node:test';

import { DecodeError, Msgpack } from 'sockety-runtime';

const msgpack = new Msgpack();
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('structs are maps by name', () => {
  assert.equal(hex(msgpack.encode({ to: 7, cents: 100 })), '82a2746f07a563656e747364');
  assert.deepEqual(msgpack.decode(bytes('82 a2746f 07 a563656e7473 64')), { to: 7, cents: 100 });
});

test('undefined fields are left out, and undefined elements are read as nil by the peer', () => {
  assert.equal(hex(msgpack.encode({ a: undefined, b: null, c: 1 })), '82a162c0a16301');
  assert.equal(hex(msgpack.encode([{ a: undefined }])), '9180');
});

test('integers of every width', () => {
  const cases: [string, number | bigint][] = [
    ['7f', 127],
    ['ccff', 255],
    ['cdffff', 65_535],
    ['ceffffffff', 2 ** 32 - 1],
    ['cf0000000100000000', 2 ** 32],
    ['cf001fffffffffffff', Number.MAX_SAFE_INTEGER],
    ['cf0020000000000001', 2n ** 53n + 1n],
    ['cfffffffffffffffff', 2n ** 64n - 1n],
    ['d38000000000000000', -(2n ** 63n)],
    ['d2ffffff7f', -129],
  ];
  for (const [wire, value] of cases) assert.equal(msgpack.decode(bytes(wire)), value, wire);
});

test('a bigint is written in 64 bits, and a number as far as it fits 32', () => {
  assert.equal(hex(msgpack.encode(2n ** 64n - 1n)), 'cfffffffffffffffff');
  assert.equal(hex(msgpack.encode(2 ** 32 - 1)), 'ceffffffff');
  assert.equal(msgpack.decode(msgpack.encode(2n ** 53n)), 2 ** 53);
  assert.equal(msgpack.decode(msgpack.encode(2n ** 53n + 1n)), 2n ** 53n + 1n);
  // As a float, which a field of type u64 reads.
  assert.equal(hex(msgpack.encode(2 ** 32)), 'cb41f0000000000000');
  assert.throws(() => msgpack.encode(2n ** 64n), RangeError);
});

test('with `bigint`, integers that were written in 64 bits are always a bigint', () => {
  const always = new Msgpack(undefined, 'bigint');
  assert.equal(always.decode(bytes('cf0000000100000000')), 2n ** 32n);
  assert.equal(always.decode(bytes('07')), 7);
});

test('bytes are bin, and are copies', () => {
  const wire = bytes('c403010203');
  const value = msgpack.decode(wire) as Uint8Array;
  assert.ok(value instanceof Uint8Array);
  wire[2] = 9;
  assert.deepEqual([...value], [1, 2, 3]);
  assert.equal(hex(msgpack.encode(Uint8Array.of(1, 2, 3))), 'c403010203');
  assert.deepEqual(msgpack.decode(bytes('93010203')), [1, 2, 3]);
});

test('moments are timestamps', () => {
  const wire = msgpack.encode(new Date(0));
  assert.equal(hex(wire), 'd6ff00000000');
  assert.deepEqual(msgpack.decode(wire), new Date(0));
});

test('an error of a service has its name, text and data', () => {
  const wire = msgpack.encodeError('Insufficient', 'too little', { missing: 3 });
  assert.equal(hex(wire.subarray(0, 4)), 'd4650093');
  assert.deepEqual(msgpack.decodeError(wire), { name: 'Insufficient', message: 'too little', error: { missing: 3 } });
  assert.equal(msgpack.decodeError(msgpack.encode([1])), undefined);
});

test('an empty payload is null', () => {
  assert.equal(msgpack.decode(new Uint8Array(0)), null);
});

test('payloads that are not one value are refused before anything is allocated', () => {
  const wrong = [
    'c1', // no value
    '93 01 02', // cut
    'dd ffffffff', // an array of 4 billion values
    'df 7fffffff',
    'c6 ffffffff 00', // bin of 4 GiB
    '01 02', // two values
    'd4 65 00', // an error where none may be
    'c7 05 78 92a12ea167', // an extension of msgpackr: a regular expression
    'd4 70 00', // a reference
  ];
  for (const each of wrong) assert.throws(() => msgpack.decode(bytes(each)), DecodeError, each);
});

test('depth and values have limits', () => {
  const nested = (depth: number): Uint8Array => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.of(0xc0)]);
  assert.doesNotThrow(() => msgpack.decode(nested(128)));
  assert.throws(() => msgpack.decode(nested(129)), /nested deeper than 128/);
  const few = new Msgpack({ values: 4, depth: 8 });
  assert.doesNotThrow(() => few.decode(bytes('93 01 02 03')));
  assert.throws(() => few.decode(bytes('94 01 02 03 04')), /more than 4 values/);
});

test('no bytes make reading throw anything but a DecodeError', () => {
  let seed = 1;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  for (let round = 0; round < 20_000; round++) {
    const wire = Uint8Array.from({ length: 1 + Math.floor(random() * 20) }, () => Math.floor(random() * 256));
    try {
      msgpack.decode(wire);
    } catch (error) {
      assert.ok(error instanceof DecodeError, `${hex(wire)}: ${String(error)}`);
    }
  }
});

test('values of a stream come as soon as they are whole, however it is cut', async () => {
  const values = [1, 'text', { a: [1, 2] }, null, 2n ** 60n];
  const all = Buffer.concat(values.map((value) => msgpack.encode(value)));
  for (const piece of [1, 3, all.length]) {
    async function* cut(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < all.length; at += piece) yield all.subarray(at, at + piece);
    }
    const found: unknown[] = [];
    for await (const value of msgpack.decodeStream(cut())) found.push(value);
    assert.deepEqual(found, values);
  }
  async function* short(): AsyncGenerator<Uint8Array> {
    yield bytes('93 01');
  }
  await assert.rejects(async () => {
    for await (const value of msgpack.decodeStream(short())) assert.fail(String(value));
  }, DecodeError);
});
