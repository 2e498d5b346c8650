"""What everything costs with ever more pending timers."""

import time

from plan import FILL_PER_S, MILLION, count_text
from results import cpu_text, in_turn, median, median_of
from stores import clone, restart

TITLE = "costs with more and more pending timers"
CONNECTIONS = 64
FIRE_COUNT_PER_S = 10_000     # of the planned time
LOAD_RATE = 10_000            # sets a second, and as many reads: the standard load
SMALL_BUDGET_MIB = 64
RSS_LIMIT_MIB = 768
READY_LIMIT_S = 2.0
WEBHOOK_LIMIT_S = 2.2


def estimate_s(plan):
    runs = plan.rounds * 4 * (plan.seconds + plan.warmup) + 2 * plan.load_seconds
    return sum(runs + 2 * size / FILL_PER_S + plan.starts * 2 * 6 for size in plan.sizes)


def spread_figures(runs):
    return {"p50_ms": median(run["latency"]["p50_ms"] for run in runs),
            "p99_ms": median(run["latency"]["p99_ms"] for run in runs),
            "cpu": cpu_text(belfry=median_of(runs, "daemon_us"),
                            client=median_of(runs, "client_us"))}


class Size:
    """The look at a store with so many pending timers."""

    def __init__(self, bench, folder, count):
        self.bench = bench
        self.folder = folder
        self.count = count
        self.name = f"{count_text(count)} pending"
        self.filled = folder / "filled"

    def fill(self):
        self.bench.say(f"{self.name}: they are made")
        self.bench.fill(self.folder, self.filled, self.count, "--from", "1d")

    def copy(self, work, **config):
        """A daemon on a copy of the store, not started yet."""
        belfry = self.bench.belfry(work / "belfry", **config)
        clone(self.filled, belfry.data)
        return belfry

    def point(self, panel, series, value):
        self.bench.growth.setdefault(panel, {}).setdefault(series, {})[self.count] = value

    def sets(self):
        ours, empty = [], []
        for number in self.bench.rounds:
            self.bench.say(f"{self.name}: POST, round {number + 1}")
            with self.bench.work() as work:
                stores = [(self.copy(work), ours), (self.bench.belfry(work / "empty"), empty)]
                for belfry, runs in in_turn(number, stores):
                    with belfry.start():
                        runs.append(self.bench.load(work, belfry, "set", "--connections",
                                                    CONNECTIONS))
                        belfry.stop()
        rates = [run["per_second"] for run in ours]
        rate, beside = median(rates), median_of(empty, "per_second")
        self.bench.add(f"{self.name}: POST, {CONNECTIONS} connections", value=rate, samples=rates,
                       beside="empty store", beside_value=beside, ratio=rate / beside,
                       asked="at least 0.80x", met=rate / beside >= 0.80, **spread_figures(ours))
        self.point("POST, us each", "", 1e6 / rate)

    def reads_and_fires(self):
        reads, fires = [], []
        plan = self.bench.plan
        count = max(100, round(FIRE_COUNT_PER_S * plan.seconds))
        with self.bench.work() as work, self.copy(work).start() as belfry:
            for number in self.bench.rounds:
                self.bench.say(f"{self.name}: GET, round {number + 1}")
                reads.append(self.bench.load(work, belfry, "get", "--connections", CONNECTIONS,
                                             "--last", self.count))
            for number in self.bench.rounds:
                self.bench.say(f"{self.name}: webhooks, round {number + 1}")
                lead_s = 2 + count // 15_000
                fires.append(self.bench.ask(
                    work, "fire", "--url", belfry.url, "--pid", belfry.pid, "--count", count,
                    "--spread", "0s", "--lead", f"{lead_s}s", limit_s=120 + count / 1000,
                    watched=[belfry.process]))
            belfry.stop()
        rates = [run["per_second"] for run in reads]
        self.bench.add(f"{self.name}: GET of random ids, {CONNECTIONS} connections",
                       value=median(rates), samples=rates, **spread_figures(reads))
        self.point("GET of a random id, us each", "", 1e6 / median(rates))
        rates = [run["per_second"] for run in fires]
        self.bench.add(f"{self.name}: webhooks, {count:,} due together", value=median(rates),
                       samples=rates, cpu=cpu_text(belfry=median_of(fires, "daemon_us")))
        self.point("webhook, us each", "", 1e6 / median(rates))

    def starts(self):
        times = {"SIGTERM": [], "kill -9": []}
        with self.bench.work() as work, self.copy(work).start() as belfry:
            for number in range(self.bench.plan.starts):
                for how, runs in times.items():
                    self.bench.say(f"{self.name}: start after {how}, {number + 1}")
                    self.bench.load(work, belfry, "set", "--connections", CONNECTIONS, run_s=1,
                                    warmup_s=0)
                    runs.append(restart(belfry, kill=how == "kill -9"))
            belfry.stop()
        for how, runs in times.items():
            self.add_starts(how, runs)

    def add_starts(self, how, runs):
        bench = self.bench
        limits = (("exec to READY", READY_LIMIT_S), ("exec to first overdue webhook",
                                                     WEBHOOK_LIMIT_S))
        for place, (what, limit_s) in enumerate(limits):
            times_ms = [run[place] * 1e3 for run in runs]
            value = median(times_ms)
            first = bench.facts.setdefault(f"{what} {how}", value)
            figures = {}
            if self.count != bench.plan.sizes[0]:
                figures = {"beside": f"{count_text(bench.plan.sizes[0])} pending",
                           "beside_value": first, "ratio": value / first}
            bench.add(f"{self.name}: {what}, after {how}", value=value, unit="ms",
                      samples=times_ms, asked=f"at most {limit_s:g} s",
                      met=value <= limit_s * 1e3,
                      **figures)
        self.point("start-up, ms", f"after {how}", median(run[0] for run in runs) * 1e3)

    def load_both(self, work, belfry):
        """Sets and random reads at once. VmRSS in MiB at the end."""
        run_s = self.bench.plan.load_seconds
        with self.bench.client(work, "set", "--url", belfry.url, "--connections", CONNECTIONS,
                               "--rate", LOAD_RATE, "--warmup", "0s", "--duration",
                               f"{round(run_s * 1000)}ms", watched=[belfry.process]) as sets:
            self.bench.load(work, belfry, "get", "--connections", CONNECTIONS, "--rate",
                            LOAD_RATE, "--last", self.count, run_s=run_s, warmup_s=0)
            sets.result(run_s + 60)
        return belfry.status_mib("VmRSS")

    def memory(self):
        bench = self.bench
        rss_mib = {}
        for budget_mib in (None, SMALL_BUDGET_MIB):
            bench.say(f"{self.name}: memory after {bench.plan.load_seconds:g} s of load")
            with bench.work() as work, self.copy(work, budget_mib=budget_mib).start() as belfry:
                rss_mib[budget_mib] = self.load_both(work, belfry)
                belfry.stop()
        load = f"{bench.plan.load_seconds:g} s of {LOAD_RATE:,} sets and reads a second"
        bench.add(f"{self.name}: VmRSS after {load}", value=rss_mib[None], unit="MiB",
                  asked=f"at most {RSS_LIMIT_MIB} MiB", met=rss_mib[None] <= RSS_LIMIT_MIB)
        small = rss_mib[SMALL_BUDGET_MIB]
        first = bench.facts.setdefault("small rss", small)
        figures = {}
        if self.count != bench.plan.sizes[0]:
            figures = {"beside": f"{count_text(bench.plan.sizes[0])} pending",
                       "beside_value": first, "ratio": small / first}
            # Smaller stores do not fill even such caches.
            if bench.plan.sizes[0] >= MILLION:
                figures |= {"asked": "at most 1.10x", "met": small / first <= 1.10}
        bench.add(f"{self.name}: the same, budget {SMALL_BUDGET_MIB} MiB", value=small,
                  unit="MiB", **figures)


def run(bench):
    for count in bench.plan.sizes:
        begun = time.monotonic()
        with bench.work() as folder:
            size = Size(bench, folder, count)
            size.fill()
            size.sets()
            size.reads_and_fires()
            size.starts()
            size.memory()
        bench.say(f"{size.name}: done in {time.monotonic() - begun:.0f} s")
