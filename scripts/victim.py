"""A process that holds bytes and nothing else, its core, and what a scan of it tells: what the scripts that plant secrets share."""

import json
import subprocess
import sys

VICTIM = "import sys,time; d=bytearray(sys.stdin.buffer.read()); print('ready',flush=True); time.sleep(1e6)"


def dump(blob, core):
    """A process that holds the bytes and nothing else, and its core."""
    process = subprocess.Popen([sys.executable, "-c", VICTIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={})
    try:
        process.stdin.write(blob)
        process.stdin.close()
        assert process.stdout.readline() == b"ready\n"
        subprocess.run(["gdb", "-p", str(process.pid), "-batch", "-ex", f"gcore {core}"], check=True, capture_output=True)
    finally:
        process.kill()
        process.wait()


def report_of(program, core, *more):
    """The report of a scan, with the secrets; `more` is what the program is told besides."""
    command = [program, "scan", *more, "-q", "--no-progress", "--show-secrets", "-f", "json", core]
    result = subprocess.run(command, capture_output=True)
    assert result.returncode in (0, 1), result.stderr.decode()
    return json.loads(result.stdout)


def found_by(report):
    """Every secret of the report, with its rule."""
    found = {}
    for finding in report["findings"]:
        for piece in finding.get("secret", []):
            found.setdefault(piece.get("text", ""), finding["rule"])
    return found
