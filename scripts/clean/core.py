"""Writes an ELF core of a process from /proc: everything that it can read, and which files are mapped where.

gdb writes reserved address space too, of which Chromium has a terabyte. Layout: System V ABI, "Program Header"; NT_FILE as
Linux writes it (fs/binfmt_elf.c, fill_files_note).

    core.py PID FILE
"""

import os
import re
import signal
import struct
import sys

PAGE = 4096


def mappings(pid):
    for line in open(f"/proc/{pid}/maps"):
        start, end, rights, offset, path = re.match(r"(\w+)-(\w+) (\S+) (\w+) \S+ \S+\s*(.*)", line).groups()
        yield int(start, 16), int(end, 16), rights, int(offset, 16), path


def main(pid, path):
    os.kill(pid, signal.SIGSTOP)
    regions = [m for m in mappings(pid) if "r" in m[2] and m[4] not in ("[vvar]", "[vsyscall]")]
    files = [m for m in mappings(pid) if m[4].startswith("/")]
    listed = struct.pack("<QQ", len(files), PAGE) + b"".join(struct.pack("<QQQ", m[0], m[1], m[3] // PAGE) for m in files)
    listed += b"".join(m[4].encode() + b"\0" for m in files)
    note = struct.pack("<III", 5, len(listed), 0x46494C45) + b"CORE\0\0\0\0" + listed.ljust(-(-len(listed) // 4) * 4, b"\0")
    at = 64 + 56 * (len(regions) + 1)
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header += struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, len(regions) + 1, 0, 0, 0)
    headers = struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(note), 0, 4)
    place = -(-(at + len(note)) // PAGE) * PAGE
    for start, end, rights, _, _ in regions:
        flags = sum(bit for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if letter in rights)
        headers += struct.pack("<IIQQQQQQ", 1, flags, place, start, 0, end - start, end - start, PAGE)
        place += end - start
    with open(path, "wb") as out, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        out.write(header + headers + note)
        out.seek(-(-(at + len(note)) // PAGE) * PAGE)
        for start, end, *_ in regions:
            copy(memory, out, start, end)
        out.truncate(place)


def copy(memory, out, start, end):
    """Pages that cannot be read, and those of zeros, are holes."""
    for at in range(start, end, 1 << 20):
        size = min(1 << 20, end - at)
        try:
            memory.seek(at)
            data = memory.read(size)
        except OSError:
            data = b""
        data = data.ljust(size, b"\0")
        if data.count(0) == size:
            out.seek(size, os.SEEK_CUR)
        else:
            out.write(data)


main(int(sys.argv[1]), sys.argv[2])
