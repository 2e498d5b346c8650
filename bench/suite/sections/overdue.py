"""Very many timers overdue at the start: it is quick, and what is due meanwhile is on time."""

import time

from plan import FILL_PER_S, FIRES_PER_S, count_text
from processes import BenchError, poll
from steady import LEAD_S, Api, Sink, Steady

TITLE = "very many overdue at the start"
RATE = 200                 # on-time webhooks a second, to each of the two targets
READY_LIMIT_S = 2.0
FIRST_LIMIT_MS = 200
LATE_LIMIT_MS = 100
BUDGET_MIB = 512


def estimate_s(plan):
    return 1.5 * plan.storm / FIRES_PER_S + 2 * plan.storm / FILL_PER_S + 15


def fill_overdue(bench, folder, belfry, count, url):
    """A store with timers that are all due now."""
    filled = bench.fill(folder, belfry.data, count, "--target", url, "--from", "1s", "--spread",
                        "1s")
    time.sleep(max(0, filled["first_due_ms"] / 1e3 + 1.1 - time.time()))
    return filled


def check_backlog(came, count):
    """Each of the timers 1..count came once."""
    ids = {timer for _, _, timer in came}
    if len(came) != count or ids != set(range(1, count + 1)):
        raise BenchError(f"{len(came)} requests for {len(ids)} of {count} overdue timers")


def drain(bench, belfry, backlog, other, count):
    """Until all that was overdue is delivered. ([on time to another target, to the same one],
    VmHWM)"""
    with belfry.start():
        meanwhile = [Steady(belfry, name, [sink.url()], RATE)
                     for name, sink in (("other", other), ("same", backlog))]
        with Api(belfry) as api:
            set_ahead = 2 * RATE * (LEAD_S + 1)
            poll(lambda: api.count("pending") < set_ahead, "the backlog is delivered",
                 120 + count / 1000, 0.1)
            time.sleep(1)  # so that there are some when the backlog was a short one
            for steady in meanwhile:
                steady.stop()
            poll(lambda: api.count("pending") == 0, "all is delivered", 60, 0.1)
        memory_mib = belfry.status_mib("VmHWM")
        belfry.stop()
    return meanwhile, memory_mib


def run(bench):
    count = bench.plan.storm
    what = f"{count_text(count)} overdue at the start"
    with bench.work() as folder, Sink(bench, folder, "backlog") as backlog, \
            Sink(bench, folder, "other") as other:
        belfry = bench.belfry(folder / "belfry")
        bench.say(f"{count_text(count)} timers are made")
        fill_overdue(bench, folder, belfry, count, backlog.url("backlog"))
        bench.say("they are sent, and others meanwhile")
        meanwhile, memory_mib = drain(bench, belfry, backlog, other, count)
        elsewhere, to_backlog = other.arrivals(), backlog.arrivals()
    overdue = [one for one in to_backlog if one[1][0] == "backlog"]
    check_backlog(overdue, count)
    first_ms = max(0.0, (overdue[0][0] - belfry.ready_ns) / 1e6)
    bench.add(f"{what}: exec to READY", value=belfry.ready_s * 1e3, unit="ms",
              asked=f"at most {READY_LIMIT_S:g} s", met=belfry.ready_s <= READY_LIMIT_S)
    bench.add(f"{what}: READY to the first overdue webhook", value=first_ms, unit="ms",
              asked=f"at most {FIRST_LIMIT_MS} ms", met=first_ms <= FIRST_LIMIT_MS)
    for steady, target in zip(meanwhile, ("another target", "the same target")):
        late = steady.lateness(elsewhere, to_backlog)
        bench.add(f"{what}: lateness p99 of {RATE} a second to {target} meanwhile",
                  value=late["p99_ms"], unit="ms", asked=f"at most {LATE_LIMIT_MS} ms",
                  met=late["p99_ms"] <= LATE_LIMIT_MS, p50_ms=late["p50_ms"],
                  p99_ms=late["p99_ms"])
    sent_s = (overdue[-1][0] - overdue[0][0]) / 1e9
    bench.add(f"{what}: drained beside {2 * RATE} a second on time", value=count / sent_s)
    bench.add(f"{what}: greatest VmRSS", value=memory_mib, unit="MiB", beside="memory.budget",
              beside_value=BUDGET_MIB, ratio=memory_mib / BUDGET_MIB, asked="within the budget",
              met=memory_mib <= BUDGET_MIB)
