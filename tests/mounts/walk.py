#!/usr/bin/env python3
"""Mounts images and prints all there is in them, each error and what the kernel's log says of it.

usage: walk.py BLOBS MOUNTPOINT
For BLOBS/handmade, and for each BLOBS/damaged-* what is not as in handmade. Functions' names are
left out of the log, and so are repetitions.
"""

import binascii
import ctypes
import errno
import os
import re
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PART = 131072  # of a file that is larger


def attempt(function, *arguments):
    try:
        return function(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def contents(path):
    with open(path, "rb", buffering=0) as file:
        data = b""
        while len(data) < PART:
            part = file.read(PART - len(data))
            if not part:
                break
            data += part
        return f"{len(data)} bytes {binascii.crc32(data):08x}"


def attributes(path):
    names = attempt(lambda: os.listxattr(path, follow_symlinks=False))
    if isinstance(names, str):
        return [names]
    names = sorted(names)
    return [f"{os.fsencode(name)}={attempt(os.getxattr, path, name)}"
            for name in names + ["user.none"]]


def describe(path):
    stat = attempt(os.lstat, path)
    if isinstance(stat, str):
        return [stat]
    words = [f"{stat.st_mode:o} {stat.st_nlink} {stat.st_uid}:{stat.st_gid} {stat.st_size}",
             f"{os.major(stat.st_rdev)},{os.minor(stat.st_rdev)} ino {stat.st_ino}",
             f"{stat.st_blocks} {stat.st_mtime_ns}"]
    kind = stat.st_mode >> 12
    if kind == 10:
        link = attempt(os.readlink, path)
        words.append(link if len(link) < 20 else f"{len(link)} {link[:3]}...")
    elif kind == 8:
        words.append(attempt(contents, path))
        words += attributes(path)
    elif kind == 4:
        words.append(",".join(sorted(os.listdir(path))))
    return words


def walk(top):
    """Name -> what there is."""
    names = "block char chunks fifo huge inline link long map old plain socket m none zzzz".split()
    found = {".": [attempt(lambda: ",".join(sorted(os.listdir(top))))]}
    return {**found, **{name: describe(os.path.join(top, name)) for name in names}}


def log():
    text = subprocess.run(["dmesg", "-t"], capture_output=True, text=True, check=False).stdout
    said = [re.sub(r"^(erofs:(?: \(device \w+\):)?) \w+: ", r"\1 ", line)
            for line in text.splitlines() if line.startswith("erofs")]
    return [line for number, line in enumerate(said) if line not in said[:number]]


def main():
    blobs, top = sys.argv[1:]
    damaged = sorted(name for name in os.listdir(blobs) if name.startswith("damaged-"))
    healthy = {}
    for name in ["handmade", *damaged]:
        print("case", name)
        subprocess.run(["dmesg", "-C"], check=False)
        if LIBC.mount(b"none", top.encode(), b"erofs", 0, b"noacl,fsid=" + name.encode()) == 0:
            found = walk(top)
            LIBC.umount2(top.encode(), 0)
            for entry, words in found.items():
                if words != healthy.get(entry):
                    print(" ".join([entry, *words]).rstrip())
            healthy = healthy or found
        else:
            print("mount", errno.errorcode[ctypes.get_errno()])
        print("\n".join(log()))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
