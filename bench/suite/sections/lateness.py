"""How late webhooks come: many at once, and at a steady rate."""

from clients import seconds
from results import cpu_text, median, median_of

from plan import SETS_PER_S

TITLE = "lateness of webhooks"
LIMITS_MS = {5000: 5, 20_000: 25}
TOGETHER_MS = 300


def estimate_s(plan):
    steady = sum(plan.fire_seconds + 4 + rate * plan.fire_seconds / SETS_PER_S
                 for rate in plan.rates)
    return plan.rounds * (steady + 6)


def fire(bench, count, spread_s):
    """Sets them, all before the first is due, and receives them."""
    lead_s = 1 + count / SETS_PER_S * 1.5
    with bench.work() as folder, bench.belfry(folder / "belfry").start() as belfry:
        figures = bench.ask(folder, "fire", "--url", belfry.url, "--pid", belfry.pid, "--count",
                            count, "--spread", seconds(spread_s), "--lead", seconds(lead_s),
                            limit_s=lead_s + spread_s + 30, watched=[belfry.process])
        belfry.stop()
    if figures["set_late"]:
        bench.say(f"{figures['set_late']:,} of {count:,} were due before they were acknowledged "
                  "and are left out")
    return figures


def run_together(bench):
    count = bench.plan.together
    runs = []
    for number in bench.rounds:
        bench.say(f"{count:,} in the same millisecond, round {number + 1}")
        runs.append(fire(bench, count, 0))
    last_ms = [run["lateness"]["max_ms"] for run in runs]
    bench.add(f"{count:,} due in the same millisecond: arrival of the last",
              value=median(last_ms), unit="ms", samples=last_ms, asked="at most 0.30 s",
              met=median(last_ms) <= TOGETHER_MS,
              p50_ms=median(run["lateness"]["p50_ms"] for run in runs),
              p99_ms=median(run["lateness"]["p99_ms"] for run in runs),
              cpu=cpu_text(belfry=median_of(runs, "daemon_us")))


def run(bench):
    plan = bench.plan
    runs = {rate: [] for rate in plan.rates}
    for number in bench.rounds:
        for rate in plan.rates:
            bench.say(f"{rate:,} a second, round {number + 1}")
            count = max(2, round(rate * plan.fire_seconds))
            runs[rate].append(fire(bench, count, plan.fire_seconds))
    idle_rate = plan.rates[0]
    idle_ms = median(run["lateness"]["p99_ms"] for run in runs[idle_rate])
    for rate in plan.rates:
        p99_ms = [run["lateness"]["p99_ms"] for run in runs[rate]]
        limit_ms = LIMITS_MS.get(rate)
        figures = {}
        if rate != idle_rate:
            figures = {"beside": f"at {idle_rate} a second", "beside_value": idle_ms,
                       "ratio": median(p99_ms) / idle_ms}
        if limit_ms:
            figures |= {"asked": f"at most {limit_ms} ms", "met": median(p99_ms) <= limit_ms}
        bench.add(f"lateness p99 at {rate:,} fires a second", value=median(p99_ms), unit="ms",
                  samples=p99_ms, p99_ms=median(p99_ms),
                  p50_ms=median(run["lateness"]["p50_ms"] for run in runs[rate]),
                  cpu=cpu_text(belfry=median_of(runs[rate], "daemon_us")), **figures)
    run_together(bench)
