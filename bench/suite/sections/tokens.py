"""What a token costs: sets and reads with auth.mode token beside the same with none."""

import subprocess

from clients import wrk
from plan import FILL_PER_S, count_text
from processes import BenchError
from results import cpu_text, in_turn, median, median_of

TITLE = "auth.mode token beside none"
CONNECTIONS = 64
LEAST = 0.95
LIMIT_S = 60


def estimate_s(plan):
    return 2 * 2 * plan.rounds * (plan.seconds + plan.warmup + 1) + plan.window / FILL_PER_S


class Guarded:
    """A daemon that asks for tokens, and one of the user whom filled timers belong to."""

    def __init__(self, bench, folder):
        folder.mkdir(parents=True)
        file = folder / "tokens"
        made = subprocess.run([bench.build / "belfry", "token", "create", "--user", "local",
                               "--tokens-file", file], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False)
        if made.returncode != 0:
            raise BenchError(f"belfry token create: {made.stderr}")
        self.token = made.stdout.split()[-1]
        self.belfry = bench.belfry(folder, tokens_file=file)


class Free:
    def __init__(self, bench, folder):
        self.token = None
        self.belfry = bench.belfry(folder)


def measured(bench, folder, server, *what):
    def run(run_s):
        return wrk(folder, server.belfry, CONNECTIONS, run_s, *what, token=server.token)
    if bench.plan.warmup > 0:
        run(bench.plan.warmup)
    return run(bench.plan.seconds)


def sets(bench, folder, server):
    with server.belfry.start() as belfry:
        figures = measured(bench, folder, server, "post")
        belfry.stop()
        belfry.forget_data()
        return figures


def add_ratio(bench, what, guarded, free):
    rates = [run["per_second"] for run in guarded]
    rate, beside = median(rates), median_of(free, "per_second")
    bench.add(f"{what}, {CONNECTIONS} connections, auth.mode token", value=rate, samples=rates,
              beside="auth.mode none", beside_value=beside, ratio=rate / beside,
              asked=f"at least {LEAST:.2f}x", met=rate >= LEAST * beside,
              p50_ms=median_of(guarded, "p50_ms"), p99_ms=median_of(guarded, "p99_ms"),
              cpu=cpu_text(token=median_of(guarded, "server_us"),
                           none=median_of(free, "server_us")))


def run_sets(bench):
    guarded, free = [], []
    for number in bench.rounds:
        bench.say(f"sets, round {number + 1}")
        with bench.work() as folder:
            turns = [(Guarded(bench, folder / "token"), guarded),
                     (Free(bench, folder / "none"), free)]
            for server, runs in in_turn(number, turns):
                runs.append(sets(bench, folder, server))
    add_ratio(bench, "durable POST /timers", guarded, free)


def run_reads(bench):
    guarded, free, count = [], [], bench.plan.window
    with bench.work() as folder:
        turns = [(Guarded(bench, folder / "token"), guarded),
                 (Free(bench, folder / "none"), free)]
        for server, _ in turns:
            bench.fill(folder, server.belfry.data, count)
        with turns[0][0].belfry.start(), turns[1][0].belfry.start():
            for number in bench.rounds:
                bench.say(f"reads, round {number + 1}")
                for server, runs in in_turn(number, turns):
                    runs.append(measured(bench, folder, server, "get", count, number + 1))
            for server, _ in turns:
                server.belfry.stop()
    add_ratio(bench, f"GET /timers/{{id}} of {count_text(count)}", guarded, free)


def run(bench):
    run_sets(bench)
    run_reads(bench)
