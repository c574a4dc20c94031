#!/usr/bin/env bash
# Records what other MessagePack writers make of the same values, into recorded.txt.
#
# Installs pinned versions of the writers into a temporary folder. Needs Node.js with npm, and
# Python with pip and venv. The tests read recorded.txt and need none of this.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$here/record.mjs" "$work/"
(cd "$work" && npm install --silent --no-audit --no-fund --no-save \
    msgpackr-1@npm:msgpackr@1.11.14 msgpackr@2.1.4 @msgpack/msgpack@3.1.3 msgpack5@6.1.0 notepack.io@3.0.1)
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    msgpack==1.2.4 ormsgpack==1.13.1 msgspec==0.22.0

{
    (cd "$work" && node record.mjs)
    "$work/venv/bin/python" "$here/record.py"
} >"$work/recorded.txt"
"$work/venv/bin/python" "$here/compact.py" <"$work/recorded.txt" >"$here/recorded.txt"
