#!/usr/bin/env bash
# @msgpack/msgpack 3.1.3 with `useBigInt64` writes the lowest 64 bits of a larger BigInt.
#
# Expected: an error, as msgpackr 2.1.4 raises for the same value, since MessagePack has no integers of more than 64 bits.
# Seen: 2^64 is written as 0, and -2^63 - 1 comes back as 2^63 - 1, with the other sign. Nothing is raised.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save @msgpack/msgpack@3.1.3 msgpackr@2.1.4 >/dev/null
node --version
cat >run.cjs <<'JS'
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const msgpack = require('@msgpack/msgpack');
const msgpackr = require('msgpackr');
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
console.log(`@msgpack/msgpack ${version('@msgpack/msgpack')}, msgpackr ${version('msgpackr')}`);
const options = { useBigInt64: true };
const rows = [
  [2n ** 64n - 1n, 'cfffffffffffffffff', 2n ** 64n - 1n],
  [2n ** 64n, 'cf0000000000000000', 0n],
  [2n ** 64n + 7n, 'cf0000000000000007', 7n],
  [-(2n ** 63n) - 1n, 'd37fffffffffffffff', 2n ** 63n - 1n],
];
for (const [value, hex, read] of rows) {
  const written = Buffer.from(msgpack.encode(value, options));
  console.log(`${value} is written as ${written.toString('hex')}, read as ${msgpack.decode(written, options)}`);
  assert.strictEqual(written.toString('hex'), hex);
  assert.strictEqual(msgpack.decode(written, options), read);
}
assert.throws(() => msgpackr.pack(2n ** 64n), RangeError);
JS
node run.cjs
