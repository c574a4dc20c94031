"""Prints values as the MessagePack writers of Python write them: see record.sh."""

import dataclasses
import datetime
import enum
import ipaddress
import math
import uuid
from importlib.metadata import version

import msgpack
import msgspec
import ormsgpack

INTEGERS = [
    0, 1, 127, 128, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**53 - 1,
    -1, -32, -33, -128, -129, -32768, -32769, -(2**31), -(2**31) - 1, -(2**53) + 1,
]
BIG = [5, 2**32, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1]
HUGE = [2**64, 2**127 - 1, -(2**127), 2**128 - 1]
FLOATS = [0.5, -0.5, 5.5, 0.1, 1e300, 5e-324, -0.0, math.nan, math.inf, -math.inf, 1e21]
WHOLE = [0.0, 5.0, -5.0, 4294967296.0, 1e10, 1e15]
FLOAT_NAMES = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity", "-0.0": "-0"}
USER = {"id": 7, "name": "Ada", "email": None, "tags": ["a", "b"]}
UUID = uuid.UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
UTC = datetime.timezone.utc


@dataclasses.dataclass
class User:
    id: int
    name: str
    email: str | None
    tags: list[str]


class SpecUser(msgspec.Struct):
    id: int
    name: str
    email: str | None
    tags: list[str]


class ArrayUser(msgspec.Struct, array_like=True):
    id: int
    name: str
    email: str | None
    tags: list[str]
    age: int


class Struct(msgspec.Struct, tag="Struct", tag_field="type"):
    a: int
    b: str


class Variant(enum.Enum):
    UNIT = "Unit"


def moment(seconds):
    return datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(milliseconds=round(seconds * 1000))


def tree(depth):
    return {"value": depth, "left": tree(depth - 1), "right": None} if depth else None


def entries(count):
    return {f"key{index}": index for index in range(count)}


VALUES = {
    "nil": None,
    "true": True,
    "false": False,
    **{f"int {value}": value for value in INTEGERS},
    **{f"big {value}": value for value in BIG},
    **{f"huge {value}": value for value in HUGE},
    **{f"float {FLOAT_NAMES.get(str(value), str(value))}": value for value in FLOATS},
    **{f"whole {int(value)}": value for value in WHOLE},
    **{f"letters {count}": "a" * count for count in [0, 1, 31, 32, 255, 256, 65536]},
    "text umlauts": "Zoë naïve übergrößenträger",
    "text beyond 16 bits": "𝄞 und 🦀",
    "text nul": "a\0b",
    **{f"bytes {count}": b"\xff" * count for count in [0, 1, 255, 256, 65536]},
    **{f"array {count}": list(range(count)) for count in [0, 1, 15, 16]},
    "array of floats": [0.5, 1.0, 1.5, 4294967296.0],
    "array with nil": [1, None, 3],
    "tuple": (1, "x"),
    **{f"map {count}": entries(count) for count in [0, 1, 15, 16]},
    "Map with integer keys": {1: "one", 70000: "many", -5: "below"},
    "Map with bool keys": {True: 1, False: 0},
    "object with integer keys": {"1": "one", "70000": "many", "-5": "below"},
    "object with bool keys": {"true": 1, "false": 0},
    "Set": {3},
    "user": USER,
    "user as class": User(**USER),
    "user with more": {**USER, "age": 36, "address": {"city": "London", "lines": [1, 2]}},
    "user as array": [7, "Ada", None, ["a", "b"]],
    "users": [USER] * 3,
    "tree": tree(10),
    "enum unit": "Unit",
    "enum unit as class": Variant.UNIT,
    "enum unit as map": {"Unit": None},
    "enum newtype": {"New": 5},
    "enum tuple": {"Tup": [1, "x"]},
    "enum struct": {"Struct": {"a": 1, "b": "x"}},
    "tagged": {"type": "Struct", "a": 1, "b": "x"},
    "tagged, tag last": {"a": 1, "b": "x", "type": "Struct"},
    "adjacent": {"t": "Tup", "c": [1, "x"]},
    "adjacent, content first": {"c": [1, "x"], "t": "Tup"},
    "uuid as text": UUID,
    "uuid as bytes": UUID.bytes,
    "address 4": ipaddress.ip_address("192.0.2.7"),
    "address 6": ipaddress.ip_address("2001:db8::7"),
    **{f"date {value}": moment(value) for value in [0, 1.5, -1.5, 1700000000, 17179869184.001]},
    "date as text": "2023-11-14T22:13:20.123Z",
}


def record(name, write, values=VALUES):
    print(f"= {name}")
    for value, content in values.items():
        try:
            written = write(content).hex()
        except Exception:  # each writer has exceptions of its own
            written = "!"
        print(f"{value}: {written}")


def as_text(value):
    if isinstance(value, (uuid.UUID, ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError


name = f"Python msgpack {version('msgpack')}"
record(f"{name} defaults", msgpack.packb)
record(f"{name} datetime, default=str", lambda it: msgpack.packb(it, datetime=True, default=as_text))
record(f"{name} use_bin_type=False", lambda it: msgpack.packb(it, use_bin_type=False, default=as_text))
record(f"{name} use_single_float", lambda it: msgpack.packb(it, use_single_float=True, default=as_text))
name = f"ormsgpack {version('ormsgpack')}"
record(f"{name} defaults", ormsgpack.packb)
options = ormsgpack.OPT_NON_STR_KEYS | ormsgpack.OPT_SORT_KEYS
record(f"{name} OPT_NON_STR_KEYS, OPT_SORT_KEYS, default", lambda it: ormsgpack.packb(it, default=as_text, option=options))
options = ormsgpack.OPT_NON_STR_KEYS | ormsgpack.OPT_DATETIME_AS_TIMESTAMP_EXT
record(f"{name} OPT_DATETIME_AS_TIMESTAMP_EXT", lambda it: ormsgpack.packb(it, default=as_text, option=options))
name = f"msgspec {version('msgspec')}"
SPEC = {
    **VALUES,
    "user as class": SpecUser(**USER),
    "user as longer array": ArrayUser(**USER, age=36),
    "tagged": Struct(a=1, b="x"),
}
record(f"{name} defaults", msgspec.msgpack.Encoder().encode, SPEC)
record(f"{name} enc_hook", msgspec.msgpack.Encoder(enc_hook=as_text).encode, SPEC)
record(f"{name} uuid_format=bytes", msgspec.msgpack.Encoder(enc_hook=as_text, uuid_format="bytes").encode, SPEC)
