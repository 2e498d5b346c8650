"""Durable sets beside nginx that answers the same POSTs with a constant 200."""

from clients import wrk
from nginx import Nginx, add_beside_nginx
from results import in_turn

TITLE = "durable POST /timers beside nginx"
ASKED = ((64, 0.50, "at least 0.50x, aim 0.60x"), (512, 0.65, "at least 0.65x, aim 0.90x"))


def estimate_s(plan):
    return len(ASKED) * plan.rounds * 2 * (plan.seconds + plan.warmup + 1)


def measure(bench, folder, server, connections):
    if bench.plan.warmup > 0:
        wrk(folder, server, connections, bench.plan.warmup, "post")
    return wrk(folder, server, connections, bench.plan.seconds, "post")


def measure_belfry(bench, folder, connections):
    with bench.belfry(folder / "belfry").start() as belfry:
        figures = measure(bench, folder, belfry, connections)
        belfry.stop()
        belfry.forget_data()
        return figures


def measure_nginx(bench, folder, connections):
    with Nginx(folder / "nginx").start() as nginx:
        figures = measure(bench, folder, nginx, connections)
        nginx.stop()
        return figures


def run(bench):
    for connections, least, asked in ASKED:
        ours, theirs = [], []
        for number in bench.rounds:
            bench.say(f"{connections} connections, round {number + 1}")
            with bench.work() as folder:
                turns = [lambda: ours.append(measure_belfry(bench, folder, connections)),
                         lambda: theirs.append(measure_nginx(bench, folder, connections))]
                for turn in in_turn(number, turns):
                    turn()
        add_beside_nginx(bench, f"durable POST /timers, {connections} connections", ours, theirs,
                         least, asked)
