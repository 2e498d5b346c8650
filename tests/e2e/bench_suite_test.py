#!/usr/bin/env python3
"""The benchmark suite runs: figures come out, and what is wrong is said. No time is looked at.

Without nginx and wrk, which the tests do not need: only sections that do without them.
"""

import http.client
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).parents[2] / "bench"
sys.path[:0] = [str(BENCH / "suite"), str(BENCH)]

# pylint: disable=wrong-import-position
from bare_accept import BareAccept
from processes import BenchError

RUN = BENCH / "suite" / "run.py"
BUILD = None  # set at the end


def post(port, body):
    """(status, Location, body) of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/timers", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location"), answer.read()
    finally:
        connection.close()


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

    def test_the_bare_prototype_answers_each_set_with_its_id(self):
        with BareAccept(BUILD, self.path / "bare") as bare:
            bare.start()
            bodies = ('{"delay":"1h","url":"http://127.0.0.1:9000/hook"}',
                      '{"hours":1,"minutes":0,"seconds":3,"url":"http://127.0.0.1:9000/hook"}')
            for number, body in enumerate(bodies, 1):
                self.assertEqual(post(bare.port, body), (201, f"/timers/{number}",
                                                         b'{"id":%d}' % number))
            with self.assertRaises(http.client.RemoteDisconnected):
                post(bare.port, '{"hours":"one"}')
            self.assertEqual(post(bare.port, bodies[0])[0], 201)
            bare.stop()
            self.assertTrue(list(bare.data.glob("*.log")))
            bare.forget_data()
            self.assertFalse(bare.data.exists())

    def test_a_bare_prototype_that_is_not_built_or_cannot_listen_is_an_error(self):
        with self.assertRaisesRegex(BenchError, "build everything"):
            BareAccept(self.path, self.path / "bare")
        with BareAccept(BUILD, self.path / "one") as one:
            one.start()
            with BareAccept(BUILD, self.path / "two") as two:
                two.port = one.port
                with self.assertRaisesRegex(BenchError, "address already in use"):
                    two.start()

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
