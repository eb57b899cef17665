#!/usr/bin/env python3
"""Makes the EROFS image that the real-input scenarios read: usage: make_image.py MKFS OUTPUT.

The tree is generated, and times, owners and UUID are fixed: the same mkfs.erofs gives the same
bytes wherever and whenever it runs, so a scenario can expect exact offsets.
"""

import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

UUID = "c01d4ead-0000-4000-8000-000000000001"
SIZES = {
    "bin/tool": 700_001,            # ends in the middle of a block
    "etc/config": 517,              # small enough to be stored inline
    "etc/empty": 0,
    "lib/data.bin": 1 << 20,
    "lib/part.bin": 131_072,        # exactly one step of the readers
}


def pseudo_random(name, size):
    """`size` bytes that do not compress, the same for the same name."""
    return hashlib.shake_256(name.encode()).digest(size)


def make_tree(root):
    for name, size in SIZES.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pseudo_random(name, size))
        path.chmod(0o755 if name.startswith("bin/") else 0o644)
        path.parent.chmod(0o755)
    (root / "lib/link").symlink_to("data.bin")
    root.chmod(0o755)


def main():
    mkfs, output = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        tree = pathlib.Path(scratch) / "tree"
        tree.mkdir()
        make_tree(tree)
        image = pathlib.Path(scratch) / "image"
        subprocess.run([mkfs, "--quiet", "-x-1", "-T0", f"-U{UUID}", "--all-root", image, tree],
                       check=True, stdout=subprocess.DEVNULL)
        # In one step: an interrupted build leaves no half-written image.
        unfinished = pathlib.Path(output + ".new")
        unfinished.write_bytes(image.read_bytes())
        os.replace(unfinished, output)


if __name__ == "__main__":
    main()
