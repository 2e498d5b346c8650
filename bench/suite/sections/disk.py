"""The space a pending timer takes, and what is written to the disk for each set."""

from plan import FILL_PER_S, count_text
from results import cpu_text

TITLE = "disk space and writes"
LIMIT_BYTES = 110
CONNECTIONS = 64


def estimate_s(plan):
    return 2 * plan.pending / FILL_PER_S + plan.seconds + 2


def table_bytes(data):
    return sum(path.stat().st_size for path in data.rglob("*.sst"))


def run(bench):
    count = bench.plan.pending
    with bench.work() as folder:
        belfry = bench.belfry(folder / "filled")
        bench.fill(folder, belfry.data, count)
        each = table_bytes(belfry.data) / count
        bench.add(f"SST bytes per pending timer, {count_text(count)}, as compacted", value=each,
                  unit="B", asked=f"at most {LIMIT_BYTES} B", met=each <= LIMIT_BYTES)
        bench.say("sets")
        with bench.belfry(folder / "fresh").start() as fresh:
            figures = bench.load(folder, fresh, "set", "--connections", CONNECTIONS, warmup_s=0)
            written = fresh.written_bytes() / figures["answered"]
            fresh.stop()
            kept = table_bytes(fresh.data) / figures["answered"]
        bench.add("written to disk per durable set, 64 connections", value=written, unit="B",
                  beside="SST bytes it leaves", beside_value=kept, ratio=written / kept,
                  cpu=cpu_text(belfry=figures["daemon_us"], client=figures["client_us"]))
