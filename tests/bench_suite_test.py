#!/usr/bin/env python3
"""The pure parts of bench/suite: figures, tables, plot, command line. Nothing is started."""

import argparse
import json
import re
import sys
import unittest
import xml.etree.ElementTree
from pathlib import Path

BENCH = Path(__file__).parent.parent / "bench"
sys.path[:0] = [str(BENCH / "suite"), str(BENCH)]

# pylint: disable=wrong-import-position
import growth_plot
import machine
import plan as plans
import results
import run as suite
from clients import seconds
from figures import parse_figures
from processes import BenchError
from sections import SECTIONS, accept, bulk

SVG = "{http://www.w3.org/2000/svg}"


class FiguresTest(unittest.TestCase):
    def test_the_median_of_an_even_number_lies_between_the_two_in_the_middle(self):
        self.assertEqual(results.median([4, 1, 3, 2]), 2.5)

    def test_the_spread_is_half_the_range_as_a_share_of_the_median(self):
        self.assertAlmostEqual(results.spread([90, 100, 130]), 0.2)

    def test_a_figure_that_a_run_lacks_has_no_median(self):
        self.assertIsNone(results.median_of([{"a": 1}, {}], "a"))

    def test_three_digits_are_kept(self):
        cases = {0: "0", 0.01234: "0.0123", 1.2345: "1.23", 12.345: "12.3", 1234567.8: "1,234,568"}
        for value, text in cases.items():
            self.assertEqual(results.three_digits(value), text)

    def test_the_last_json_object_of_an_output_counts(self):
        self.assertEqual(parse_figures("x", 'Running\n{"a": 1}\n{"a": 2}\n'), {"a": 2})

    def test_an_output_without_figures_is_an_error_that_names_the_program(self):
        for output in ("", "no\n", "{broken\n"):
            with self.assertRaisesRegex(BenchError, "wrk"):
                parse_figures("wrk", output)

    def test_durations_are_whole_milliseconds(self):
        self.assertEqual(seconds(0.25), "250ms")

    def test_rates_are_taken_by_benchmark_and_repetition(self):
        def one(name, rate, kind="iteration"):
            return {"run_name": name, "name": name, "run_type": kind, "items_per_second": rate,
                    "cpu_time": 2048.0, "time_unit": "us"}
        text = json.dumps({"benchmarks": [one("a", 1), one("b", 5), one("a", 2),
                                          one("a", 9, "aggregate")]})
        self.assertEqual(bulk.rates_of(text), {"a": [1, 2], "b": [5]})
        self.assertEqual(bulk.cpu_of(text, "a"), 2.0)

    def test_a_benchmark_that_failed_is_an_error(self):
        text = json.dumps({"benchmarks": [{"name": "a", "run_name": "a", "run_type": "iteration",
                                           "error_occurred": True, "error_message": "no disk"}]})
        with self.assertRaisesRegex(BenchError, "no disk"):
            bulk.rates_of(text)


class TableTest(unittest.TestCase):
    def test_a_row_has_every_figure_in_its_column(self):
        row = results.Row("sets", value=70_126, samples=[70_126, 70_126, 63_113],
                          beside="nginx", beside_value=100_000, ratio=0.70126,
                          asked="at least 0.50x", met=True, p50_ms=0.84, p99_ms=1.7,
                          cpu=results.cpu_text(belfry=14.83, wrk=5.6, other=None))
        self.assertEqual(results.cells(row), [
            "sets", "70,126/s ± 5%", "nginx: 100,000/s", "0.70x", "at least 0.50x", "yes",
            "0.84 / 1.70 ms", "belfry 14.8, wrk 5.60"])

    def test_what_was_not_asked_is_neither_met_nor_missed(self):
        self.assertEqual(results.cells(results.Row("x", value=1))[5], "")

    def test_a_section_that_failed_says_why_in_one_line(self):
        row = results.Row("sets", failed="belfry ended with 1:\nits log")
        self.assertEqual(results.cells(row)[1], "failed: belfry ended with 1")

    def test_every_line_has_all_columns_whatever_is_in_the_cells(self):
        text = results.table([results.Row("a|b", value=1), results.Row("c", failed="")])
        for line in text.splitlines():
            self.assertEqual(len(re.findall(r"(?<!\\)\|", line)), len(results.COLUMNS) + 1, line)


