#!/usr/bin/env python3
"""What is in images of everything, and in damaged ones: Coldread against real kernels.

usage: hostile.py compare COLDREAD DAEMON
       hostile.py record DAEMON

`record` lets `walk.py` look at the images of `handmade.py` on real kernels, and writes down what
files say, each errno and the kernel's log, in hostile-RELEASE.txt. `compare` does it below
`coldread exec`. exit: 0, 1, or 77 where it cannot be done: no root or no /dev/fuse.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel")]
import guest     # noqa: E402  pylint: disable=wrong-import-position
import handmade  # noqa: E402  pylint: disable=wrong-import-position
import mounts    # noqa: E402  pylint: disable=wrong-import-position

# A negative size cannot be seen through FUSE. They must differ.
DIFFER = {("6.1.192", "damaged-size-negative"), ("6.1.192", "damaged-size-negative-link")}


def compare(coldread, daemon):
    if os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        print("needs root and /dev/fuse")
        return mounts.SKIPPED
    failures = []
    with tempfile.TemporaryDirectory(prefix="coldread-hostile-") as scratch:
        handmade.make(pathlib.Path(scratch))
        for release in mounts.KERNELS:
            kept = (HERE / f"hostile-{release}.txt").read_text(encoding="ascii")
            directory = tempfile.mkdtemp(dir=scratch)
            run = subprocess.run(
                [coldread, "exec", "--kernel", release, "--", str(HERE / "walk"), daemon, scratch,
                 directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                check=False, timeout=800)
            expected, found = mounts.cases(kept), mounts.cases(run.stdout)
            same = {name for name in expected if expected[name] == found.get(name)}
            differ = {name for version, name in DIFFER if version == release}
            failures += [f"{release} " + mounts.difference(name, expected.get(name, []),
                                                           found.get(name, []))
                         for name in (expected.keys() | found.keys()) - same - differ]
            failures += [f"{release} {name}: does not differ any more" for name in same & differ]
            if run.returncode != 0:
                failures.append(f"{release}: exit status {run.returncode}: {run.stderr[-2000:]}")
            print(f"{release}: {len(same)} of {len(expected)} images are the same")
    print("\n".join(sorted(failures)))
    return 1 if failures else 0


def record(daemon):
    with tempfile.TemporaryDirectory(prefix="coldread-hostile-") as scratch:
        handmade.make(pathlib.Path(scratch))
        for release, series in mounts.KERNELS.items():
            linux, reason = guest.find(series)
            if not linux:
                print(reason)
                return mounts.SKIPPED
            script = f"mkdir ~/walk && {HERE}/walk {daemon} {scratch} ~/walk 2>/dev/null"
            status, text = guest.run(linux, ["bash", "-c", script], limit_s=300)
            if status != 0:
                print(text[-2000:])
                return 1
            (HERE / f"hostile-{release}.txt").write_text(text, encoding="ascii")
            print(f"{release}: {len(mounts.cases(text))} images")
    return 0


def main():
    words = sys.argv[1:]
    if words[:1] == ["compare"] and len(words) == 3:
        return compare(*map(os.path.abspath, words[1:]))
    if words[:1] == ["record"] and len(words) == 2:
        return record(*map(os.path.abspath, words[1:]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
