"""What a sync of this disk costs: everything about accepting timers rests on it."""

from results import median

TITLE = "append and fdatasync of the disk"


def estimate_s(plan):
    return plan.rounds * plan.syncs / 3000


def run(bench):
    with bench.work() as folder:
        runs = [bench.ask(folder, "sync", "--dir", folder, "--count", bench.plan.syncs)
                for _ in bench.rounds]
    rates = [run["per_second"] for run in runs]
    bench.add("append of 200 B and fdatasync", value=median(rates), samples=rates,
              p50_ms=median(run["latency"]["p50_ms"] for run in runs),
              p99_ms=median(run["latency"]["p99_ms"] for run in runs))
