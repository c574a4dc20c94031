"""Prints what the MessagePack readers of Python read, and what they write for it: see readers.sh."""

import sys
from importlib.metadata import version

import msgpack
import msgspec
import ormsgpack

with open(sys.argv[1], encoding="utf-8") as file:
    VALUES = [line.strip().split(" = ") for line in file if line.strip() and not line.startswith("#")]


def record(reader, read, write):
    for name, hexadecimal in VALUES:
        shown, written = "raises", "!"
        try:
            value = read(bytes.fromhex(hexadecimal))
            shown = repr(value)
            written = write(value).hex()
        except Exception:  # each reader has its own exceptions
            pass
        print(name, reader, shown, written, sep="\t")


name = f"Python msgpack {version('msgpack')}"
record(f"{name} defaults", msgpack.unpackb, msgpack.packb)
record(
    f"{name} strict_map_key=False, timestamp=3, datetime=True",
    lambda it: msgpack.unpackb(it, strict_map_key=False, timestamp=3),
    lambda it: msgpack.packb(it, datetime=True),
)
name = f"ormsgpack {version('ormsgpack')}"
record(f"{name} defaults", ormsgpack.unpackb, ormsgpack.packb)
options = ormsgpack.OPT_NON_STR_KEYS | ormsgpack.OPT_DATETIME_AS_TIMESTAMP_EXT
record(
    f"{name} OPT_NON_STR_KEYS, OPT_DATETIME_AS_TIMESTAMP_EXT",
    lambda it: ormsgpack.unpackb(it, option=options, ext_hook=ormsgpack.Ext),
    lambda it: ormsgpack.packb(it, option=options),
)
record(f"msgspec {version('msgspec')}", msgspec.msgpack.decode, msgspec.msgpack.encode)
