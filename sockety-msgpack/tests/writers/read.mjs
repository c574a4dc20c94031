// Prints what the MessagePack readers of JavaScript read, and what they write for it: see readers.sh.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import * as msgpackr from 'msgpackr';
import * as msgpackr1 from 'msgpackr-1';
import * as msgpack from '@msgpack/msgpack';

const require = createRequire(import.meta.url);
const msgpack5 = require('msgpack5')();
const notepack = require('notepack.io');
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;

const values = readFileSync(process.argv[2], 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split(' = '));

// A value as it is written in JavaScript.
function show(value) {
  if (typeof value === 'bigint') {
    return `${value}n`;
  }
  if (typeof value === 'number') {
    return Object.is(value, -0) ? '-0' : String(value);
  }
  if (typeof value !== 'object' || value === null) {
    return value === undefined ? 'undefined' : JSON.stringify(value);
  }
  const kind = value.constructor?.name ?? 'object';
  if (value instanceof Uint8Array) {
    return `${kind}(${Buffer.from(value).toString('hex')})`;
  }
  if (value instanceof Date) {
    return `Date(${value.toISOString()})`;
  }
  if (value instanceof Error) {
    return `${kind}(${show(value.message)}, { cause: ${show(value.cause)} })`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(show).join(', ')}]`;
  }
  if (value instanceof Map) {
    return `Map(${[...value].map(([key, it]) => `${show(key)} => ${show(it)}`).join(', ')})`;
  }
  const entries = Object.entries(value).map(([key, it]) => `${JSON.stringify(key)}: ${show(it)}`);
  return `${kind === 'Object' || kind === 'object' ? '' : kind}{${entries.join(', ')}}`;
}

function record(reader, read, write) {
  for (const [name, hex] of values) {
    let shown = 'throws';
    let written = '!';
    try {
      const value = read(Buffer.from(hex, 'hex'));
      shown = show(value);
      written = Buffer.from(write(value)).toString('hex');
    } catch {
      // The rest says so.
    }
    console.log([name, reader, shown, written].join('\t'));
  }
}

for (const [module, name] of [[msgpackr1, 'msgpackr-1'], [msgpackr, 'msgpackr']]) {
  for (const [options, settings] of [
    [{ useRecords: false }, 'useRecords: false'],
    [{ useRecords: false, int64AsType: 'auto' }, "useRecords: false, int64AsType: 'auto'"],
    [{ useRecords: false, mapsAsObjects: false }, 'useRecords: false, mapsAsObjects: false'],
  ]) {
    const packr = new module.Packr(options);
    record(`msgpackr ${version(name)} ${settings}`, (bytes) => packr.unpack(bytes), (value) => packr.pack(value));
  }
}
for (const [options, settings] of [[{}, 'defaults'], [{ useBigInt64: true }, 'useBigInt64: true']]) {
  record(
    `@msgpack/msgpack ${version('@msgpack/msgpack')} ${settings}`,
    (bytes) => msgpack.decode(bytes, options),
    (value) => msgpack.encode(value, options),
  );
}
record(`msgpack5 ${version('msgpack5')}`, (bytes) => msgpack5.decode(bytes), (value) => msgpack5.encode(value).slice());
record(`notepack.io ${version('notepack.io')}`, (bytes) => notepack.decode(bytes), (value) => notepack.encode(value));
