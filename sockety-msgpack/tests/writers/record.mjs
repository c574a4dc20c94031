// Prints values as the MessagePack writers of JavaScript write them: see record.sh.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import * as msgpackr from 'msgpackr';
import * as msgpackr1 from 'msgpackr-1';
import * as msgpack from '@msgpack/msgpack';

const require = createRequire(import.meta.url);
const msgpack5 = require('msgpack5');
const notepack = require('notepack.io');
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;

const INTEGERS = [
  0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1,
  -1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53) + 1,
];
const BIG = [5n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, 2n ** 64n - 1n];
const HUGE = [2n ** 64n, 2n ** 127n - 1n, -(2n ** 127n), 2n ** 128n - 1n];
const FLOATS = [0.5, -0.5, 5.5, 0.1, 1e300, 5e-324, -0, NaN, Infinity, -Infinity, 1e21];
const repeat = (count, make) => Array.from({ length: count }, (_, index) => make(index));
const letters = (count) => 'a'.repeat(count);
const bytes = (count) => new Uint8Array(count).fill(255);
const entries = (count) => repeat(count, (index) => [`key${index}`, index]);
const user = { id: 7, name: 'Ada', email: null, tags: ['a', 'b'] };
class User {
  constructor() {
    Object.assign(this, user);
  }
}
const tree = (depth) => (depth === 0 ? null : { value: depth, left: tree(depth - 1), right: null });

const values = new Map([
  ['nil', null],
  ['undefined', undefined],
  ['true', true],
  ['false', false],
  ...INTEGERS.map((value) => [`int ${value}`, value]),
  ...BIG.map((value) => [`big ${value}`, value]),
  ...HUGE.map((value) => [`huge ${value}`, value]),
  ...FLOATS.map((value) => [`float ${Object.is(value, -0) ? '-0' : value}`, value]),
  ...[0, 1, 31, 32, 255, 256, 65536].map((count) => [`letters ${count}`, letters(count)]),
  ['text umlauts', 'Zoë naïve übergrößenträger'],
  ['text beyond 16 bits', '𝄞 und 🦀'],
  ['text nul', 'a\u0000b'],
  ...[0, 1, 255, 256, 65536].map((count) => [`bytes ${count}`, bytes(count)]),
  ...[0, 1, 15, 16].map((count) => [`array ${count}`, repeat(count, (index) => index)]),
  ['array of floats', [0.5, 1, 1.5, 4294967296]],
  ['array with nil', [1, null, 3]],
  ['array with undefined', [1, undefined, 3]],
  ...[0, 1, 15, 16].map((count) => [`map ${count}`, Object.fromEntries(entries(count))]),
  ['Map 3', new Map(entries(3))],
  ['Map with integer keys', new Map([[1, 'one'], [70000, 'many'], [-5, 'below']])],
  ['Map with bool keys', new Map([[true, 1], [false, 0]])],
  ['object with integer keys', { 1: 'one', 70000: 'many', '-5': 'below' }],
  ['object with bool keys', { true: 1, false: 0 }],
  ['Set', new Set([3, 1, 2])],
  ['user', user],
  ['user as class', new User()],
  ['user with undefined', { id: 7, name: 'Ada', email: undefined, tags: ['a', 'b'], extra: undefined }],
  ['user without tags', { id: 7, name: 'Ada', tags: undefined }],
  ['user with more', { ...user, age: 36, address: { city: 'London', lines: [1, 2] } }],
  ['user as array', [7, 'Ada', null, ['a', 'b']]],
  ['users', repeat(3, () => ({ ...user }))],
  ['tree', tree(10)],
  ['enum unit', 'Unit'],
  ['enum unit as map', { Unit: null }],
  ['enum newtype', { New: 5 }],
  ['enum tuple', { Tup: [1, 'x'] }],
  ['enum struct', { Struct: { a: 1, b: 'x' } }],
  ['tagged', { type: 'Struct', a: 1, b: 'x' }],
  ['tagged, tag last', { a: 1, b: 'x', type: 'Struct' }],
  ['adjacent', { t: 'Tup', c: [1, 'x'] }],
  ['adjacent, content first', { c: [1, 'x'], t: 'Tup' }],
  ['uuid as text', '0f8fad5b-d9cb-469f-a165-70867728950e'],
  ['uuid as bytes', Uint8Array.from('0f8fad5bd9cb469fa16570867728950e'.match(/../g), (it) => parseInt(it, 16))],
  ['address 4', '192.0.2.7'],
  ['address 6', '2001:db8::7'],
  ['date 0', new Date(0)],
  ['date 1.5', new Date(1500)],
  ['date -1.5', new Date(-1500)],
  ['date 1700000000', new Date(1.7e12)],
  ['date 17179869184.001', new Date(17179869184001)],
  ['date as text', new Date(1700000000123).toISOString()],
]);

