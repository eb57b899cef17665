#!/usr/bin/env python3
"""Adds up the results in a directory: usage: count.py DIR.

DIR holds JUnit files (one case, one result) and stages.tsv with what no test program reports. Skips
are listed with their reason; the last line is the sum, and the exit code 1 if anything failed.
"""

import collections
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def junit_cases(path):
    """Yields (name, result, reason) of every case in a JUnit file."""
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            name = f"{case.get('classname') or suite.get('name')}: {case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                yield name, "failed", ""
            elif skipped is not None or case.get("status") == "notrun":
                reason = "" if skipped is None else skipped.get("message") or skipped.text or ""
                yield name, "skipped", reason.strip()
            else:
                yield name, "passed", ""


def stage_results(path):
    for line in path.read_text().splitlines():
        yield tuple(line.split("\t"))


def main():
    directory = pathlib.Path(sys.argv[1])
    sums = collections.Counter()
    for path in sorted(directory.iterdir()):
        reader = stage_results if path.suffix == ".tsv" else junit_cases
        try:
            found = list(reader(path))
        except (ElementTree.ParseError, ValueError) as error:
            found = [(path.name, "failed", f"unreadable results: {error}")]
        for name, result, reason in found:
            sums[result] += 1
            if result != "passed":
                print(f"{result}: {path.stem}: {name}{': ' if reason else ''}{reason}")
    print(f"{sums['passed']} passed, {sums['failed']} failed, {sums['skipped']} skipped")
    sys.exit(1 if sums["failed"] or not sums["passed"] else 0)


if __name__ == "__main__":
    main()
