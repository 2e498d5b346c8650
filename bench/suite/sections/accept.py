"""Durable sets beside nginx that answers the same POSTs with a constant 200, and beside a bare
prototype of the path, which shows what the machine and the libraries allow."""

from bare_accept import BareAccept
from clients import wrk
from nginx import Nginx, add_beside_nginx
from results import cpu_text, in_turn, median, median_of

TITLE = "durable POST /timers beside nginx"
ASKED = ((64, 0.50, "at least 0.50x, aim 0.60x"), (512, 0.65, "at least 0.65x, aim 0.90x"))


def estimate_s(plan):
    return len(ASKED) * plan.rounds * 3 * (plan.seconds + plan.warmup + 1)


def measure(bench, folder, server, connections):
    if bench.plan.warmup > 0:
        wrk(folder, server, connections, bench.plan.warmup, "post")
    return wrk(folder, server, connections, bench.plan.seconds, "post")


def measure_stored(bench, folder, server, connections):
    with server.start():
        figures = measure(bench, folder, server, connections)
        server.stop()
        server.forget_data()
        return figures


def measure_nginx(bench, folder, connections):
    with Nginx(folder / "nginx").start() as nginx:
        figures = measure(bench, folder, nginx, connections)
        nginx.stop()
        return figures


def add_beside_bare(bench, connections, ours, bare, theirs):
    """Two rows: Belfry beside the prototype, and the prototype beside nginx."""
    rates = [figures["per_second"] for figures in ours]
    bare_rates = [figures["per_second"] for figures in bare]
    rate, bare_rate = median(rates), median(bare_rates)
    ceiling = median_of(theirs, "per_second")
    bench.add(f"the same, {connections} connections, beside a bare prototype of the path",
              value=rate, samples=rates, beside="bare prototype", beside_value=bare_rate,
              ratio=rate / bare_rate,
              cpu=cpu_text(belfry=median_of(ours, "server_us"), bare=median_of(bare, "server_us")))
    bench.add(f"bare prototype of the path, {connections} connections", value=bare_rate,
              samples=bare_rates, beside="nginx, constant 200", beside_value=ceiling,
              ratio=bare_rate / ceiling, p50_ms=median_of(bare, "p50_ms"),
              p99_ms=median_of(bare, "p99_ms"),
              cpu=cpu_text(bare=median_of(bare, "server_us"), nginx=median_of(theirs, "server_us"),
                           wrk=median_of(bare, "client_us")))


def run(bench):
    for connections, least, asked in ASKED:
        ours, bare, theirs = [], [], []
        for number in bench.rounds:
            bench.say(f"{connections} connections, round {number + 1}")
            with bench.work() as folder:
                belfry = bench.belfry(folder / "belfry")
                prototype = BareAccept(bench.build, folder / "bare")
                turns = [
                    lambda: ours.append(measure_stored(bench, folder, belfry, connections)),
                    lambda: bare.append(measure_stored(bench, folder, prototype, connections)),
                    lambda: theirs.append(measure_nginx(bench, folder, connections))]
                for turn in in_turn(number, turns):
                    turn()
        add_beside_nginx(bench, f"durable POST /timers, {connections} connections", ours, theirs,
                         least, asked)
        add_beside_bare(bench, connections, ours, bare, theirs)
