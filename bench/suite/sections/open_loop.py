"""Latencies while requests leave at a fixed rate, whatever the answers do."""

from results import cpu_text, median, median_of

TITLE = "latency at half of the POST peak, open loop"
CONNECTIONS = 64
READ_RATE = 1000
READABLE = 1000  # ids that are there before anybody reads
SYNC_RATE = 2000  # about what the commits of such a load make


def estimate_s(plan):
    return plan.rounds * (5 * plan.seconds + 4 * plan.warmup + plan.syncs / 3000)


def spread_ms(runs, name):
    return median(run["latency"][name] for run in runs)


def check_sent(figures):
    """The share that could not leave at its time, because no connection was free."""
    return figures["unsent"] / max(1, figures["unsent"] + figures["answered"])


def read(bench, folder, belfry, warmup_s):
    return bench.load(folder, belfry, "get", "--connections", 1, "--rate", READ_RATE, "--last",
                      READABLE, warmup_s=warmup_s)


def read_in_flood(bench, folder, belfry, rate):
    """GETs while sets come at `rate`."""
    plan = bench.plan
    with bench.client(folder, "set", "--url", belfry.url, "--connections", CONNECTIONS, "--rate",
                      rate, "--warmup", "0s", "--duration",
                      f"{round((plan.seconds + plan.warmup) * 1000) + 60_000}ms",
                      watched=[belfry.process], name="flood") as flood:
        figures = read(bench, folder, belfry, plan.warmup)
        flood.interrupt()
        return figures, flood.result(60)


def run(bench):
    peaks, sets, idle, flooded, floods, syncs, paced = [], [], [], [], [], [], []
    for number in bench.rounds:
        with bench.work() as folder, bench.belfry(folder / "belfry").start() as belfry:
            bench.say(f"peak, round {number + 1}")
            peaks.append(bench.load(folder, belfry, "set", "--connections", CONNECTIONS))
            rate = peaks[-1]["per_second"] / 2
            bench.say(f"GET alone, round {number + 1}")
            idle.append(read(bench, folder, belfry, bench.plan.warmup))
            syncs.append(bench.sync(folder))
            bench.say(f"GET during sets, round {number + 1}")
            figures, flood = read_in_flood(bench, folder, belfry, rate)
            flooded.append(figures)
            floods.append(flood)
            bench.say(f"POST at half of its peak, round {number + 1}")
            sets.append(bench.load(folder, belfry, "set", "--connections", CONNECTIONS, "--rate",
                                   rate))
            bench.say(f"syncs at a fixed rate, round {number + 1}")
            paced.append(bench.paced_sync(folder, SYNC_RATE))
            belfry.stop()
    sync_ms = median(sync["p99_ms"] for sync in syncs)
    idle_ms, flooded_ms = spread_ms(idle, "p99_ms"), spread_ms(flooded, "p99_ms")
    limit_ms = 2 * idle_ms + sync_ms
    bench.add(f"GET p99 during {three(floods)} sets a second", value=flooded_ms, unit="ms",
              samples=[run["latency"]["p99_ms"] for run in flooded],
              beside=f"twice its idle p99 ({idle_ms:.2f} ms) + one sync", beside_value=limit_ms,
              ratio=flooded_ms / limit_ms, asked="at most 1x", met=flooded_ms <= limit_ms,
              p50_ms=spread_ms(flooded, "p50_ms"), p99_ms=flooded_ms,
              cpu=cpu_text(client=median_of(flooded, "client_us")))
    set_ms = spread_ms(sets, "p99_ms")
    limit_ms = 3 * sync_ms + 1
    bench.add(f"POST p99 at {three(sets)} a second, half of its peak", value=set_ms, unit="ms",
              samples=[run["latency"]["p99_ms"] for run in sets],
              beside=f"three syncs ({sync_ms:.2f} ms each, p99) + 1 ms", beside_value=limit_ms,
              ratio=set_ms / limit_ms, asked="at most 1x", met=set_ms <= limit_ms,
              p50_ms=spread_ms(sets, "p50_ms"), p99_ms=set_ms,
              cpu=cpu_text(belfry=median_of(sets, "daemon_us"),
                           client=median_of(sets, "client_us")))
    bench.add(f"the disk alone: {SYNC_RATE:,} such syncs a second, p99 from the moment meant",
              value=median(run["p99_ms"] for run in paced), unit="ms",
              samples=[run["p99_ms"] for run in paced],
              p50_ms=median(run["p50_ms"] for run in paced),
              p99_ms=median(run["p99_ms"] for run in paced))
    if (share := median(check_sent(run) for run in sets + floods)) > 0.001:
        bench.say(f"{share:.1%} of the requests could not leave: no connection was free")


def three(runs):
    return f"{median_of(runs, 'per_second'):,.0f}"
