#!/usr/bin/env bash
# ormsgpack 1.13.1 with `OPT_DATETIME_AS_TIMESTAMP_EXT` drops the fraction of a second from 0.536871 on, and 2^32 seconds
# from 2106 on.
#
# The 64-bit form of a MessagePack timestamp has nanoseconds in its upper 30 bits and seconds in its lower 34.
# Expected: each datetime is read back as it was. Seen: of the datetimes from 1970 to 2514, those with 536,871
# microseconds or more are written in the 32-bit form, which has whole seconds below 2^32. The form is computed as a
# signed number of 64 bits, which 2^29 nanoseconds (0.536870912 s) in its upper 30 bits make negative, and a negative
# number is taken for one that fits 32 bits. So 46% of all datetimes with microseconds are concerned. The same value
# before 1970 or after 2514 is right, and so is what msgpack and msgspec write. Nothing is raised.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ormsgpack==1.13.1 msgpack==1.2.4 msgspec==0.22.0
cat >run.py <<'PY'
import datetime
import sys
from importlib.metadata import version

import msgpack
import msgspec
import ormsgpack

print(f"Python {sys.version.split()[0]}, ormsgpack {version('ormsgpack')}")
OPTION = ormsgpack.OPT_DATETIME_AS_TIMESTAMP_EXT
# The datetime, how ormsgpack writes it, and what is read from that.
ROWS = [
    ("2023-11-14T22:13:20.536870+00:00", "d7ff7ffff1c06553f100", "2023-11-14T22:13:20.536870+00:00"),
    ("2023-11-14T22:13:20.536871+00:00", "d6ff6553f100", "2023-11-14T22:13:20+00:00"),
    ("2023-11-14T22:13:20.999999+00:00", "d6ff6553f100", "2023-11-14T22:13:20+00:00"),
    ("2106-02-07T06:28:16.500000+00:00", "d7ff7735940100000000", "2106-02-07T06:28:16.500000+00:00"),
    ("2106-02-07T06:28:16.750000+00:00", "d6ff00000000", "1970-01-01T00:00:00+00:00"),
    ("2314-02-26T08:48:58.581005+00:00", "d6ff8754f07a", "2041-12-12T19:52:26+00:00"),
    ("2514-05-30T01:53:04.750000+00:00", "c70cff2cb417800000000400000000", "2514-05-30T01:53:04.750000+00:00"),
    ("1969-12-31T23:59:59.750000+00:00", "c70cff2cb41780ffffffffffffffff", "1969-12-31T23:59:59.750000+00:00"),
]
for date, expected, read in ROWS:
    value = datetime.datetime.fromisoformat(date)
    written = ormsgpack.packb(value, option=OPTION)
    back = ormsgpack.unpackb(written, option=OPTION)
    print(f"{date} is written as {written.hex()}, read as {back.isoformat()}")
    assert written.hex() == expected, written.hex()
    assert back == datetime.datetime.fromisoformat(read)
    assert msgspec.msgpack.decode(written) == back
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value)) == value
    assert ormsgpack.unpackb(msgpack.packb(value, datetime=True), option=OPTION) == value
PY
venv/bin/python run.py
