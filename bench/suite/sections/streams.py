"""Users with three streams each, and heartbeats: what they cost once deadlines are met as often as
they will be, each a `ttl` after it was set."""

from plan import count_text
from players import Players
from results import cpu_text

TITLE = "heartbeats of stream slots"
EACH = 3
BEATS_PER_TTL = 3
STARTS_PER_S = 10_000   # for the estimate


def estimate_s(plan):
    return (plan.stream_users * EACH / STARTS_PER_S + BEATS_PER_TTL * plan.beat_seconds +
            plan.stream_seconds)


def run(bench):
    users, run_s, period_s = (bench.plan.stream_users, bench.plan.stream_seconds,
                              bench.plan.beat_seconds)
    count, ttl_s = users * EACH, BEATS_PER_TTL * period_s
    with bench.work() as folder, bench.belfry(folder / "belfry").start() as belfry:
        bench.say(f"{count_text(count)} streams are started")
        with Players(belfry.port, users, EACH, f"{ttl_s}s") as players:
            bench.say("and renewed until the first deadlines are met")
            players.beat(period_s, ttl_s)
            bench.say("and renewed, measured")
            cpu_us, written = belfry.cpu_us(), belfry.written_bytes()
            beats, took_s, batch_ms = players.beat(period_s, run_s)
            cpu_us = belfry.cpu_us() - cpu_us
            written = belfry.written_bytes() - written
            memory_mib = belfry.status_mib("VmRSS")
        belfry.stop()
    what = f"heartbeats of {count_text(count)} streams every {period_s} s"
    bench.add(what, value=beats / took_s, asked=f"{count / period_s:,.0f}/s",
              met=beats / took_s >= 0.95 * count / period_s,
              p50_ms=batch_ms[len(batch_ms) // 2], p99_ms=batch_ms[len(batch_ms) * 99 // 100],
              cpu=cpu_text(belfry=cpu_us / beats))
    bench.add(f"{what}: processor", value=cpu_us / 1e4 / took_s, unit="% of a core")
    bench.add(f"{what}: written to disk", value=written / took_s / 1e6, unit="MB/s",
              beside="a heartbeat", beside_value=written / beats, beside_unit="B")
    bench.add(f"{what}: memory", value=memory_mib, unit="MiB")
