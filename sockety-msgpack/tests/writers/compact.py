"""Makes the recorded values shorter: runs of one byte, and what settings of a writer leave unchanged."""

import re
import sys

HEAD = """\
# Values as other writers write them. Written by record.sh, see there.
#
# "= WRITER" begins what a writer with some settings wrote, and "< WRITER" after it says that all other values are as
# that writer wrote them. A value has its name and its bytes in hex: "61*300" is a run of 300 bytes, "!" a value that
# the writer refuses.
"""



def run_lengths(hexadecimal):
    pairs = " ".join(re.findall("..", hexadecimal)) if hexadecimal != "!" else "!"
    pairs = re.sub(r"\b(\w\w)(?: \1\b){15,}", lambda run: f"|{run[1]}*{(len(run[0]) + 1) // 3}|", pairs)
    return pairs.replace(" ", "").replace("|", " ").strip()


def main():
    writers = {}
    for line in sys.stdin.read().splitlines():
        if line.startswith("= "):
            values = writers.setdefault(line[2:], {})
        else:
            name, written = line.rsplit(": ", 1)
            values[name] = run_lengths(written)
    print(HEAD, end="")
    bases = {}
    for writer, values in writers.items():
        package = " ".join(writer.split(" ")[:3 if writer.startswith("Python") else 2])
        base = bases.setdefault(package, writer)
        print(f"= {writer}")
        if base != writer and values.keys() == writers[base].keys():
            print(f"< {base}")
            values = {name: it for name, it in values.items() if writers[base][name] != it}
        for name, written in values.items():
            print(f"{name}: {written}")


main()