class AcceptTest(unittest.TestCase):
    def test_belfry_stands_beside_the_prototype_and_the_prototype_beside_nginx(self):
        def runs(*rates):
            return [{"per_second": rate, "p50_ms": 1.0, "p99_ms": 2.0, "server_us": 9.0,
                     "client_us": 5.0} for rate in rates]
        rows = []
        class FakeBench:  # pylint: disable=too-few-public-methods
            @staticmethod
            def add(what, **figures):
                rows.append(results.Row(what, **figures))
        accept.add_beside_bare(FakeBench, 64, runs(60, 70, 80), runs(100, 90, 140), runs(150, 200))
        ours, bare = rows
        self.assertEqual((ours.value, ours.beside_value, ours.samples), (70, 100, [60, 70, 80]))
        self.assertAlmostEqual(ours.ratio, 0.7)
        self.assertEqual((bare.value, bare.beside_value), (100, 175))
        self.assertAlmostEqual(bare.ratio, 100 / 175)
        self.assertEqual((ours.met, bare.met), (None, None))


class PlotTest(unittest.TestCase):
    GROWTH = {"POST, us": {"": {1000: 14.0, 1_000_000: 15.0}},
              "start-up, ms": {"after SIGTERM": {1000: 40.0, 1_000_000: 41.0},
                               "after kill -9 <&>": {1000: 60.0, 1_000_000: 80.0}}}

    def test_every_point_is_drawn_inside_the_picture(self):
        root = xml.etree.ElementTree.fromstring(growth_plot.svg(self.GROWTH))
        circles = root.findall(f".//{SVG}circle")
        self.assertEqual(len(circles), 6)
        for circle in circles:
            self.assertTrue(0 < float(circle.get("cx")) < growth_plot.PANEL_WIDTH)
            self.assertTrue(0 < float(circle.get("cy")) < growth_plot.PANEL_HEIGHT)
        self.assertEqual(len(root.findall(f".//{SVG}polyline")), 3)

    def test_one_size_alone_can_be_drawn(self):
        growth_plot.svg({"a": {"": {1000: 0.0}}})

    def test_the_scale_ends_at_a_round_number(self):
        for value, top in ((14, 20), (20, 20), (21, 40), (0.07, 0.08), (0, 1)):
            self.assertAlmostEqual(growth_plot.nice_top(value), top)


class MachineTest(unittest.TestCase):
    MOUNTS = ("/dev/vda / ext4 rw 0 0\n/dev/nvme0n1 /data xfs rw 0 0\n"
              "tmpfs /data/tmp tmpfs rw 0 0\n")

    def test_the_longest_mount_point_holds_the_folder(self):
        for folder, kind in (("/data/a", "xfs"), ("/data/tmp", "tmpfs"), ("/database", "ext4")):
            self.assertEqual(machine.mount_of(folder, self.MOUNTS)[1], kind)


class CommandLineTest(unittest.TestCase):
    def test_sizes_are_written_with_units(self):
        self.assertEqual(suite.sizes("500,10k,1M"), (500, 10_000, 1_000_000))
        for wrong in ("", "1G", "0", "1M,", "-1"):
            with self.assertRaises(argparse.ArgumentTypeError):
                suite.sizes(wrong)

    def test_options_replace_what_the_set_says(self):
        options = suite.parse_arguments(["--set", "full", "--rounds", "2", "--sizes", "1k"])
        plan = suite.plan_of(options)
        self.assertEqual((plan.rounds, plan.sizes, plan.seconds), (2, (1000,), 30))

    def test_a_disk_that_is_too_small_is_refused_before_anything_runs(self):
        plan = plans.Plan(**{**vars(plans.FULL), "sizes": (10**15,)})
        with self.assertRaisesRegex(suite.Refused, "growth needs .* GiB of free disk"):
            suite.check_disk(plan, list(SECTIONS), Path("/"))

    def test_a_missing_build_is_refused_with_what_to_do(self):
        with self.assertRaisesRegex(suite.Refused, "run make"):
            suite.check_programs(Path("/nonexistent"))

    def test_every_section_says_how_long_it_takes(self):
        for name, section in SECTIONS.items():
            self.assertTrue(section.TITLE, name)
            self.assertGreater(section.estimate_s(plans.STANDARD), 0, name)

    def test_the_standard_set_is_meant_to_take_less_than_twenty_minutes(self):
        total = sum(section.estimate_s(plans.STANDARD) for section in SECTIONS.values())
        self.assertLess(total, 20 * 60)


if __name__ == "__main__":
    unittest.main()
