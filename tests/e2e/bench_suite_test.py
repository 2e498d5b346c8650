#!/usr/bin/env python3
"""The benchmark suite runs: figures come out, and what is wrong is said. No time is looked at.

Without nginx and wrk, which the tests do not need: only sections that do without them.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).parents[2] / "bench" / "suite" / "run.py"
BUILD = None  # set at the end


def run(*arguments):
    return subprocess.run([sys.executable, RUN, "--set", "smoke", *map(str, arguments)],
                          capture_output=True, text=True, check=False, timeout=120)


class BenchSuiteTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(dir=BUILD)
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def test_sections_give_figures_and_leave_nothing_behind(self):
        out = self.path / "table.md"
        result = run("--build", BUILD, "--dir", self.path, "--out", out, "--only", "sync",
                     "firing", "disk")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(out.read_text(), result.stdout.removesuffix("\n"))
        figures = json.loads(out.with_suffix(".json").read_text())
        rows = {row["what"]: row for row in figures["rows"]}
        self.assertGreaterEqual(len(rows), 4)
        for what, row in rows.items():
            self.assertGreater(row["value"], 0, what)
            self.assertEqual(row["failed"], "", what)
        fired = next(row for what, row in rows.items() if what.startswith("firing"))
        self.assertAlmostEqual(fired["ratio"], fired["value"] / fired["beside_value"])
        self.assertEqual(sorted(path.name for path in self.path.iterdir()),
                         ["table.json", "table.md"])

    def test_a_daemon_that_does_not_start_fails_its_section_with_its_words(self):
        build = self.path / "build"
        build.mkdir()
        (build / "belfry-bench").symlink_to(BUILD / "belfry-bench")
        daemon = build / "belfry"
        daemon.write_text("#!/bin/sh\necho no luck >&2\nexit 3\n")
        daemon.chmod(0o755)
        result = run("--build", build, "--dir", self.path, "--only", "sync", "disk")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("no luck", result.stderr)
        self.assertIn("failed: belfry ended with 3", result.stdout)
        self.assertIn("append of 200 B and fdatasync", result.stdout)

    def test_what_is_wrong_before_the_start_is_said_in_one_line(self):
        for arguments, words in ((("--build", self.path), "run make"),
                                 (("--build", BUILD, "--dir", "/dev/null"), "--dir"),
                                 (("--build", BUILD, "--only", "nothing"), "invalid choice"),
                                 (("--rounds", "0"), "not a number above 0")):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertIn(words, result.stderr.splitlines()[-1])


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve().parent
    unittest.main(verbosity=2)
