#!/usr/bin/env python3
"""The parts of bench/peers that start nothing: reading figures, medians, ratios and the table."""

import json
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
sys.dont_write_bytecode = True
sys.path[:0] = [str(PEERS), str(PEERS.parent)]

import driver  # noqa: E402
import install  # noqa: E402
import peer  # noqa: E402
import redis_always  # noqa: E402
import run  # noqa: E402
import server_time  # noqa: E402
import table  # noqa: E402
from processes import BenchError  # noqa: E402

SET_FIGURES = {"answered": 163752, "per_second": 54584.0, "client_us": 4.8, "daemon_us": 14.84,
               "latency": {"p50_ms": 1.004, "p99_ms": 5.537}}


def figures(rate=100.0, busy=0.1, sync=0.2):
    return {"rate": rate, "p50_ms": 1.0, "p99_ms": 2.0, "server_us": 10.0, "client_us": 5.0,
            "client_busy": busy, "sync_ms": sync}


def arrivals(last_ms):
    return {"first_ms": 5.0, "p50_ms": 50.0, "p99_ms": 90.0, "last_ms": last_ms,
            "per_second": 1000.0, "early": 0, "duplicates": 0, "missing": 0}


def result(title, accept, fire, problem=None):
    return {"title": title, "problem": problem, "rounds": {"accept": accept, "fire": fire},
            "accept": table.medians(accept), "fire": table.medians(fire)}


class DriverTest(unittest.TestCase):
    def test_server_time_is_what_was_used_between_begin_and_end(self):
        used_us = iter([1_000_000, 3_000_000])
        lines = ['{"event":"begin"}\n', "a line of a library\n",
                 '{"event":"end","requests":1000,"seconds":2,"p50_ms":1,"p99_ms":3,'
                 '"client_cpu_us":500000}\n']
        self.assertEqual(driver.figures_of_events(lines, lambda: next(used_us)), {
            "rate": 500, "p50_ms": 1, "p99_ms": 3, "server_us": 2000, "client_us": 500,
            "client_busy": 0.25})

    def test_without_an_end_or_without_requests_there_are_no_figures(self):
        self.assertIsNone(driver.figures_of_events(['{"event":"begin"}'], lambda: 0))
        lines = ['{"event":"begin"}', '{"event":"end","requests":0,"seconds":2}']
        self.assertIsNone(driver.figures_of_events(lines, lambda: 0))

    def test_the_figures_of_belfry_bench_set_are_taken_over(self):
        self.assertEqual(driver.figures_of_set(SET_FIGURES), {
            "rate": 54584, "p50_ms": 1.004, "p99_ms": 5.537, "server_us": 14.84, "client_us": 4.8,
            "client_busy": 4.8 * 54584 / 1e6})

    def test_without_an_answer_there_are_no_figures_of_belfry_bench(self):
        with self.assertRaisesRegex(BenchError, "no answer"):
            driver.figures_of_set({"answered": 0, "per_second": 0, "latency": None})


class ServerTimeTest(unittest.TestCase):
    def test_time_of_a_tree_counts_the_living_and_the_dead_that_were_waited_for(self):
        def stat(pid, parent, *ticks):
            return f"{pid} (a) b) S {parent} 1 1 0 -1 0 0 0 0 0 {' '.join(map(str, ticks))} 20 0"
        stats = {10: stat(10, 1, 1, 2, 3, 4), 11: stat(11, 10, 10, 0, 0, 0),
                 12: stat(12, 11, 100, 0, 0, 0), 20: stat(20, 1, 1000, 0, 0, 0)}
        self.assertEqual(server_time.cpu_ticks(stats, 10), 120)
        self.assertEqual(server_time.cpu_ticks(stats, 99), 0)


class InstallTest(unittest.TestCase):
    def test_parts_of_a_package_list(self):
        text = "# why\nwrk\n\n[redis]\nredis-server\n[node]\nnodejs\nnpm\n"
        self.assertEqual(install.packages_of(text, ""), ["wrk"])
        self.assertEqual(install.packages_of(text, "node"), ["nodejs", "npm"])
        self.assertEqual(install.packages_of(text, "other"), [])

    def test_every_peer_has_its_part_of_the_list(self):
        text = install.PACKAGES.read_text(encoding="utf-8")
        for part in {each.packages for each in run.PEERS.values()} - {None} | {"node"}:
            self.assertTrue(install.packages_of(text, part), part)

    def test_npm_packages_are_named_with_exact_versions_and_locked(self):
        wanted = json.loads((PEERS / "package.json").read_text(encoding="utf-8"))["dependencies"]
        lock = json.loads((PEERS / "package-lock.json").read_text(encoding="utf-8"))["packages"]
        for name, version in wanted.items():
            self.assertRegex(version, r"^\d+\.\d+\.\d+$", name)
            self.assertEqual(lock[f"node_modules/{name}"]["version"], version)
        self.assertEqual([name for name, entry in lock.items() if "resolved" in entry], [])


class RequestTest(unittest.TestCase):
    def test_lengths_are_those_after_the_number_is_put_in(self):
        self.assertEqual(peer.filled("timer:{n}"), len("timer:000000000001"))
        self.assertEqual(redis_always.resp("ZADD", "due", "17", "{n}"),
                         "*4\r\n$4\r\nZADD\r\n$3\r\ndue\r\n$2\r\n17\r\n$12\r\n{n}\r\n")
        # Of {"n":"000000000001"}.
        request = peer.http_request(80, "/x", '{"n":"{n}"}')
        self.assertIn("Content-Length: 20\r\n", request)