function record(name, write) {
  console.log(`= ${name}`);
  for (const [value, content] of values) {
    let hex;
    try {
      hex = Buffer.from(write(content)).toString('hex');
    } catch {
      hex = '!';
    }
    console.log(`${value}: ${hex}`);
  }
}

const packr = (module, name, options, settings) => {
  const packer = new module.Packr(options);
  record(`${name} ${settings}`, (value) => packer.pack(value));
};
for (const [module, name] of [[msgpackr1, 'msgpackr-1'], [msgpackr, 'msgpackr']]) {
  const titled = `msgpackr ${version(name)}`;
  record(`${titled} pack`, (value) => module.pack(value));
  packr(module, titled, { useRecords: false }, 'useRecords: false');
  packr(module, titled, { useRecords: false, variableMapSize: true }, 'useRecords: false, variableMapSize: true');
  packr(module, titled, { useRecords: false, useFloat32: 3 }, 'useRecords: false, useFloat32: DECIMAL_ROUND');
  packr(module, titled, { useRecords: false, mapsAsObjects: true }, 'useRecords: false, mapsAsObjects: true');
  packr(module, titled, { useRecords: false, largeBigIntToString: true }, 'useRecords: false, largeBigIntToString: true');
  packr(module, titled, { useRecords: false, largeBigIntToFloat: true }, 'useRecords: false, largeBigIntToFloat: true');
  packr(module, titled, { useRecords: false, useBigIntExtension: true }, 'useRecords: false, useBigIntExtension: true');
  packr(module, titled, { useRecords: false, moreTypes: true }, 'useRecords: false, moreTypes: true');
  packr(module, titled, { useRecords: false, skipValues: [undefined] }, 'useRecords: false, skipValues: [undefined]');
  packr(module, titled, { useRecords: false, encodeUndefinedAsNil: true }, 'useRecords: false, encodeUndefinedAsNil: true');
  packr(module, titled, { structuredClone: true }, 'structuredClone: true');
  packr(module, titled, { bundleStrings: true }, 'bundleStrings: true');
  packr(module, titled, {}, 'records');
}
const titled = `@msgpack/msgpack ${version('@msgpack/msgpack')}`;
for (const options of [
  {},
  { ignoreUndefined: true },
  { forceIntegerToFloat: true },
  { forceFloat32: true },
  { useBigInt64: true },
  { sortKeys: true },
]) {
  const settings = Object.keys(options).join(', ') || 'defaults';
  record(`${titled} ${settings}`, (value) => msgpack.encode(value, options));
}
for (const options of [{}, { forceFloat64: true }, { compatibilityMode: true }, { disableTimestampEncoding: true }]) {
  const settings = Object.keys(options).join(', ') || 'defaults';
  const packer = msgpack5(options);
  record(`msgpack5 ${version('msgpack5')} ${settings}`, (value) => packer.encode(value).slice());
}
record(`notepack.io ${version('notepack.io')}`, (value) => notepack.encode(value));
