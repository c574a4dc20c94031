#!/usr/bin/env bash
# Tests the dissector with tshark, on a capture that `sockety tap` makes of a scripted connection.
# `bash tools/wireshark/test.sh`; with --update it writes expected.txt anew.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

if ! command -v tshark > /dev/null; then
    # From Debian's packages, where that may be done.
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        (apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends tshark) > /dev/null 2>&1 || true
    fi
fi
if ! command -v tshark > /dev/null; then
    echo "SKIPPED: the dissector for Wireshark was not tested, as there is no tshark and it could not be installed"
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo build -q -p sockety-cli --bin sockety --example capture
built=${CARGO_TARGET_DIR:-target}/debug
timeout 1m "$built/examples/capture" "$built/sockety" "$work/calls.pcap"

# What a frame says; a field that occurs often has its values in a row. Times and ports differ from run to run.
fields=(frame.number sockety.type sockety.header.channels sockety.channel sockety.action sockety.payload.size sockety.files.count
    sockety.file.size sockety.file.name sockety.code sockety.begun_in sockety.request_in sockety.response_in
    sockety.ends_message sockety.stream sockety.file.content sockety.payload _ws.expert.message)
dissect() {
    # In two passes: the second shows what the first has kept.
    tshark -2 -X "lua_script:$here/sockety.lua" -r "$work/calls.pcap" "$@" 2> "$work/errors" \
        || { cat "$work/errors" >&2; exit 1; }
    if grep -v '^Running as user' "$work/errors" | grep . >&2; then exit 1; fi
}
{
    (IFS=$'\t'; echo "${fields[*]}")
    dissect -Y sockety -T fields "${fields[@]/#/-e}"
} > "$work/found.txt"
if [ "${1:-}" = --update ]; then cp "$work/found.txt" "$here/expected.txt"; fi
diff -u "$here/expected.txt" "$work/found.txt"

# Every reply has the time since its request, and nothing is a malformed packet.
[ "$(dissect -Y sockety.time | wc -l)" = 4 ] || { echo "not every reply has a time" >&2; exit 1; }
[ "$(dissect -Y _ws.malformed | wc -l)" = 0 ] || { echo "a packet is malformed" >&2; exit 1; }
if dissect -V | grep 'Lua Error'; then exit 1; fi
# A filter on the action finds all packets of the message, and the reply.
[ "$(dissect -R 'sockety.action == "upload"' | wc -l)" -ge 4 ] || { echo "the filter on the action finds too little" >&2; exit 1; }
# Without the heuristic, the port must be given.
port=$(dissect -Y 'frame.number == 1' -T fields -e tcp.dstport)
[ "$(dissect -o sockety.heuristic:FALSE -Y sockety | wc -l)" = 0 ]
[ "$(dissect -o sockety.heuristic:FALSE -o "sockety.ports:$port" -Y sockety | wc -l)" = "$(($(wc -l < "$work/found.txt") - 1))" ]
[ "$(dissect -o sockety.heuristic:FALSE -d "tcp.port==$port,sockety" -Y sockety | wc -l)" = "$(($(wc -l < "$work/found.txt") - 1))" ]
echo "dissector: $(($(wc -l < "$work/found.txt") - 1)) frames as expected"