class TableTest(unittest.TestCase):
    def test_medians_keep_the_smallest_and_the_greatest_rate(self):
        median = table.medians([figures(3), figures(1), figures(8)])
        self.assertEqual((median["rate"], median["rate_min"], median["rate_max"]), (3, 1, 8))
        self.assertEqual(median["rounds"], 3)
        self.assertIsNone(table.medians([]))

    def test_a_ratio_is_the_median_of_those_within_the_rounds(self):
        # A slow second round of the machine: the rates move, the ratio does not.
        own = [{"rate": 100}, {"rate": 20}, {"rate": 110}]
        other = [{"rate": 10}, {"rate": 2}, {"rate": 10}]
        self.assertEqual(table.ratio_of(own, other, "rate"), 10)
        # A peer that failed later on has fewer rounds.
        self.assertEqual(table.ratio_of(own, other[:1], "rate"), 10)

    def test_what_was_asked_for_is_judged(self):
        results = {"belfry": result("Belfry", [figures(1000)], [arrivals(301)]),
                   "beanstalkd": result("beanstalkd", [figures(100)], []),
                   "redis": result("Redis", [figures(1001)], []),
                   "bullmq": result("BullMQ", [figures(500, busy=0.95)], [arrivals(602)])}
        rows = {row["name"]: row for row in table.accept_rows(results)}
        self.assertEqual(rows["beanstalkd"]["verdict"], "met")
        self.assertEqual(rows["redis"]["verdict"], "MISSED")
        self.assertEqual(rows["bullmq"]["verdict"], "")
        self.assertTrue(rows["bullmq"]["client_bound"])
        fire = {row["name"]: row for row in table.fire_rows(results)}
        self.assertEqual(fire["belfry"]["verdict"], "MISSED")
        self.assertEqual(fire["bullmq"]["ratio"], 0.5)
        self.assertEqual(list(fire), ["belfry", "bullmq"])

    def test_every_row_has_the_columns_of_its_head_and_problems_are_told(self):
        results = {"belfry": result("Belfry", [figures(1000)], [arrivals(290)]),
                   "restate": result("Restate", [], [], "npm ci failed")}
        text = table.markdown(results, {"rounds": 1, "duration_s": 3, "warmup_s": 1,
                                        "connections": 64, "burst": 10000,
                                        "load_average": 0.1})
        heads = 0
        columns = 0
        for line in text.splitlines():
            if line.startswith("| ---"):
                heads += 1
            columns = 0 if not line else columns or line.count("|")
            if line.startswith("|"):
                self.assertEqual(line.count("|"), columns, line)
        self.assertEqual(heads, 2)
        self.assertIn("- Restate: npm ci failed", text)

    def test_a_disk_that_was_busy_is_told(self):
        settings = {"rounds": 1, "duration_s": 3, "warmup_s": 1, "connections": 64, "burst": 1,
                    "load_average": 0.1}
        for sync, told in ((0.3, False), (0.9, True)):
            results = {"belfry": result("Belfry", [figures(sync=0.2)], []),
                       "redis": result("Redis", [figures(sync=sync)], [])}
            self.assertEqual("was not quiet" in table.markdown(results, settings), told)

    def test_without_belfry_the_peers_are_shown_without_ratios(self):
        results = {"belfry": result("Belfry", [], [], "it ended"),
                   "redis": result("Redis", [figures(10)], [])}
        row = list(table.accept_rows(results))[0]
        self.assertNotIn("ratio", row)


class SinkTest(unittest.TestCase):
    def test_the_last_object_is_read_and_the_rate_added(self):
        read = run.figures_of_sink('listening on 127.0.0.1:1\n{"received":101,"arrived":101,'
                                   '"first_ms":100.0,"last_ms":1100.0}\n')
        self.assertEqual(read["per_second"], 101)

    def test_nothing_arrived_is_a_failure(self):
        for text in ("listening\n", '{"received":0,"arrived":0}\n'):
            with self.assertRaises(BenchError):
                run.figures_of_sink(text)


class CommandLineTest(unittest.TestCase):
    @staticmethod
    def command(*arguments):
        return subprocess.run([sys.executable, "-B", str(PEERS / "run.py"), *arguments],
                              capture_output=True, text=True, check=False, timeout=60)

    def test_the_list_names_every_peer(self):
        said = self.command("--list")
        self.assertEqual(said.returncode, 0)
        self.assertEqual([line.split()[0] for line in said.stdout.splitlines()], list(run.PEERS))

    def test_wrong_words_are_refused(self):
        for arguments in (["--rounds", "0"], ["--duration", "x"], ["--only", "nsq"], ["--what"]):
            self.assertEqual(self.command(*arguments).returncode, 2, arguments)

    def test_a_missing_build_is_named(self):
        said = self.command("--build", "/nonexistent")
        self.assertEqual(said.returncode, 1)
        self.assertIn("there is no /nonexistent/belfry: run make bench-peers", said.stderr)


if __name__ == "__main__":
    unittest.main()
