"""Makes what was read shorter: readers that read a value as the same, and write the same for it, share a line."""

import re
import string
import sys

HEAD = """\
# What readers of other languages make of the values in written.txt. Written by readers.sh, see there.
#
# Each reader has a letter. "= NAME = BYTES" is a value, in hex. Each line after it has readers, what they read, and what
# they write for that, or "!" if they did not read or write it.
"""

with open(sys.argv[1], encoding="utf-8") as file:
    values = [line.strip() for line in file if line.strip() and not line.startswith("#")]
letters = {}
results = {}
for line in sys.stdin.read().splitlines():
    name, reader, shown, written = line.split("\t")
    letter = letters.setdefault(reader, string.ascii_lowercase[len(letters)])
    shown = re.sub(r" object at 0x[0-9a-f]+", "", shown)
    results.setdefault(name, {}).setdefault((shown, written), []).append(letter)
print(HEAD, end="")
for reader, letter in letters.items():
    print(f"{letter}: {reader}")
for value in values:
    print(f"= {value}")
    for (shown, written), readers in results[value.split(" = ")[0]].items():
        print(f"{''.join(readers)} | {shown} | {written}")
