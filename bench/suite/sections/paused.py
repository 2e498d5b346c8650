"""Very many due timers of a paused target: they wait on disk, nobody notices, and they come in the
order they were due."""

import bisect
import math
import time

from plan import FILL_PER_S, FIRES_PER_S, count_text
from processes import BenchError, poll
from steady import LEAD_S, Api, Sink, Steady, steady_for

from sections.overdue import check_backlog

TITLE = "very many due timers of a paused target"
RATE = 500                 # webhooks a second to another target
SPREAD_MS = 1000
IN_FLIGHT = 100            # delivery.per_target_in_flight
LATE_LIMIT_MS = 100
LATE_RATIO = 2.0
GROWTH_LIMIT = 1.10
BUDGET_MIB = 512
LOOK_S = 0.25
IDLE_S = 1.0


def estimate_s(plan):
    return 2 * plan.storm / FIRES_PER_S + 4 * plan.storm / FILL_PER_S + 4 * plan.seconds + 15


def keys(count, spread_ms):
    """(due, id) of each timer that `fill` makes, by id - 1; fill_order.h says how."""
    slots = min(count, spread_ms)
    factor = slots * 6 // 10 + 1
    while math.gcd(factor, slots) != 1:
        factor += 1
    inverse = pow(factor, -1, slots)
    return [((number % slots) * inverse % slots * spread_ms // slots, number + 1)
            for number in range(count)]


def overtaken(came):
    """Of each key in the order they came: how many greater ones had come before."""
    place = {key: rank for rank, key in enumerate(sorted(came))}
    ahead, first_missing, counts = [], 0, []   # `ahead`: ranks that came, above first_missing
    for key in came:
        rank = place[key]
        index = bisect.bisect(ahead, rank)
        counts.append(len(ahead) - index)
        if rank != first_missing:
            ahead.insert(index, rank)
            continue
        first_missing += 1
        passed = 0
        while passed < len(ahead) and ahead[passed] == first_missing:
            first_missing += 1
            passed += 1
        del ahead[:passed]
    return counts


def wait_idle(belfry, busy_us_per_s):
    """Until it takes as little processor time as that for a second. VmRSS at each look, in MiB."""
    rss_mib, times = [], [(time.monotonic(), belfry.cpu_us())]
    until = time.monotonic() + 300
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        rss_mib.append(belfry.status_mib("VmRSS"))
        times.append((time.monotonic(), belfry.cpu_us()))
        begun, before_us = times[-1 - round(IDLE_S / LOOK_S)] if len(times) * LOOK_S > IDLE_S \
            else times[0]
        run_s = times[-1][0] - begun
        if run_s >= IDLE_S * 0.9 and (times[-1][1] - before_us) / run_s <= busy_us_per_s:
            return rss_mib
    raise BenchError("belfry is still busy 300 s after the timers of a paused target were due")


class Paused:
    """One run: before they are due, while they are parked, and when they are resumed."""

    def __init__(self, bench, belfry, backlog, other, first_due_ms):
        self.bench = bench
        self.belfry = belfry
        self.target = {"target": backlog.url().rstrip("/")}
        self.other = other
        self.first_due_s = first_due_ms / 1000
        self.steadies = []
        self.rss_before_mib = 0
        self.rss_mib = []
        self.parking_s = 0
        self.resumed_ns = 0

    def steady(self, phase):
        return Steady(self.belfry, phase, [self.other.url()], RATE)

    def run(self, api):
        api.post("/targets/pause", self.target)
        left_s = self.first_due_s - time.time() - 2 * LEAD_S - 1
        if left_s < 0.2:
            raise BenchError("they were due before their target was paused")
        before_us = self.belfry.cpu_us()
        begun = time.monotonic()
        self.steadies.append(steady_for(left_s, self.belfry, "before", [self.other.url()], RATE))
        idle_us_per_s = (self.belfry.cpu_us() - before_us) / (time.monotonic() - begun)
        self.park(api, idle_us_per_s)
        self.resume(api)

    def park(self, api, idle_us_per_s):
        self.bench.say("they are due, and parked")
        time.sleep(max(0, self.first_due_s - LEAD_S - time.time()))
        steady = self.steady("parking")
        self.rss_before_mib = self.belfry.status_mib("VmRSS")
        time.sleep(max(0, self.first_due_s + SPREAD_MS / 1000 - time.time()))
        begun = time.monotonic()
        self.rss_mib = wait_idle(self.belfry, 1.5 * idle_us_per_s + 50_000)
        self.parking_s = time.monotonic() - begun - IDLE_S
        time.sleep(self.bench.plan.seconds)
        self.rss_mib.append(self.belfry.status_mib("VmRSS"))
        steady.stop()
        self.steadies.append(steady)
        shown = [target for target in api.get("/targets?limit=1000")["targets"]
                 if target["name"] == self.target["target"]]
        if not shown or not shown[0]["paused"] or not shown[0]["parked"]:
            raise BenchError(f"the target is not paused and parked: {shown}")

    def resume(self, api):
        self.bench.say("they are resumed")
        self.resumed_ns = time.time_ns()
        api.post("/targets/resume", self.target)
        steady = self.steady("resumed")
        poll(lambda: api.count("pending") < RATE * (LEAD_S + 1), "they are delivered", 600, 0.1)
        time.sleep(1)  # so that there are some when it were few
        steady.stop()
        self.steadies.append(steady)
        poll(lambda: api.count("pending") == 0, "all is delivered", 60, 0.1)


def add_order(bench, what, came):
    counts = overtaken(came)
    beyond = sum(1 for count in counts if count > IN_FLIGHT)
    bench.add(f"{what}: resumed, came after more than {IN_FLIGHT} (the in-flight cap) that were "
              "due later", value=beyond, unit="", beside="most that overtook one",
              beside_value=max(counts), asked="none", met=beyond == 0)


def add_lateness(bench, what, run, arrivals):
    late = {steady.phase: steady.lateness(arrivals) for steady in run.steadies}
    before_ms = late["before"]["p99_ms"]
    for phase, when in (("parking", "while they are parked"), ("resumed", "while they drain")):
        p99_ms = late[phase]["p99_ms"]
        bench.add(f"{what}: lateness p99 of {RATE} a second to another target {when}",
                  value=p99_ms, unit="ms", beside="before they were due", beside_value=before_ms,
                  ratio=p99_ms / before_ms,
                  asked=f"at most {LATE_LIMIT_MS} ms and {LATE_RATIO:g}x",
                  met=p99_ms <= LATE_LIMIT_MS and p99_ms <= LATE_RATIO * before_ms,
                  p50_ms=late[phase]["p50_ms"], p99_ms=p99_ms)


def run(bench):
    count = bench.plan.storm
    what = f"{count_text(count)} of a paused target"
    lead_s = 3 + 2 * LEAD_S + bench.plan.seconds + 3 * count / FILL_PER_S
    with bench.work() as folder, Sink(bench, folder, "backlog") as backlog, \
            Sink(bench, folder, "other") as other:
        belfry = bench.belfry(folder / "belfry")
        bench.say(f"{count_text(count)} timers are made")
        filled = bench.fill(folder, belfry.data, count, "--target", backlog.url("backlog"),
                            "--from", f"{lead_s * 1000:.0f}ms", "--spread", f"{SPREAD_MS}ms")
        with belfry.start():
            one = Paused(bench, belfry, backlog, other, filled["first_due_ms"])
            with Api(belfry) as api:
                one.run(api)
            most_mib = belfry.status_mib("VmHWM")
            belfry.stop()
        elsewhere, resumed = other.arrivals(), backlog.arrivals()
    check_backlog(resumed, count)
    if resumed[0][0] < one.resumed_ns:
        raise BenchError("a webhook came while its target was paused")
    bench.add(f"{what}: parked", value=count / one.parking_s)
    half = one.rss_mib[len(one.rss_mib) // 2]
    bench.add(f"{what}: VmRSS when all are parked", value=one.rss_mib[-1], unit="MiB",
              beside="when half of the time had passed", beside_value=half,
              ratio=one.rss_mib[-1] / half, asked=f"flat: at most {GROWTH_LIMIT:.2f}x",
              met=one.rss_mib[-1] <= GROWTH_LIMIT * half)
    bench.add(f"{what}: greatest VmRSS", value=most_mib, unit="MiB", beside="before they were due",
              beside_value=one.rss_before_mib, asked=f"within memory.budget, {BUDGET_MIB} MiB",
              met=most_mib <= BUDGET_MIB)
    add_lateness(bench, what, one, elsewhere)
    came = keys(count, SPREAD_MS)
    add_order(bench, what, [came[timer - 1] for _, _, timer in resumed])
    sent_s = (resumed[-1][0] - resumed[0][0]) / 1e9
    bench.add(f"{what}: resumed and drained", value=count / sent_s)
