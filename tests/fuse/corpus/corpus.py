#!/usr/bin/env python3
"""Plays every scenario through a mount, with real processes, and compares it with the model.

usage: corpus.py COLDREAD SOURCE_DIRECTORY [--every N] [--update]

Fails for a difference that differences.txt does not list, for a line there without a difference,
and if the column `on fuse` of the README's table of agreement says anything else (--update writes
it). --every N takes every Nth scenario only and leaves the README alone. Exits with 77 where
`coldread doctor` says that it cannot be done.
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DIFFERENCES = os.path.join(HERE, "differences.txt")
sys.path.insert(0, os.path.join(HERE, "..", "..", "scenarios"))
import agreement_table  # noqa: E402


def why_not(coldread):
    """What keeps this machine from it; None: nothing."""
    doctor = subprocess.run([coldread, "doctor", "--format", "json"], capture_output=True,
                            text=True, check=False)
    findings = {f["subject"]: f for f in json.loads(doctor.stdout)["findings"]}
    for subject in ("/dev/fuse", "exec"):
        if not findings[subject]["good"]:
            return "%s: %s" % (subject, findings[subject]["text"])
    return None


def known_differences():
    """Scenario -> whether it is racy. A line that is none is an error."""
    known = {}
    with open(DIFFERENCES, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                continue
            found = re.fullmatch(r"(\S+?)( \(racy\))?: \S.*\n", line)
            if not found or found[1] in known:
                sys.exit("%s: expected SCENARIO: REASON, each scenario once: %r"
                         % (DIFFERENCES, line))
            known[found[1]] = found[2] is not None
    return known


def play(coldread, paths):
    jobs = 4 * (os.cpu_count() or 1)  # most of them wait for most of their time
    run = subprocess.run([coldread, "run", *paths, "--on", "fuse", "--compare", "--format", "json",
                          "--jobs", str(jobs)], stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(run.stdout)["results"]


def judge(results, known):
    """Prints and counts what is wrong."""
    wrong = []
    differing = {}
    for result in results:
        name = agreement_table.scenario_name(result["scenario"])
        agreement = result.get("agreement", "not compared")
        differing[name] = differing.get(name, False) or agreement == "differ"
        if agreement == "differ" and name not in known:
            wrong.append("%s (%s) differs, which differences.txt does not know: %s" %
                         (name, result["kernel"], json.dumps(result, indent=1)))
        elif agreement not in ("agree", "differ", "not_expressible"):
            wrong.append("%s (%s): %s: %s" % (name, result["kernel"], result["verdict"],
                                              result.get("reason", "")))
    for name, racy in known.items():
        if name in differing and not differing[name] and not racy:
            wrong.append("%s agrees, but differences.txt says that it differs" % name)
    if not any(result.get("agreement") == "agree" for result in results):
        wrong.append("nothing agrees")
    print("\n".join(wrong))
    return len(wrong)


def column(results, known):
    """Folder -> "agree / differ / not expressible" of both kernels; what may differ is "differ"."""
    counts = collections.defaultdict(collections.Counter)
    for result in results:
        if result["kernel"] not in agreement_table.KERNELS:
            continue
        name = agreement_table.scenario_name(result["scenario"])
        for folder in (os.path.dirname(name), agreement_table.ALL):
            counts[folder]["differ" if known.get(name) else result.get("agreement")] += 1
    return {folder: agreement_table.three(c) for folder, c in counts.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("coldread")
    parser.add_argument("source")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    reason = why_not(arguments.coldread)
    if reason:
        print(reason)
        return 77
    known = known_differences()
    names = agreement_table.scenarios(arguments.source)
    missing = [name for name in known if name not in names]
    if missing:
        sys.exit("%s: no such scenarios: %s" % (DIFFERENCES, " ".join(missing)))
    paths = [names[name] for name in sorted(names)[::arguments.every]]
    results = play(arguments.coldread, paths)
    wrong = judge(results, known)
    if arguments.every == 1:
        wrong += agreement_table.check(arguments.source, arguments.update,
                                       on_fuse=column(results, known))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
