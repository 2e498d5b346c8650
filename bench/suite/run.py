#!/usr/bin/env python3
"""Runs the benchmark suite of Belfry and writes one table.

Each section starts what it needs on loopback, on stores it makes itself, and stops it again. The
table goes to build/bench/<set>.md, the figures behind it to <set>.json, and the growth plot to
<set>-growth.svg, all beside each other. Exit codes: 0 all sections have figures; 1 a section failed
(the others are in the table); 2 wrong command line, or something needed is not there.
"""

import argparse
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

# pylint: disable=wrong-import-position
import growth_plot
import machine
import plan as plans
import results
from bench import Bench
from processes import BenchError, end_all
from sections import SECTIONS

ROOT = Path(__file__).resolve().parents[2]


class Refused(Exception):
    """What is wrong before anything runs."""


def sizes(text):
    """"1M,10M" -> (1000000, 10000000)"""
    units = {"": 1, "k": 1000, "M": plans.MILLION}
    found = [re.fullmatch(r"([1-9]\d*)([kM]?)", part) for part in text.split(",")]
    if not all(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 1M,10M")
    return tuple(int(match[1]) * units[match[2]] for match in found)


def positive(kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
        return value
    return parse


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0],
                                     epilog=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=list(plans.SETS), default="standard", dest="set_name",
                        help="how much of everything; standard")
    parser.add_argument("--only", nargs="+", metavar="SECTION", choices=list(SECTIONS),
                        help="these sections alone; --list shows them")
    parser.add_argument("--list", action="store_true", help="say what the sections are, and end")
    parser.add_argument("--build", type=Path, default=ROOT / "build", metavar="DIR",
                        help="where the programs are; build")
    parser.add_argument("--dir", type=Path, metavar="DIR",
                        help="where stores are made, on the disk to be measured; DIR/bench of "
                             "--build")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="the table; DIR/bench/<set>.md of --build")
    for name, kind, meaning in (("rounds", int, "every figure is the median of so many"),
                                ("seconds", float, "measured time of one round"),
                                ("warmup", float, "seconds before it that are not measured"),
                                ("starts", int, "starts of each kind")):
        parser.add_argument(f"--{name}", type=positive(kind), metavar="N", help=meaning)
    parser.add_argument("--sizes", type=sizes, metavar="LIST",
                        help="pending timers of the growth section, like 1M,10M")
    return parser.parse_args(arguments)


def plan_of(options):
    changes = {name: value for name in ("rounds", "seconds", "warmup", "starts", "sizes")
               if (value := getattr(options, name)) is not None}
    return dataclasses.replace(plans.SETS[options.set_name], **changes)


def check_programs(build):
    for name in ("belfry", "belfry-bench"):
        if not os.access(build / name, os.X_OK):
            raise Refused(f"there is no {build / name}: run make, or give --build")


def check_disk(plan, names, folder):
    """Whether the largest store of the chosen sections has room."""
    counts = {"growth": max(plan.sizes), "fired": plan.fired, "burst": plan.burst,
              "overdue": plan.storm, "paused": plan.storm,
              "reads": plan.pending, "disk": plan.pending, "firing": plan.fire}
    name = max(names, key=lambda name: counts.get(name, 0))
    needed = plans.fill_bytes(counts.get(name, 0))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Refused(f"section {name} needs {needed / 2**30:.1f} GiB of free disk, there are "
                      f"{free / 2**30:.1f}: give another --dir, or choose with --only")


class Progress:
    """Says on stderr what is running, how long it has, and about how long it still takes."""

    def __init__(self, plan, names):
        self.left_s = {name: SECTIONS[name].estimate_s(plan) for name in names}
        self.total = len(names)
        self.begun = time.monotonic()
        self.section = ""
        self.section_begun = self.begun

    def enter(self, name):
        self.section, self.section_begun = name, time.monotonic()
        self.say(SECTIONS[name].TITLE)

    def leave(self):
        del self.left_s[self.section]

    def say(self, words):
        inside = time.monotonic() - self.section_begun
        here = max(0.0, self.left_s.get(self.section, 0) - inside)
        others = sum(left for name, left in self.left_s.items() if name != self.section)
        number = self.total - len(self.left_s) + 1
        print(f"[{number}/{self.total} {self.section}] {words}; "
              f"{plans.duration_text(time.monotonic() - self.begun)} so far, "
              f"ETA {plans.duration_text(here + others)}", file=sys.stderr, flush=True)


def run_sections(bench, names, progress):
    """Whether all of them have figures."""
    fine = True
    for name in names:
        progress.enter(name)
        try:
            SECTIONS[name].run(bench)
        except BenchError as error:
            fine = False
            print(f"section {name} failed: {error}", file=sys.stderr, flush=True)
            bench.add(SECTIONS[name].TITLE, failed=str(error))
        finally:
            end_all()
        progress.leave()
    return fine


def build_type(build):
    """What was asked for; without that CMakeLists.txt chooses."""
    kind = machine.first_match(build / "CMakeCache.txt", r"^CMAKE_BUILD_TYPE:\w+=(.*)$")
    return kind if kind not in ("", "?") else "the default: RelWithDebInfo"


def version(build):
    found = subprocess.run([build / "belfry", "--version"], capture_output=True, text=True,
                           check=False)
    return f"belfry {found.stdout.strip().removeprefix('belfry ')}"


def report(options, plan, bench, facts):
    """The table as text; also written to its files."""
    out = options.out or options.build / "bench" / f"{options.set_name}.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    facts = [*facts, ("Rounds", f"{plan.seconds:g} s after {plan.warmup:g} s of warm-up, "
                                f"median of {plan.rounds}; ± is half of what lies between the "
                                "least and the greatest round")]
    text = results.pairs(facts) + "\n" + results.table(bench.rows)
    out.write_text(text, encoding="utf-8")
    figures = {"set": options.set_name, "plan": dataclasses.asdict(plan), "machine": dict(facts),
               "rows": [dataclasses.asdict(row) for row in bench.rows], "growth": bench.growth}
    out.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    written = [out, out.with_suffix(".json")]
    if bench.growth:
        plot = out.with_name(f"{out.stem}-growth.svg")
        plot.write_text(growth_plot.svg(bench.growth), encoding="utf-8")
        written.append(plot)
    print(text)
    print("written: " + ", ".join(map(str, written)), file=sys.stderr)


def run(options):
    plan = plan_of(options)
    names = [name for name in SECTIONS if options.only is None or name in options.only]
    options.build = options.build.resolve()
    check_programs(options.build)
    folder = (options.dir or options.build / "bench").resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError("it may not be written to")
    except OSError as error:
        raise Refused(f"--dir {folder}: {error}") from error
    check_disk(plan, names, folder)
    progress = Progress(plan, names)
    bench = Bench(plan, options.build, folder, progress.say)
    facts = machine.describe(folder, version(options.build), build_type(options.build))
    stopped = False
    try:
        fine = run_sections(bench, names, progress)
    except KeyboardInterrupt:
        fine, stopped = False, True
        print(f"stopped in section {progress.section}", file=sys.stderr)
    if bench.rows:
        report(options, plan, bench, facts)
    return 130 if stopped else 0 if fine else 1


def stop(*_):
    raise KeyboardInterrupt


def main():
    options = parse_arguments(sys.argv[1:])
    if options.list:
        plan = plan_of(options)
        for name, section in SECTIONS.items():
            about = plans.duration_text(section.estimate_s(plan))
            print(f"{name:<12}{section.TITLE} (about {about})")
        return 0
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    try:
        return run(options)
    except Refused as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
