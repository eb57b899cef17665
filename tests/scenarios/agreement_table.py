#!/usr/bin/env python3
"""The README's table of agreement says what the recordings say.

usage: agreement_table.py COLDREAD SOURCE_DIRECTORY [--update]

Plays every scenario on the model, compares it with what real kernels were recorded to answer, and
counts by folder. Without --update: fails if the README's table says anything else.
"""
import collections
import json
import os
import subprocess
import sys

KERNELS = ["6.1.192", "6.12.117"]
BEGIN, END = "<!-- agreement -->", "<!-- /agreement -->"


def count(coldread, source):
    """folder -> counter of "6.1.192 agree", "differ", "not expressible"."""
    run = subprocess.run(
        [coldread, "run", os.path.join(source, "scenarios"), "--format", "json",
         "--recorded", os.path.join(source, "tests", "recordings")],
        capture_output=True, text=True, check=False)
    folders = collections.defaultdict(collections.Counter)
    for result in json.loads(run.stdout)["results"]:
        folder = folders[os.path.basename(os.path.dirname(result["scenario"]))]
        agreement = result.get("agreement", "not compared")
        folder["agree " + result["kernel"] if agreement == "agree" else agreement] += 1
        folder["runs"] += 1
    return folders


def cells(counts):
    return ([str(counts["agree " + kernel]) for kernel in KERNELS]
            + [str(counts["differ"] + counts["not compared"]), str(counts["not_expressible"])])


def table(folders, tells):
    kernels = " | ".join(k + " agrees" for k in KERNELS)
    lines = ["| folder | tells | " + kernels + " | differ | not expressible |",
             "|---|---|---|---|---|---|"]
    total = collections.Counter()
    for name in sorted(folders):
        total.update(folders[name])
        counts = " | ".join(cells(folders[name]))
        lines.append("| `%s/` | %s | %s |" % (name, tells.get(name, "?"), counts))
    lines.append("| all | | %s |" % " | ".join(cells(total)))
    return lines


def main(coldread, source, update):
    path = os.path.join(source, "README.md")
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    begin, end = lines.index(BEGIN), lines.index(END)
    tells = {}
    for row in lines[begin + 1:end]:
        if row.startswith("| `"):
            parts = [part.strip() for part in row.split("|")]
            tells[parts[1].strip("`/")] = parts[2]
    wanted = table(count(coldread, source), tells)
    if lines[begin + 1:end] == wanted:
        return 0
    if update:
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines[:begin + 1] + wanted + lines[end:]))
        return 0
    print("README.md: the table of agreement should be (--update writes it):")
    print("\n".join(wanted))
    return 1


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[3:] not in ([], ["--update"]):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2], len(sys.argv) == 4))
