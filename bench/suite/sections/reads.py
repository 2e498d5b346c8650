"""GET /timers/{id} beside nginx that answers a constant 200 to the same GETs."""

from clients import wrk
from nginx import Nginx, add_beside_nginx
from plan import FILL_PER_S, count_text
from results import in_turn

TITLE = "GET /timers/{id} beside nginx"
CONNECTIONS = 64


def estimate_s(plan):
    runs = 2 * 2 * plan.rounds * (plan.seconds + plan.warmup)
    return runs + plan.pending / FILL_PER_S + plan.pending / 50_000


def run_one(bench, what, count, least, asked):
    with bench.work() as folder:
        belfry = bench.belfry(folder / "belfry")
        bench.say(f"{count_text(count)} timers are made and read once")
        bench.fill(folder, belfry.data, count)
        ours, theirs = [], []
        with belfry.start(), Nginx(folder / "nginx").start() as nginx:
            bench.read_once(folder, belfry, count)
            for number in bench.rounds:
                bench.say(f"{what}, round {number + 1}")
                turns = [(belfry, ours), (nginx, theirs)]
                for server, runs in in_turn(number, turns):
                    what_to_get = ("get", count, number + 1)
                    if bench.plan.warmup > 0:
                        wrk(folder, server, CONNECTIONS, bench.plan.warmup, *what_to_get)
                    runs.append(wrk(folder, server, CONNECTIONS, bench.plan.seconds,
                                    *what_to_get))
            nginx.stop()
            belfry.stop()
    add_beside_nginx(bench, f"GET /timers/{{id}}, {CONNECTIONS} connections, {what}", ours, theirs,
                     least, asked)


def run(bench):
    plan = bench.plan
    run_one(bench, "in the window", plan.window, 0.80, "at least 0.80x")
    run_one(bench, f"random of {count_text(plan.pending)}", plan.pending, 0.60, "at least 0.60x")
