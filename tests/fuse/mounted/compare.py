#!/usr/bin/env python3
"""Plays all scenarios through a mount and compares with the simulated runs.

usage: compare.py COLDREAD DIFFERENCES [PATH...]

DIFFERENCES lists, a line each, the scenarios that are known to differ there and why: "NAME reason".
exit: 0 exactly these differ; 1 another one does, or one of these does not any more; 77 this machine
cannot mount or supervise.
"""

import json
import pathlib
import subprocess
import sys

SKIPPED = 77


def known_differences(path):
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))


def cannot(coldread):
    """What `coldread doctor` says is missing; empty: nothing."""
    said = subprocess.run([coldread, "doctor"], capture_output=True, text=True, check=False).stdout
    return [line for line in said.splitlines() if line.startswith("no ") and " exec " in line]


def name_of(path):
    parts = pathlib.PurePath(path).with_suffix("").parts
    return "/".join(parts[-2:])


def main(arguments):
    coldread, differences, *paths = arguments
    if missing := cannot(coldread):
        print(*missing, sep="\n")
        return SKIPPED
    known = known_differences(differences)
    command = [coldread, "run", "--on", "fuse", "--compare", "--format", "json", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    runs = json.loads(done.stdout)["results"]
    failed = {name_of(run["scenario"]) for run in runs if run["verdict"] not in ("passed", "skipped")}
    played = {name_of(run["scenario"]) for run in runs}
    counts = {"agree": 0, "differ": 0, "not_expressible": 0}
    for run in runs:
        counts[run.get("agreement", "not_expressible")] += 1
    for name in sorted(failed - known.keys()):
        print(f"{name} differs, and nobody knows why")
    for name in sorted((known.keys() & played) - failed):
        print(f"{name} does not differ any more: {known[name]}")
    print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 0 if failed == known.keys() & played else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
