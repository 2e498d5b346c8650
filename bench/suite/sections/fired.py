"""A start after very many timers were set and fired, beside one of a fresh store."""

from plan import FILL_PER_S, FIRES_PER_S, count_text
from results import median
from sections.firing import fire_stored
from stores import restart

TITLE = "start-up after very many were fired"
LIMIT = 1.2


def estimate_s(plan):
    return plan.fired / FIRES_PER_S + 2 * plan.fired / FILL_PER_S + plan.starts * 5 + 5


def run(bench):
    count = bench.plan.fired
    used, fresh = [], []
    with bench.work() as folder, bench.belfry(folder / "fresh").start() as empty:
        bench.say(f"{count_text(count)} timers are made and fired")
        belfry, receiver, _ = fire_stored(bench, folder / "used", count)
        with receiver, belfry.start():
            receiver.watched = [belfry.process]
            receiver.result(120 + count / 1000)
            for number in range(bench.plan.starts):
                bench.say(f"start {number + 1}")
                used.append(restart(belfry, kill=False))
                fresh.append(restart(empty, kill=False))
            belfry.stop()
        empty.stop()
    for place, what in enumerate(("exec to READY", "exec to first overdue webhook")):
        times = [run[place] for run in used]
        beside = median(run[place] for run in fresh)
        ratio = median(times) / beside
        bench.add(f"after {count_text(count)} set and fired: {what}", value=median(times) * 1e3,
                  unit="ms", samples=[time * 1e3 for time in times], beside="fresh store",
                  beside_value=beside * 1e3, ratio=ratio, asked="at most 1.2x",
                  met=ratio <= LIMIT)
