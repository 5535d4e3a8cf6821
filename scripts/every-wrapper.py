#!/usr/bin/env python3
"""Puts one core into everything that dumps travel in, by the ordinary programs, and holds dumpscrub to it.

    scripts/every-wrapper.py CORE [--exe PROGRAM] [--check COMMAND] [--only NAME...] [--no-redact]

Of each wrapper: a scan of the file, and one through a pipe, must report the same as a scan of the core itself: findings, sites,
offsets, addresses, labels, coverage. A redaction of it must be taken by the ordinary program, the core that it unpacks must be the
one that a redaction of the plain core writes, gdb must print the same backtraces of it as of the original (--exe), and COMMAND (run
with the unpacked core as its last argument) must say yes. At the end stands a table: seconds, peak memory, the most that the
spool took on the disk.

DUMPSCRUB names the program (default: target/release/dumpscrub), FOLDER where files are written (default: a new temporary folder,
removed at the end unless KEEP=1). THREADS is given to dumpscrub. A wrapper whose program is missing is told, and counts as a
failure unless it is not asked for.
"""
import argparse
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = os.environ.get("DUMPSCRUB", str(HERE.parent / "target/release/dumpscrub"))
THREADS = ["-j", os.environ["THREADS"]] if "THREADS" in os.environ else []

# Name, the member's name in reports, the programs that it takes, how it is made, judged, unpacked to standard output.
CRASH = "{ printf 'ProblemType: Crash\\nCoreDump: base64\\n'; gzip -c core | base64 -w 100000 | sed 's/^/ /'; echo 'Signal: 11'; } >core.crash"
UNCRASH = "sed -n 's/^ //p' {} | while read -r line; do echo $line | base64 -d; done | gzip -dc"
WRAPPERS = [
    ("core.gz", "", "gzip", "gzip -c core >core.gz", "gzip -t {}", "gzip -dc {}"),
    ("core.zst", "", "zstd", "zstd -q core -o core.zst", "zstd -qt {}", "zstd -qdc {}"),
    # As systemd-coredump writes it: without the size of the content.
    ("stream.zst", "", "zstd", "zstd -q <core >stream.zst", "zstd -qt {}", "zstd -qdc {}"),
    ("long.zst", "", "zstd", "zstd -q --long=27 core -o long.zst", "zstd -qt --long=27 {}", "zstd -qdc --long=27 {}"),
    ("core.xz", "", "xz", "xz -1 -T1 -c core >core.xz", "xz -t {}", "xz -dc {}"),
    # As xz writes it by itself since 5.6: in blocks that several threads decode.
    ("blocks.xz", "", "xz", "xz -1 -T2 --block-size=2MiB -c core >blocks.xz", "xz -t {}", "xz -dc {}"),
    ("core.lz4", "", "lz4", "lz4 -q core core.lz4", "lz4 -qt {}", "lz4 -qdc {}"),
    ("core.bz2", "", "bzip2", "bzip2 -c core >core.bz2", "bzip2 -t {}", "bzip2 -dc {}"),
    ("core.zip", "!core", "zip unzip", "zip -q core.zip core", "unzip -qt {}", "unzip -p {}"),
    ("core.tar.gz", "!core", "tar gzip", "tar czf core.tar.gz core", "tar tzf {}", "tar xzOf {}"),
    ("core.tar.zst", "!core", "tar zstd", "tar --zstd -cf core.tar.zst core", "tar --zstd -tf {}", "tar --zstd -xOf {}"),
    ("core.cab", "!core", "gcab cabextract", "gcab -cz core.cab core", "cabextract -qt {}", "cabextract -qp {}"),
    ("core.crash", "!CoreDump", "gzip base64", CRASH, "true {}", UNCRASH),
]


