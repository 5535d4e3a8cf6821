"""Counts findings in reports on dumps of processes that hold no secret, and lists each."""

import json
import pathlib
import sys

folder, kinds = pathlib.Path(sys.argv[1]), sys.argv[2:]
over = False
for profile in ("default", "paranoid"):
    print(f"profile {profile}")
    total_bytes = total = 0
    for kind in kinds:
        report = json.loads((folder / f"{kind}.{profile}.json").read_text())
        core = folder / f"{kind}.core"
        size = min(core.stat().st_size, core.stat().st_blocks * 512)
        counted = [f for f in report["findings"] if f["counted"]]
        constants = [f for f in counted if f.get("constant")]
        false = len(counted) - len(constants)
        total_bytes, total = total_bytes + size, total + false
        print(f"  {kind}: {size / 1e9:.2f} GB, {false} findings, {len(constants)} constants of programs")
        for finding in counted:
            note = " (constant of a program)" if finding in constants else ""
            print(f"    {finding['rule']}{note}: {finding['site_count']} sites")
    rate = total / (total_bytes / 1e9)
    print(f"  together: {total_bytes / 1e9:.2f} GB, {total} findings, {rate:.2f} in each GB")
    over = over or (profile == "default" and rate > 1)
sys.exit(1 if over else 0)
