#!/usr/bin/env python3
"""Everything about a tree of files, as text: two trees are the same if their lines are.

usage: tree.py DIRECTORY, which prints the lines.

A line for each name, sorted: type and permissions, owner, time of the last change, links; what its
type has: size and SHA-256, target, or device number; extended attributes; and, where a file has
several names, the first of them. A directory's size is its file system's matter and left out.
"""

import hashlib
import os
import stat
import sys

PIECE = 1 << 20


def content(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def attributes(path):
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return [f"{name}={os.getxattr(path, name, follow_symlinks=False).hex()}" for name in names]


def line(root, name, first_names):
    path = os.path.join(root, name)
    status = os.lstat(path)
    words = [repr(os.fsdecode(name)), stat.filemode(status.st_mode),
             f"{status.st_uid}:{status.st_gid} {status.st_mtime_ns} links={status.st_nlink}"]
    if stat.S_ISREG(status.st_mode):
        words += [str(status.st_size), content(path)]
    elif stat.S_ISLNK(status.st_mode):
        words.append(f"-> {os.readlink(path)!r}")
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        words.append(f"{os.major(status.st_rdev)},{os.minor(status.st_rdev)}")
    if not stat.S_ISDIR(status.st_mode) and status.st_nlink > 1:
        words.append(f"is {first_names.setdefault(status.st_ino, words[0])}")
    return " ".join(words + attributes(path))


def names(root):
    """Relative to it, sorted, those of directories too; the root itself is ".".

    A directory that cannot be read is an error, not one without files.
    """
    found = ["."]
    for directory, directories, files in os.walk(root, onerror=fail):
        found += [os.path.relpath(os.path.join(directory, name), root)
                  for name in directories + files]
    return sorted(found)


def fail(error):
    raise error


def lines(root):
    first_names = {}
    return [line(root, name, first_names) for name in names(root)]


def digest_of(some_lines):
    text = "\n".join(some_lines)
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print("\n".join(lines(sys.argv[1])))
