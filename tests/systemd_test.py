#!/usr/bin/env python3
"""The unit file: systemd understands it, and its exposure stays low. Usage: systemd_test.py BELFRY

Nothing is started and no systemd has to run: systemd-analyze reads the file.
"""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

UNIT = Path(__file__).parent.parent / "systemd" / "belfry.service"
EXPOSURE_MAX = 11  # of 100: 1.1, where systemd calls everything up to 4.9 OK
BELFRY = Path("/nonexistent")


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True,
                          check=False, timeout=60)


class UnitTest(unittest.TestCase):
    def setUp(self):
        self.assertIsNotNone(shutil.which("systemd-analyze"), "the systemd package is missing")

    def verify(self, text):
        """What `systemd-analyze verify` says of the unit, with our binary in its ExecStart."""
        with tempfile.TemporaryDirectory() as folder:
            unit = Path(folder) / "belfry.service"
            unit.write_text(text.replace("/usr/local/bin/belfry", str(BELFRY)), encoding="utf-8")
            result = analyze("verify", "--recursive-errors=no", str(unit))
        about = [line for line in result.stderr.splitlines() if "belfry" in line]
        return result.returncode, about

    def test_systemd_understands_every_line(self):
        self.assertEqual(self.verify(UNIT.read_text(encoding="utf-8")), (0, []))

    def test_a_misspelt_line_would_be_found(self):
        text = UNIT.read_text(encoding="utf-8").replace("WatchdogSec=20", "WatchdogSecs=20")
        _, about = self.verify(text)
        self.assertEqual(len(about), 1)
        self.assertIn("WatchdogSecs", about[0])

    def test_what_cannot_get_better_is_not_restarted(self):
        lines = UNIT.read_text(encoding="utf-8").splitlines()
        for line in ["Type=notify", "RestartPreventExitStatus=75 78", "StateDirectory=belfry"]:
            self.assertIn(line, lines)

    def test_exposure_stays_low(self):
        result = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}",
                         "--no-pager", str(UNIT))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("Overall exposure level for belfry.service", result.stdout)


if __name__ == "__main__":
    BELFRY = Path(sys.argv.pop(1)).resolve()
    unittest.main()
