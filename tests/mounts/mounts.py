#!/usr/bin/env python3
"""What daemons are asked when images are mounted and read: Coldread against real kernels.

usage: mounts.py compare COLDREAD DAEMON LOOK MOUNTING
       mounts.py record DAEMON LOOK MOUNTING

`record` plays `play` on real kernels and writes down, in RELEASE.txt, each message the
daemon got, a sum of what readers read, and what mount(2) and the like answer. `compare` does it
below `coldread exec` and fails if one line differs. Three things are free: the order of OPENs, and
of CLOSEs, that follow one another (workers send them); in `threads` who reads first, there the same
bytes must be asked for; in `fails-random`, which reads through a mapping too, how often a page that
fails is asked for again: the fault handler of this machine's kernel decides. exit: 0, 1, or 77
where it cannot be done: no root, no /dev/fuse, or another mkfs.erofs, which makes other images than
the kernels were shown.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel")]
import guest   # noqa: E402  pylint: disable=wrong-import-position
import images  # noqa: E402  pylint: disable=wrong-import-position

KERNELS = {"6.1.192": "6.1", "6.12.117": "6.12"}
SKIPPED = 77
# How far this machine's kernel has read ahead when a read fails depends on how fast it fails: a
# case differs if it does so each time.
ATTEMPTS = 3


def cases(text):
    """Name -> lines."""
    found, current = {}, None
    for line in text.splitlines():
        if line.startswith("case "):
            current = found.setdefault(line[5:], [])
        elif current is not None:
            current.append(line)
    return found


def in_any_order(lines):
    """The same, each run of OPENs and of CLOSEs sorted."""
    result, run = [], []
    for line in lines + [""]:
        kind = line.split(" ")[0]
        if run and (kind not in ("OPEN", "CLOSE") or kind != run[0].split(" ")[0]):
            result += sorted(run)
            run = []
        (run if kind in ("OPEN", "CLOSE") else result).append(line)
    return result[:-1]


def bytes_asked(lines):
    """The other lines, then each range that was asked for, however it was cut."""
    ranges, rest = [], []
    for line in lines:
        read = re.fullmatch(r"READ (\S+) (\d+)\+(\d+)", line)
        if not read:
            rest.append(line)
            continue
        name, start, length = read[1], int(read[2]), int(read[3])
        ranges.append((name, start, start + length))
    merged = []
    for name, start, end in sorted(ranges):
        if merged and merged[-1][0] == name and merged[-1][2] >= start:
            merged[-1] = (name, merged[-1][1], max(end, merged[-1][2]))
        else:
            merged.append((name, start, end))
    return rest + [f"asked for {name} {start} to {end}" for name, start, end in merged]


def once(lines):
    """Without those that repeat the one before."""
    return [line for number, line in enumerate(lines) if lines[number - 1:number] != [line]]


def comparable(name, lines):
    if name.endswith("fails-random"):
        lines = once(lines)
    return bytes_asked(lines) if name.endswith("threads") else in_any_order(lines)


def difference(name, expected, found):
    """The first line that differs, and its surroundings."""
    for number in range(max(len(expected), len(found))):
        if expected[number:number + 1] != found[number:number + 1]:
            break
    part = slice(max(number - 2, 0), number + 3)
    return (f"{name}: line {number + 1} of {len(expected)}\n  a real kernel: "
            + "; ".join(expected[part]) + "\n  here:          " + "; ".join(found[part]))


def without_failure(found):
    """The cases `...-fails...` in which no reader failed, so that they show nothing."""
    return [name for name, lines in found.items()
            if "-fails" in name and not any(line.endswith("reading failed") for line in lines)]


def compare(coldread, *tools):
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("needs root and /dev/fuse")
        return SKIPPED
    failures = []
    with tempfile.TemporaryDirectory(prefix="coldread-mounts-") as scratch:
        blobs, digest = images.make(scratch)
        for release in KERNELS:
            kept = (HERE / f"{release}.txt").read_text(encoding="ascii")
            if kept.splitlines()[0] != f"images {digest}":
                print(f"this mkfs.erofs makes other images ({digest}) than kernels were shown")
                return SKIPPED
            expected = cases(kept)
            failures += [f"{release} {name}: no reader failed"
                         for name in without_failure(expected)]
            left = set(expected)
            for attempt in range(ATTEMPTS):
                directory = pathlib.Path(scratch, f"{release}-{attempt}")
                directory.mkdir()
                run = subprocess.run(
                    [coldread, "exec", "--kernel", release, "--", str(HERE / "play"), *tools,
                     str(blobs), str(directory)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    text=True, check=False, timeout=290)
                found = cases(run.stdout)
                pairs = {name: [comparable(name, lines.get(name, []))
                                for lines in (expected, found)]
                         for name in left | (found.keys() - expected.keys())}
                left = {name for name, pair in pairs.items() if pair[0] != pair[1]}
                if not left or run.returncode != 0:
                    break
            failures += [f"{release} " + difference(name, *pairs[name]) for name in left]
            if run.returncode != 0:
                failures.append(f"{release}: exit status {run.returncode}: {run.stderr[-2000:]}")
            print(f"{release}: {len(expected) - len(left)} of {len(expected)} cases are the same, "
                  f"{sum(map(len, expected.values()))} lines")
    print("\n".join(sorted(failures)))
    return 1 if failures else 0


def record(*tools):
    with tempfile.TemporaryDirectory(prefix="coldread-mounts-") as scratch:
        blobs, digest = images.make(scratch)
        for release, series in KERNELS.items():
            linux, reason = guest.find(series)
            if not linux:
                print(reason)
                return SKIPPED
            play = " ".join([f"{HERE}/play", *tools, f"{blobs} ~/play"])
            script = f"mkdir ~/play && {play} 2>/dev/null"
            status, text = guest.run(linux, ["bash", "-c", script], limit_s=300)
            if status != 0:
                print(text[-2000:])
                return 1
            (HERE / f"{release}.txt").write_text(f"images {digest}\n{text}", encoding="ascii")
            print(f"{release}: {len(cases(text))} cases")
    return 0


def main():
    words = sys.argv[1:]
    if shutil.which("mkfs.erofs") is None:
        print("mkfs.erofs is not installed")
        return SKIPPED
    if words[:1] == ["compare"] and len(words) == 5:
        return compare(*map(os.path.abspath, words[1:]))
    if words[:1] == ["record"] and len(words) == 4:
        return record(*map(os.path.abspath, words[1:]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
