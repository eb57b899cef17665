#!/usr/bin/env python3
"""The house style, checked: usage: lint.py style|format SOURCE_ROOT.

`style` reads every file git tracks; `format` asks clang-format about the C++ ones. Exit code 1 with
one line per finding, 77 (skipped) with the reason where the tool or the checkout is missing.
"""

import pathlib
import re
import shutil
import subprocess
import sys

MAX_LINES = 600
MAX_COLUMNS = 100
CODE = {".cpp", ".h", ".c", ".py", ".sh"}
TEXT = CODE | {".build", ".txt", ".md", ".json", ".yml", ".yaml", ""}
# In the kernel's style, not ours.
KERNEL_STYLE = "tests/kernel/module/"
# A path of somebody's machine; "root=/dev/root" and the like are not one.
MACHINE_PATH = re.compile(r"(?<![\w/.}-])/(work|root|home)/\w")

# What each folder may include from this project; everything else of the project is out of bounds.
ARROWS = [
    ("kernelmodel/", ("kernelmodel/",)),
    ("sim/live/", ("kernelmodel/", "sim/", "tests/kernel/module/")),  # the module's interface
    ("sim/cli/", ("kernelmodel/", "sim/", "fuse/")),
    ("sim/", ("kernelmodel/", "sim/")),
    ("fuse/mount/netfs_file", ("kernelmodel/", "sim/", "fuse/", KERNEL_STYLE)),  # likewise
    ("fuse/", ("kernelmodel/", "sim/", "fuse/")),
]
PROJECT_FOLDERS = ("kernelmodel/", "sim/", "fuse/", "bench/", "tests/")
# The model has no threads, no I/O, no clock and no randomness of its own.
MODEL_FORBIDDEN = {"thread", "future", "condition_variable", "chrono", "random", "fstream",
                   "iostream", "filesystem", "ctime", "unistd.h", "time.h", "pthread.h"}
# C headers without a C++ twin that only bring types and numbers.
MODEL_C_HEADERS = {"sys/types.h", "fcntl.h", "poll.h", "sys/stat.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def tracked_files(root):
    """Tracked paths that still exist, relative to the root."""
    if shutil.which("git") is None or not (root / ".git").exists():
        skip("not a git checkout: the list of files is git's")
    listing = subprocess.run(["git", "-C", root, "ls-files", "-z"], check=True,
                             capture_output=True).stdout
    paths = [pathlib.PurePosixPath(name) for name in listing.decode().split("\0") if name]
    return [path for path in paths if (root / path).is_file()]


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def opening_comment(path, lines):
    """Whether the file opens with a sentence on why it exists (behind #! and SPDX lines).

    A .cpp that opens with its own header leaves that to the header.
    """
    own_header = f'#include "{path.with_suffix(".h")}"'
    if path.suffix == ".cpp" and lines[:1] == [own_header]:
        return True
    body = [line for line in lines if not line.startswith("#!") and "SPDX-License" not in line]
    marks = {".py": ('"""', "#"), ".sh": ("#",)}.get(path.suffix, ("//", "/*"))
    return bool(body) and body[0].startswith(marks)


def kernel_style(path):
    return str(path).startswith(KERNEL_STYLE)


def check_includes(path, lines):
    """Yields (line number, text) for every include that runs against the arrows of the design."""
    allowed = next((may for folder, may in ARROWS if str(path).startswith(folder)), None)
    if allowed is None:
        return
    for number, line in enumerate(lines, 1):
        found = INCLUDE.match(line)
        if not found:
            continue
        quoted, header = found.group(1) == '"', found.group(2)
        if header.startswith(PROJECT_FOLDERS):
            if not header.startswith(allowed):
                yield number, f"{path.parts[0]}/ must not include {header}"
        elif quoted and not header.startswith("generated/"):
            yield number, f'include from the root: "{header}"'
        elif str(path).startswith("kernelmodel/"):
            standard = "/" not in header and "." not in header
            if header in MODEL_FORBIDDEN or not (standard or header in MODEL_C_HEADERS):
                yield number, f"kernelmodel/ must not include <{header}>"


def check_text(path, text, lines):
    """Yields (line number, text) for everything wrong with one file."""
    if text and not text.endswith("\n"):
        yield len(lines), "no newline at the end"
    if path.suffix in CODE:
        if len(lines) > MAX_LINES:
            yield len(lines), f"more than {MAX_LINES} lines"
        if not opening_comment(path, lines):
            yield 1, "must open with a comment on why the file exists"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip() and path.suffix != ".md":
            yield number, "space at the end of the line"
        if path.suffix in CODE and not kernel_style(path) and len(line.expandtabs(8)) > MAX_COLUMNS:
            yield number, f"longer than {MAX_COLUMNS} columns"
        if MACHINE_PATH.search(line):
            yield number, "a path of one machine"


def style(root):
    findings = []
    for path in tracked_files(root):
        if path.suffix not in TEXT:
            continue
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            if path.suffix in CODE:
                findings.append(f"{path}:1: not UTF-8")
            continue
        lines = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")
        for number, what in [*check_text(path, text, lines), *check_includes(path, lines)]:
            findings.append(f"{path}:{number}: {what}")
    return findings


def clang_format(root):
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        skip("clang-format is not installed")
    version = subprocess.run([tool, "--version"], check=True, capture_output=True, text=True).stdout
    if " 14." not in version:
        skip(f"formats differ between versions; 14 is wanted, this is {version.strip()}")
    sources = [str(path) for path in tracked_files(root)
               if path.suffix in {".cpp", ".h"} and not kernel_style(path)]
    run = subprocess.run([tool, "--dry-run", "-Werror", *sources], cwd=root, capture_output=True,
                         text=True)
    return [line for line in run.stderr.splitlines() if "error:" in line] or (
        [run.stderr.strip()] if run.returncode else [])


def main():
    checks = {"style": style, "format": clang_format}
    if len(sys.argv) != 3 or sys.argv[1] not in checks:
        sys.exit(__doc__)
    findings = checks[sys.argv[1]](pathlib.Path(sys.argv[2]))
    print("\n".join(findings) if findings else f"{sys.argv[1]}: nothing to complain about")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
