#!/usr/bin/env bash
# notepack.io 3.0.1 writes a whole JavaScript number beyond 64 bits as an integer of its lowest 64 bits.
#
# Expected: a float, as other writers write it and as notepack.io writes 0.5. Seen: 1e300 is written as the integer 0,
# and 1e21 as 3875820019684212736; notepack.io reads both back like that. Nothing is raised. Whole numbers from 2^64 on
# and below -2^63 are concerned. A number with a fraction is written as a float.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --no-save notepack.io@3.0.1 >/dev/null
node --version
cat >run.cjs <<'JS'
const assert = require('node:assert');
const notepack = require('notepack.io');
const version = JSON.parse(require('node:fs').readFileSync('node_modules/notepack.io/package.json')).version;
const rows = [
  [0.5, 'cb3fe0000000000000', 0.5],
  [2 ** 63, 'cf8000000000000000', 2 ** 63],
  [2 ** 64, 'cf0000000000000000', 0],
  [1e21, 'cf35c9adc5dea00000', 3875820019684212736],
  [1e300, 'cf0000000000000000', 0],
  [-(2 ** 63), 'd38000000000000000', -(2 ** 63)],
  [-1e21, 'd3ca36523a21600000', -3875820019684212736],
];
for (const [value, hex, read] of rows) {
  const written = notepack.encode(value);
  console.log(`notepack.io ${version}: ${value} is written as ${written.toString('hex')}, read as ${notepack.decode(written)}`);
  assert.strictEqual(written.toString('hex'), hex);
  assert.strictEqual(notepack.decode(written), read);
}
JS
node run.cjs
