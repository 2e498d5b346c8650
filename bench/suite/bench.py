"""What every section works with: the plan, the programs, a folder of its own, and the rows."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from belfry import Belfry
from clients import Client
from plan import fill_bytes
from processes import BenchError
from results import Row


class Bench:
    def __init__(self, plan, build, folder, say):
        self.plan = plan
        self.build = build
        self.folder = folder
        self.say = say          # one line about what is being done
        self.rows = []
        self.facts = {}         # what a later section compares itself with
        self.growth = {}        # panel of the plot -> {pending timers: figure}

    def add(self, what, **figures):
        self.rows.append(Row(what, **figures))

    @property
    def rounds(self):
        return range(self.plan.rounds)

    @contextlib.contextmanager
    def work(self):
        """A folder on the disk to be measured, removed at the end."""
        path = Path(tempfile.mkdtemp(prefix="suite.", dir=self.folder))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def belfry(self, folder, **options):
        return Belfry(self.build / "belfry", folder, **options)

    def client(self, folder, *arguments, watched=(), name=None):
        return Client(self.build / "belfry-bench", folder, [str(word) for word in arguments],
                      watched, name)

    def ask(self, folder, *arguments, limit_s=60, watched=(), may_fail=False):
        """One belfry-bench from start to end; its figures."""
        with self.client(folder, *arguments, watched=watched) as client:
            return client.result(limit_s, may_fail)

    def load(self, folder, belfry, kind, *arguments, run_s=None, warmup_s=None, may_fail=False):
        """`set` or `get` against the daemon for the planned time."""
        run_s = self.plan.seconds if run_s is None else run_s
        warmup_s = self.plan.warmup if warmup_s is None else warmup_s
        return self.ask(folder, kind, "--url", belfry.url, "--pid", belfry.pid, "--duration",
                        f"{round(run_s * 1000)}ms", "--warmup", f"{round(warmup_s * 1000)}ms",
                        *arguments, limit_s=run_s + warmup_s, watched=[belfry.process],
                        may_fail=may_fail)

    def fill(self, folder, data, count, *arguments):
        free = shutil.disk_usage(self.folder).free
        if free < fill_bytes(count):
            raise BenchError(f"{count} timers need {fill_bytes(count) >> 30} GiB of free disk, "
                             f"there are {free >> 30}")
        figures = self.ask(folder, "fill", "--data", data, "--count", count, *arguments,
                           limit_s=60 + count / 50_000)
        # What the kernel still has to write would slow the syncs that are measured next.
        os.sync()
        return figures

    def sync(self, folder):
        """p50 and p99 of a 200 B append and its fdatasync, in ms, as the disk is now."""
        return self.ask(folder, "sync", "--dir", folder, "--count", self.plan.syncs)["latency"]

    def paced_sync(self, folder, rate):
        """The same at a fixed rate for the measured time, from the moment each was meant to
        begin."""
        count = max(1, round(rate * self.plan.seconds))
        return self.ask(folder, "sync", "--dir", folder, "--count", count, "--rate",
                        rate)["latency"]

    def read_once(self, folder, belfry, count):
        """Every id of 1..count once, in order: the warming pass."""
        first = 1
        while first <= count:
            figures = self.load(folder, belfry, "get", "--in-order", "--first", first, "--last",
                                count, "--pipeline", 4, run_s=1, warmup_s=0)
            first += max(1, figures["answered"])
