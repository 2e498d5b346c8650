"""Users with three streams each, and a heartbeat of every stream every 30 s."""

from plan import count_text
from players import Players
from results import cpu_text

TITLE = "heartbeats of stream slots"
EACH = 3
PERIOD_S = 30
TTL = "90s"
STARTS_PER_S = 10_000   # for the estimate


def estimate_s(plan):
    return plan.stream_users * EACH / STARTS_PER_S + plan.stream_seconds


def run(bench):
    users, run_s = bench.plan.stream_users, bench.plan.stream_seconds
    count = users * EACH
    with bench.work() as folder, bench.belfry(folder / "belfry").start() as belfry:
        bench.say(f"{count_text(count)} streams are started")
        with Players(belfry.port, users, EACH, TTL) as players:
            bench.say("and renewed")
            cpu_us, written = belfry.cpu_us(), belfry.written_bytes()
            beats, took_s, batch_ms = players.beat(PERIOD_S, run_s)
            cpu_us = belfry.cpu_us() - cpu_us
            written = belfry.written_bytes() - written
            memory_mib = belfry.status_mib("VmRSS")
        belfry.stop()
    what = f"heartbeats of {count_text(count)} streams every {PERIOD_S} s"
    bench.add(what, value=beats / took_s, asked=f"{count / PERIOD_S:,.0f}/s",
              met=beats / took_s >= 0.95 * count / PERIOD_S,
              p50_ms=batch_ms[len(batch_ms) // 2], p99_ms=batch_ms[len(batch_ms) * 99 // 100],
              cpu=cpu_text(belfry=cpu_us / beats))
    bench.add(f"{what}: processor", value=cpu_us / 1e4 / took_s, unit="% of a core")
    bench.add(f"{what}: written to disk", value=written / took_s / 1e6, unit="MB/s",
              beside="a heartbeat", beside_value=written / beats, beside_unit="B")
    bench.add(f"{what}: memory", value=memory_mib, unit="MiB")
