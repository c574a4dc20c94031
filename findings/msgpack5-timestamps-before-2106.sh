#!/usr/bin/env bash
# msgpack5 6.1.0 writes dates of the last minutes before 2106-02-07T06:28:16Z as dates of 2242, and those of one second of
# 2514 as dates of 1970.
#
# The 64-bit form of a MessagePack timestamp has nanoseconds in its upper 30 bits and seconds in its lower 34.
# Expected: each date is read back as it was. Seen: the upper word of the form is computed as a sum of floats, so that
# near a multiple of 2^32 seconds (2106, 2242, 2378) the fraction is rounded up, and 2^32 seconds, 136 years, are added: with half a
# second of milliseconds in the last 512 seconds. And 2^34 seconds, which need 35 bits, are still written in this form:
# the second of 2514-05-30T01:53:04Z becomes the first of 1970. msgpackr reads both in the same way, and writes the
# right forms. Nothing is raised.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save msgpack5@6.1.0 msgpackr@2.1.4 >/dev/null
node --version
cat >run.cjs <<'JS'
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const msgpack5 = require('msgpack5')();
const msgpackr = require('msgpackr');
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
console.log(`msgpack5 ${version('msgpack5')}, msgpackr ${version('msgpackr')}`);
// The date, how msgpack5 writes it, and what is read from that.
const rows = [
  ['2106-02-07T06:18:15.500Z', 'd7ff77359400fffffda7', '2106-02-07T06:18:15.500Z'],
  ['2106-02-07T06:28:15.500Z', 'd7ff77359401ffffffff', '2242-03-16T12:56:31.500Z'],
  ['2106-02-07T06:28:16.500Z', 'd7ff7735940100000000', '2106-02-07T06:28:16.500Z'],
  ['2514-05-30T01:53:04.500Z', 'd7ff7735940400000000', '1970-01-01T00:00:00.500Z'],
  ['2514-05-30T01:53:05.500Z', 'c70cff1dcd65000000000400000001', '2514-05-30T01:53:05.500Z'],
];
for (const [date, hex, read] of rows) {
  const written = msgpack5.encode(new Date(date)).slice();
  console.log(`${date} is written as ${written.toString('hex')}, read as ${msgpack5.decode(written).toISOString()}`);
  assert.strictEqual(written.toString('hex'), hex);
  assert.strictEqual(msgpack5.decode(written).toISOString(), read);
  assert.strictEqual(msgpackr.unpack(written).toISOString(), read);
  assert.strictEqual(msgpackr.unpack(msgpackr.pack(new Date(date))).toISOString(), date);
}
JS
node run.cjs
