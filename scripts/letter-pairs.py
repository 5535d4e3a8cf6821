#!/usr/bin/env python3
"""How often each pair of letters stands in text, as src/scan/prefilter/pairs.txt has it.

    scripts/letter-pairs.py FILE... > src/scan/prefilter/pairs.txt

Of each file the first 400,000 bytes are counted, where four bytes of text (tab to tilde) follow each other. The table that is there
was made of 90 MB: documentation, programs and libraries of Debian 12, and sources of crates. A row for each first letter, a column for each
second one: what is below the space, then the space to the tilde. A value is 0 where the pair does not stand in 2^26 pairs, else one more
than twice the logarithm (base 2) of how often it does, as a digit: 0 to 9, a to z, A to Z.
"""
import collections
import math
import re
import string
import sys

DIGITS = string.digits + string.ascii_letters
TEXT = re.compile(rb"[\x09-\x7e]{4,}")
SIZE = 96
WHOLE = 2**26


def column(byte):
    return 0 if byte < 0x20 else byte - 0x1F


def main(names):
    counts = collections.Counter()
    for name in names:
        with open(name, "rb") as file:
            for text in TEXT.findall(file.read(400_000)):
                counts.update(zip(text, text[1:]))
    table = [[0.0] * SIZE for _ in range(SIZE)]
    for (first, second), count in counts.items():
        table[column(first)][column(second)] += count * WHOLE / counts.total()
    for row in table:
        print("".join(DIGITS[round(2 * math.log2(n)) + 1 if n >= 1 else 0] for n in row))


if __name__ == "__main__":
    main(sys.argv[1:])
