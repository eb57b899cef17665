#!/usr/bin/env python3
"""What `coverage` counts, says and gives up on, with pretenders for kernel, coldread and gcov.

usage: coverage_test.py DIRECTORY_OF_THE_SCRIPT
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(sys.argv.pop(1)).resolve()

# Leaves the scenario's name where the counters would be; plays as the scenario's file says.
COLDREAD = """#!/usr/bin/env python3
import json, os, pathlib, sys
paths = [word for word in sys.argv[2:] if word.endswith(".json")]
on_kernel = "--compare" in sys.argv
results = []
for path in paths:
    played = json.loads(pathlib.Path(path).read_text())
    kernel = played.get("kernel", "6.12.117")
    result = {"scenario": path, "kernel": kernel, "verdict": "passed"}
    if played.get("bad"):
        result.update(verdict="bad_input", reason=path + ": no JSON")
    if on_kernel:
        result.update(played["result"])
        tools = os.environ["COLDREAD_KERNEL_TOOLS"]
        secure = "/secure/linux" in os.popen(tools + "/build 6.12.117").read()
        assert secure == played.get("security", False)
        assert os.environ["COLDREAD_PAUSES"] == played.get("pauses", "")
        counters = pathlib.Path(os.environ["COLDREAD_COUNTERS"].split(":")[2])
        counters.write_text(os.path.abspath(path))
    results.append(result)
print(json.dumps({"results": results}))
"""

LINUX = """#!/bin/sh
[ "${COLDREAD_COUNTERS%:*}" = 61000010:110 ] || exit 1
cp "${COLDREAD_COUNTERS##*:}" "$COLDREAD_GCDA/fs/cachefiles/io.gcda"
"""

# What the scenario executes, out of five lines there are.
GCOV = """#!/usr/bin/env python3
import json, pathlib, sys
for data in sys.argv[3:]:
    played = json.loads(pathlib.Path(pathlib.Path(data).read_text()).read_text())
    lines = [{"line_number": number, "function_name": "cachefiles_read",
              "count": int(number in played["lines"])} for number in range(10, 15)]
    lines.append({"line_number": 10, "function_name": "cachefiles_read", "count": 0})
    files = [{"file": name, "lines": lines} for name in
             ("fs/cachefiles/io.c", "fs/netfs/fscache_io.c", "fs/netfs/io.c", "include/linux/fs.h")]
    print(json.dumps({"files": files}))
