"""Very many timers due in the same second: they drain, reads go on, memory stays in its budget."""

import time

from plan import FILL_PER_S, FIRES_PER_S, count_text
from results import cpu_text
from sections.firing import fire_once, fire_stored

TITLE = "very many due in the same second"
SPREAD_S = 1.0
BUDGET_MIB = 512
GET_LIMIT_MS = 20
LEAST = 0.90  # "at the firing rate"


def estimate_s(plan):
    return 2 * plan.burst / FIRES_PER_S + 4 * plan.burst / FILL_PER_S + 20


def run(bench):
    count = bench.plan.burst
    with bench.work() as folder:
        bench.say(f"{count_text(count)} are fired, and nothing else is asked")
        firing = fire_once(bench, folder, count)["per_second"]
    with bench.work() as folder:
        bench.say(f"{count_text(count)} timers are made")
        belfry, receiver, first_due_ms = fire_stored(bench, folder, count, SPREAD_S)
        with receiver, belfry.start():
            receiver.watched = [belfry.process]
            before_us = belfry.cpu_us()
            time.sleep(max(0, first_due_ms / 1e3 - time.time()))
            bench.say("they fire, and are read")
            with bench.client(folder, "get", "--url", belfry.url, "--connections", 1, "--rate",
                              1000, "--last", count, "--warmup", "0s", "--duration", "24h",
                              watched=[belfry.process]) as reads:
                drained = receiver.result(120 + count / 1000)
                reads.interrupt()
                read = reads.result(60)
            cpu_us = (belfry.cpu_us() - before_us) / count
            memory_mib = belfry.status_mib("VmHWM")
            belfry.stop()
    rate = drained["per_second"]
    what = f"{count_text(count)} due in the same second"
    bench.add(f"{what}: drained", value=rate, beside="as many fired, nothing else asked",
              beside_value=firing, ratio=rate / firing, asked="as fast as firing (0.90x)",
              met=rate / firing >= LEAST,
              p50_ms=drained["lateness"]["p50_ms"], p99_ms=drained["lateness"]["p99_ms"],
              cpu=cpu_text(belfry=cpu_us, sink=drained["client_us"]))
    get_ms = read["latency"]["p99_ms"]
    bench.add(f"{what}: GET p99 meanwhile, 1,000 a second", value=get_ms, unit="ms",
              asked=f"at most {GET_LIMIT_MS} ms", met=get_ms <= GET_LIMIT_MS,
              p50_ms=read["latency"]["p50_ms"], p99_ms=get_ms)
    bench.add(f"{what}: greatest VmRSS", value=memory_mib, unit="MiB", beside="memory.budget",
              beside_value=BUDGET_MIB, ratio=memory_mib / BUDGET_MIB, asked="within the budget",
              met=memory_mib <= BUDGET_MIB)
