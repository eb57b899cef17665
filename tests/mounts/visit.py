#!/usr/bin/env python3
"""One mount of an image, and what is run in it, step by step: the same on a real kernel and here.

usage: visit.py JSON, an object with
  "mount"     the words of mount(8) before the mountpoint; "at" is that
  "programs"  name -> words: they are run one after the other
  "daemon"    null, or its words: it is started before, and has "cache" to itself, which is made
  "log"       null, or the file in which the daemon writes down its messages
At last every file of the tree is looked at and read. Prints an object:
  "seconds"   of the steps: "mount", each program, "tree"
  "said"      what each program printed, and its exit status where that is not 0
  "tree"      its lines
  "reads"     with a log: until each step's end, how many READs, for how many bytes
It runs under `coldread exec`, on a real kernel that has the mode, or, without a daemon, anywhere.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tree  # noqa: E402  pylint: disable=wrong-import-position


def text_of(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def start_daemon(wanted):
    pathlib.Path(wanted["cache"]).expanduser().mkdir(exist_ok=True)
    daemon = subprocess.Popen(map(os.path.expanduser, wanted["daemon"]), stdout=subprocess.PIPE)
    if wanted["log"] is None:
        daemon.stdout.readline()
        return daemon
    while "ready" not in text_of(wanted["log"]) and daemon.poll() is None:
        time.sleep(0.01)
    return daemon


def reads_in(log):
    lengths = re.findall(r"^READ .*\+(\d+)$", text_of(log), re.MULTILINE)
    return len(lengths), sum(map(int, lengths))


def output_of(words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode(errors="replace")
    return said if done.returncode == 0 else f"{said}status {done.returncode}\n"


class Watch:
    """Times steps, and reads the daemon's log behind each."""

    def __init__(self, log):
        self.log = log
        self.result = {"seconds": {}, "said": {}, "reads": {}}

    def step(self, name, function):
        start = time.monotonic()
        value = function()
        self.result["seconds"][name] = time.monotonic() - start
        if self.log:
            self.result["reads"][name] = reads_in(self.log)
        return value


def visit(wanted):
    watch = Watch(wanted["log"])
    at = wanted["at"]
    watch.step("mount", lambda: subprocess.run(["mount", *wanted["mount"], at], check=True))
    for name, words in wanted["programs"].items():
        watch.result["said"][name] = watch.step(name, lambda words=words: output_of(words))
    watch.result["tree"] = watch.step("tree", lambda: tree.lines(at))
    subprocess.run(["umount", at], check=True)
    return watch.result


def main():
    wanted = json.loads(sys.argv[1])
    daemon = start_daemon(wanted) if wanted["daemon"] else None
    try:
        result = visit(wanted)
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