class Run:
    """A program with what it cost: seconds, peak memory in MiB, bytes that its files without names took."""

    def __init__(self, folder, args, stdin=None, stdout=None):
        begun = time.monotonic()
        out = open(stdout, "wb") if stdout else subprocess.PIPE
        feed = subprocess.Popen(["cat", stdin], cwd=folder, stdout=subprocess.PIPE) if stdin else None
        process = subprocess.Popen(args, cwd=folder, stdin=feed.stdout if feed else subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        self.disk, self.peak, watching = 0, 0, True

        def watch():
            while watching:
                self.disk = max(self.disk, unnamed(process.pid))
                time.sleep(0.02)

        watcher = threading.Thread(target=watch)
        watcher.start()
        said = []
        reader = threading.Thread(target=lambda: said.append(process.stderr.read()))
        reader.start()
        self.stdout = b"" if stdout else process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        watching = False
        watcher.join()
        reader.join()
        if feed:
            feed.stdout.close()
            feed.wait()
        self.code, self.stderr = os.waitstatus_to_exitcode(status), said[0].decode(errors="replace")
        self.seconds, self.peak = time.monotonic() - begun, usage.ru_maxrss / 1024


def unnamed(pid):
    """Bytes that open files without a name take on the disk."""
    total, seen = 0, set()
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            if "(deleted)" in os.readlink(path):
                stat = os.stat(path)
                if stat.st_ino not in seen:
                    seen.add(stat.st_ino)
                    total += stat.st_blocks * 512
    except OSError:
        pass
    return total


def without_names(report, member):
    """What a report tells, with the file's name taken out; every name must be that of the one member."""
    report = json.loads(report)
    rows = [row for row in report["dumps"] if row["file"] == member]
    assert len(rows) == 1, f"rows: {[row['file'] for row in report['dumps']]}"
    gaps = [gap for row in report["dumps"] for gap in row["gaps"]]
    assert not gaps, f"gaps: {gaps}"
    row = {key: value for key, value in rows[0].items() if key not in ("file", "containers")}
    for finding in report["findings"]:
        for place in finding["sites"] + finding["dumps"]:
            assert place.pop("file") == member, f"a site outside of {member}"
    return {"row": row, "findings": report["findings"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("core")
    parser.add_argument("--exe")
    parser.add_argument("--check")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--no-redact", action="store_true")
    asked = parser.parse_args()
    folder = pathlib.Path(os.environ.get("FOLDER") or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return judge(asked, folder)
    finally:
        if "KEEP" not in os.environ:
            shutil.rmtree(folder)


def judge(asked, folder):
    core, failures = folder / "core", []
    subprocess.run(["cp", "--sparse=always", asked.core, core], check=True)

    def scan(name, piped):
        args = [PROGRAM, "scan", "-q", "-f", "json", *THREADS, "-" if piped else name]
        return Run(folder, args, stdin=folder / name if piped else None)

    def redact(name, out, piped):
        args = [PROGRAM, "redact", "-q", *THREADS, "-" if piped else name, "-o", "-" if piped else out, "--receipt", f"{out}.json"]
        return Run(folder, args, stdin=folder / name if piped else None, stdout=folder / out if piped else None)

    def traces(of):
        asking = ["gdb", "-nx", "-batch", "-ex", "thread apply all backtrace", asked.exe, of]
        return subprocess.run(asking, cwd=folder, capture_output=True).stdout

    def holds(name, what, is_so, detail=""):
        if not is_so:
            failures.append(name)
            print(f"FAILED {name}: {what} {detail}")

    def judge_core(name, path):
        if asked.check:
            done = subprocess.run([*shlex.split(asked.check), path], capture_output=True, text=True)
            holds(name, asked.check, done.returncode == 0, done.stdout[-600:] + done.stderr[-600:])
        if asked.exe:
            holds(name, "the backtraces differ", traces(path) == told)

    plain = scan("core", False)
    want = without_names(plain.stdout, "core")
    sites = sum(len(finding["sites"]) for finding in want["findings"])
    print(f"{core.stat().st_size} bytes, {len(want['findings'])} findings at {sites} places")
    told = traces("core") if asked.exe else b""
    if asked.exe:
        print(f"gdb prints {told.count(b'#')} frames of {told.count(b'Thread ')} threads")
    rows = [("plain", core.stat().st_size, plain, None)]
    piped = scan("core", True)
    holds("plain", "another report through a pipe", without_names(piped.stdout, "-") == want)
    if not asked.no_redact:
        for piped, out in (False, "out.core"), (True, "out-piped.core"):
            done = redact("core", out, piped)
            holds("plain", "redact", done.code == 0, done.stderr)
            judge_core("plain", folder / out)
        rows[0] = (*rows[0][:3], done)
        same = subprocess.run(["cmp", "out.core", "out-piped.core"], cwd=folder).returncode == 0
        holds("plain", "the pipe writes another core", same)
    for name, member, needs, make, test, unpack in WRAPPERS:
        if asked.only and name not in asked.only:
            continue
        missing = [tool for tool in needs.split() if not shutil.which(tool)]
        if missing:
            holds(name, "missing:", False, " ".join(missing))
            continue
        subprocess.run(make, shell=True, cwd=folder, check=True)
        scanned, redacted = scan(name, False), None
        for run, origin in (scanned, name), (scan(name, True), "-"):
            try:
                holds(name, "another report", without_names(run.stdout, origin + member) == want)
            except (AssertionError, ValueError) as error:
                holds(name, f"scan of {origin}:", False, f"{error} {run.stderr}")
        if not asked.no_redact:
            for piped, out in (False, f"out-{name}"), (True, f"out-piped-{name}"):
                redacted = redact(name, out, piped)
                holds(name, "redact", redacted.code == 0, redacted.stderr)
                done = subprocess.run(test.format(out), shell=True, cwd=folder, capture_output=True)
                holds(name, test, done.returncode == 0, done.stderr)
                subprocess.run(f"{unpack.format(out)} >out", shell=True, cwd=folder)
                same = subprocess.run(["cmp", "out", "out.core"], cwd=folder).returncode == 0
                holds(name, "another core is in it than the plain redaction wrote", same)
            judge_core(name, folder / "out")
        rows.append((name, (folder / name).stat().st_size, scanned, redacted))
        for path in [name, f"out-{name}", f"out-piped-{name}"]:
            (folder / path).unlink(missing_ok=True)
    print("| wrapper | bytes | scan s | MB/s | peak MiB | spool MB | redact s | peak MiB | spool MB |\n|---|---|---|---|---|---|---|---|---|")
    for name, size, scanned, redacted in rows:
        cells = [f"{scanned.seconds:.2f}", f"{core.stat().st_size / 1e6 / scanned.seconds:.0f}", f"{scanned.peak:.0f}", f"{scanned.disk / 1e6:.0f}"]
        cells += [f"{redacted.seconds:.2f}", f"{redacted.peak:.0f}", f"{redacted.disk / 1e6:.0f}"] if redacted else ["", "", ""]
        print(f"| {name} | {size} | {' | '.join(cells)} |")
    print(f"{len(set(failures))} failed: {' '.join(sorted(set(failures)))}" if failures else "all hold")
    return 1 if failures else 0


sys.exit(main())
