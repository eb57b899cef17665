#!/usr/bin/env python3
"""The README's table of agreement says what the recordings say.

usage: agreement_table.py COLDREAD SOURCE_DIRECTORY [--update]

Plays every scenario on the model, compares it with what real kernels were recorded to answer, and
counts by folder and kernel. Without --update: fails if the README's table says anything else, or if
more than one in five cannot be asked of a kernel. Its last column is looked after by
tests/fuse/corpus/corpus.py.
"""
import collections
import glob
import json
import os
import subprocess
import sys

KERNELS = ["6.1.192", "6.12.117"]
BEGIN, END = "<!-- agreement -->", "<!-- /agreement -->"
ALL = "all"
OTHERS = "other profiles"  # no kernel can be built for them: they are the model's alone
HEADING = ["folder", "tells", *KERNELS, OTHERS, "on fuse"]
MOST = 5  # one run in so many may be not expressible


def scenario_name(path):
    """scenarios/poll/ready.json -> poll/ready."""
    folder, file = os.path.split(path)
    return os.path.basename(folder) + "/" + file.removesuffix(".json")


def scenarios(source):
    """Name -> path of all."""
    paths = glob.glob(os.path.join(glob.escape(source), "scenarios", "*", "*.json"))
    return {scenario_name(path): path for path in paths}


def three(counts, others=()):
    """What the table says of so many runs: agree / differ / not expressible."""
    return " / ".join(str(sum(counts[kind] for kind in kinds)) for kinds in
                      (("agree",), ("differ", *others), ("not_expressible",)))


def count(coldread, source):
    """Folder -> kernel or OTHERS -> counter of "agree", "differ", "not_expressible"."""
    run = subprocess.run(
        [coldread, "run", os.path.join(source, "scenarios"), "--format", "json",
         "--recorded", os.path.join(source, "tests", "recordings")],
        capture_output=True, text=True, check=False)
    folders = collections.defaultdict(lambda: collections.defaultdict(collections.Counter))
    for result in json.loads(run.stdout)["results"]:
        kernel = result["kernel"] if result["kernel"] in KERNELS else OTHERS
        for folder in (os.path.basename(os.path.dirname(result["scenario"])), ALL):
            folders[folder][kernel][result.get("agreement", "not compared")] += 1
    return folders


def too_many_not_expressible(folders):
    """The kernels that cannot be asked more than one in MOST runs."""
    return [kernel for kernel in KERNELS
            if folders[ALL][kernel]["not_expressible"] * MOST > folders[ALL][kernel].total()]


def cells(kernels):
    return ([three(kernels[kernel], ("not compared",)) for kernel in KERNELS]
            + [str(kernels[OTHERS].total())])


def row(parts):
    return "| " + " | ".join(parts) + " |"


def read_rows(lines):
    """Folder -> the row's cells behind its name."""
    rows = {}
    for line in lines[2:]:
        parts = [part.strip() for part in line.strip("|").split("|")]
        rows[parts[0].strip("`/")] = parts[1:]
    return rows


def check(source, update, on_recordings=None, on_fuse=None):
    """Puts new columns in the place of the table's own: 1 if it should have had them, else 0."""
    path = os.path.join(source, "README.md")
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    begin, end = lines.index(BEGIN), lines.index(END)
    rows = read_rows(lines[begin + 1:end])
    folders = sorted((set(on_recordings or on_fuse) | set(rows)) - {ALL}) + [ALL]
    wanted = [row(HEADING), "|" + "---|" * len(HEADING)]
    for folder in folders:
        if folder not in (on_recordings or on_fuse):
            continue  # it is no more
        old = rows.get(folder, ["?"]) + ["?"] * len(HEADING)
        recorded = cells(on_recordings[folder]) if on_recordings else old[1:4]
        fuse = on_fuse[folder] if on_fuse else old[4]
        name = folder if folder == ALL else "`%s/`" % folder
        wanted.append(row([name, old[0], *recorded, fuse]).replace("|  |", "| |"))
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
    FOLDERS = count(*sys.argv[1:3])
    CROWDED = too_many_not_expressible(FOLDERS)
    if CROWDED:
        sys.exit("more than one run in %d is not expressible on %s" % (MOST, ", ".join(CROWDED)))
    sys.exit(check(sys.argv[2], len(sys.argv) == 4, on_recordings=FOLDERS))