"""

NM = """#!/bin/sh
echo '0000000060000000 T _text'
echo '0000000061000010 0000000000000008 b __gcov0.a'
echo '0000000061000100 0000000000000020 b __gcov0.b'
echo '0000000062000000 0000000000000008 t __gcov_dump'
"""

AGREE = {"verdict": "passed", "agreement": "agree"}


class CoverageTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.work = pathlib.Path(directory.name)
        self.here = self.work / "tests/kernel"
        self.here.mkdir(parents=True)
        shutil.copy(TOOLS / "coverage", self.here)
        for kernel in ("6.12", "secure"):
            (self.work / kernel / "fs/cachefiles").mkdir(parents=True)
            (self.work / kernel / "fs/cachefiles/io.gcno").touch()
            self.stub(f"{kernel}/linux", LINUX)
        self.stub("build/coldread", COLDREAD)
        self.stub("bin/gcov", GCOV)
        self.stub("bin/nm", NM)
        self.build(f"echo release=6.12.117; echo linux={self.work}/$2/linux; echo module=m.ko")

    def stub(self, name, text):
        path = self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def build(self, does):
        self.stub("tests/kernel/build", '#!/bin/sh\n[ "$1" = --coverage ] || exit 9\n'
                  f'[ "$2" != --security ] || set -- "$1" secure\n{does}\n')

    def scenario(self, name, lines, result=None, **more):
        played = {"lines": lines, "result": result or AGREE, **more}
        (self.work / name).write_text(json.dumps(played))
        return name

    def coverage(self, *arguments):
        scratch = self.work / "tmp"
        scratch.mkdir(exist_ok=True)
        environment = dict(os.environ, TMPDIR=str(scratch),
                           PATH=f"{self.work}/bin:{os.environ['PATH']}")
        done = subprocess.run([sys.executable, str(self.here / "coverage"), *arguments],
                              check=False, capture_output=True, text=True, cwd=self.work,
                              env=environment)
        self.assertEqual(list(scratch.iterdir()), [])
        return done

    def assert_fails(self, done, status, text):
        self.assertEqual(done.returncode, status, done)
        self.assertIn(text, done.stderr)
        self.assertNotIn("Traceback", done.stderr)

    def test_adds_up_what_scenarios_execute(self):
        done = self.coverage(self.scenario("a.json", [10, 11]), self.scenario("b.json", [11, 13]))
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["fs/cachefiles/io.c", "3", "of", "5", "60.0", "%"])
        self.assertEqual(lines[1].split()[0], "fs/netfs/fscache_io.c")
        self.assertEqual(lines[2], "")
        self.assertIn("Linux 6.12.117: 2 scenarios counted, 0 not", lines)
        self.assertEqual(lines[-3:], ["not reached:", "fs/cachefiles/io.c:12 cachefiles_read",
                                      "fs/cachefiles/io.c:14 cachefiles_read"])

    def test_counts_only_what_agrees(self):
        passed_only = {"verdict": "passed", "agreement": "differ"}
        failed = {"verdict": "failed", "agreement": "agree", "reason": "an expectation",
                  "mismatches": [{"pointer": "/tasks/a/0/expect"}, {"pointer": "/expect"}]}
        done = self.coverage(self.scenario("a.json", [10]),
                             self.scenario("b.json", [11], passed_only),
                             self.scenario("c.json", [12], failed))
        self.assertEqual(done.returncode, 1)
        self.assertIn(" 1 of     5", done.stdout)
        self.assertIn('  b.json: passed, differ\n  c.json: failed, agree: an expectation; '
                      '{"pointer": "/tasks/a/0/expect"}\n', done.stdout)

    def test_what_no_kernel_can_play_is_no_failure(self):
        unplayable = {"verdict": "skipped", "agreement": "not_expressible"}
        done = self.coverage(self.scenario("a.json", [10]),
                             self.scenario("b.json", [11], unplayable),
                             self.scenario("c.json", [12], kernel="6.1.192"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 scenarios counted, 1 not\n  b.json: skipped, not expressible\n",
                      done.stdout)

    def test_the_kernel_and_the_pauses_a_scenario_wants(self):
        (self.here / "paused").mkdir()
        paused = self.scenario("tests/kernel/paused/late.json", [12], pauses="late")
        done = self.coverage(self.scenario("late.json", [10]), paused,
                             self.scenario("b.json", [11], security=True))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.splitlines()[0].split()[1], "3")

    def test_only_scenarios_that_want_security_have_a_kernel_with_it_built(self):
        self.build(f'[ $2 = secure ] && echo reason=no time && exit 77; echo release=6.12.117; '
                   f'echo linux={self.work}/6.12/linux')
        scenario = self.scenario("a.json", [10])
        self.assertEqual(self.coverage(scenario).returncode, 0)
        secure = self.scenario("b.json", [11], security=True)
        self.assert_fails(self.coverage(scenario, secure), 77, "skipped: no time")

    def test_unreached_lines_of_all_files(self):
        done = self.coverage("--all", self.scenario("a.json", [10, 11, 12, 13]))
        self.assertEqual(done.stdout.splitlines()[-2:], [
            "fs/cachefiles/io.c:14 cachefiles_read", "fs/netfs/fscache_io.c:14 cachefiles_read"])

    def test_remarks_on_lines_that_are_not_reached(self):
        (self.here / "unreached-6.12.117.txt").write_text(
            "# why\n\nfs/cachefiles/io.c:13-14 cachefiles_read: no memory\n")
        scenario = self.scenario("a.json", [10, 11, 13])
        done = self.coverage(scenario)
        self.assertEqual(done.stdout.splitlines()[-3:], [
            "fs/cachefiles/io.c:12 cachefiles_read",
            "fs/cachefiles/io.c:13 cachefiles_read IS reached, the list of remarks is wrong",
            "fs/cachefiles/io.c:14 cachefiles_read: no memory"])
        (self.here / "unreached-6.12.117.txt").write_text("fs/cachefiles/io.c cachefiles_read\n")
        self.assert_fails(self.coverage(scenario), 1, "unreached-6.12.117.txt: expected FILE:LINE")

    def test_markdown_is_the_table_alone(self):
        done = self.coverage("--markdown", self.scenario("a.json", [10]))
        self.assertTrue(done.stdout.startswith("| file |"))
        self.assertTrue(done.stdout.endswith("| `fs/netfs/fscache_io.c` | 1 | 5 | 20.0 % |\n"))

    def test_no_kernel(self):
        scenario = self.scenario("a.json", [10])
        self.build("echo reason=no network; exit 77")
        self.assert_fails(self.coverage(scenario), 77, "skipped: no network")
        self.build("echo reason=does not compile; exit 1")
        self.assert_fails(self.coverage(scenario), 1, "coverage: does not compile")
        self.build("exit 3")
        self.assert_fails(self.coverage(scenario), 3, "/tests/kernel/build ended with 3")

    def test_a_kernel_that_does_not_count(self):
        self.stub("bin/nm", "#!/bin/sh\necho '0000000060000000 T _text'\n")
        self.assert_fails(self.coverage(self.scenario("a.json", [10])), 1, "has no gcov counters")

    def test_programs_that_fail(self):
        scenario = self.scenario("a.json", [10])
        self.stub("6.12/linux", "#!/bin/sh\necho counters: too short >&2; exit 1\n")
        self.assert_fails(self.coverage(scenario), 1, "counters cannot be read: counters: too")
        self.stub("6.12/linux", LINUX)
        self.stub("bin/gcov", "#!/bin/sh\necho version mismatch >&2\n")
        self.assert_fails(self.coverage(scenario), 1, "gcov: version mismatch")
        self.stub("build/coldread", "#!/bin/sh\necho no such path >&2; exit 2\n")
        self.assert_fails(self.coverage(scenario), 1, "coverage: no such path")
        self.assert_fails(self.coverage("--coldread", "none"), 1, "none: No such file")

    def test_bad_input(self):
        scenario = self.scenario("a.json", [], bad=True)
        self.assert_fails(self.coverage(scenario), 2, "a.json: no JSON")
        self.assert_fails(self.coverage("--kernel", "5.19"), 2, "invalid choice: '5.19'")
        self.assert_fails(self.coverage("--jobs", "0"), 2, "invalid choice: 0")


if __name__ == "__main__":
    unittest.main()
