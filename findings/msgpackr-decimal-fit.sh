#!/usr/bin/env bash
# msgpackr 2.1.4 and 1.11.14 with `useFloat32: DECIMAL_FIT` change numbers below 10^-15.
#
# Their documentation promises that this setting loses nothing on the way.
# Expected: each number is read back as it was by a `Packr` with the same setting, as 0.1 is. Seen: the reader rounds to
# decimal digits by a multiplication with a power of ten and a division by it, whose own rounding the writer does not
# take into account, so that 9.2e-26 comes back as 9.199999999999999e-26. Below 1.2e-38, where floats of 4 bytes have
# fewer digits, the difference is larger: 1.2e-44 comes back as 1.3e-44. From 10^-15 on, none of 500,000 numbers with up
# to 7 digits was changed. Nothing is raised.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save msgpackr@2.1.4 msgpackr-1@npm:msgpackr@1.11.14 >/dev/null
node --version
cat >run.cjs <<'JS'
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
// The number, how it is written, and what is read from that.
const rows = [
  [0.1, 'ca3dcccccd', 0.1],
  [2e-15, 'cb3ce203af9ee75616', 2e-15],
  [1.1e-16, 'ca24fda48a', 1.1000000000000001e-16],
  [9.2e-26, 'ca15e3c7ed', 9.199999999999999e-26],
  [3e-39, 'ca0020aac8', 3.0000010000000004e-39],
  [1e-43, 'ca00000047', 9.900000000000002e-44],
  [1.2e-44, 'ca00000009', 1.3000000000000002e-44],
];
for (const name of ['msgpackr', 'msgpackr-1']) {
  const { Packr, FLOAT32_OPTIONS } = require(name);
  const packr = new Packr({ useRecords: false, useFloat32: FLOAT32_OPTIONS.DECIMAL_FIT });
  for (const [value, hex, read] of rows) {
    const written = Buffer.from(packr.pack(value));
    console.log(`msgpackr ${version(name)}: ${value} is written as ${written.toString('hex')}, read as ${packr.unpack(written)}`);
    assert.strictEqual(written.toString('hex'), hex);
    assert.strictEqual(packr.unpack(written), read);
  }
  // A fixed sequence of numbers.
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (let count = 0; count < 500000; count += 1) {
    const value = Number(((1 + random() * 9) * 10 ** Math.floor(random() * 50 - 15)).toPrecision(1 + Math.floor(random() * 7)));
    assert.strictEqual(packr.unpack(packr.pack(value)), value);
  }
}
JS
node run.cjs
