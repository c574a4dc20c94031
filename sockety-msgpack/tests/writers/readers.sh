#!/usr/bin/env bash
# Records how this crate writes values, into written.txt, and what other MessagePack readers make of them, into read.txt.
#
# Installs pinned versions of the readers into a temporary folder. Needs Node.js with npm, and Python with pip and venv.
# The tests read written.txt and read.txt and need none of this.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

touch "$here/read.txt" "$here/written.txt"
(cd "$here" && UPDATE_EXPECT=1 cargo test --quiet -p sockety-msgpack --test readers values_are_written_as_recorded)

cp "$here/read.mjs" "$work/"
(cd "$work" && npm install --silent --no-audit --no-fund --no-save \
    msgpackr-1@npm:msgpackr@1.11.14 msgpackr@2.1.4 @msgpack/msgpack@3.1.3 msgpack5@6.1.0 notepack.io@3.0.1)
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
    msgpack==1.2.4 ormsgpack==1.13.1 msgspec==0.22.0

{
    (cd "$work" && node read.mjs "$here/written.txt")
    "$work/venv/bin/python" "$here/read.py" "$here/written.txt"
} >"$work/read.txt"
"$work/venv/bin/python" "$here/group.py" "$here/written.txt" <"$work/read.txt" >"$here/read.txt"
