"""Stored timers fired to a local sink, beside libcurl that does nothing but the same POSTs."""

from belfry import cpu_us_of
from clients import seconds, wrk
from nginx import installed
from plan import FIRES_PER_S
from processes import Process, free_port
from results import cpu_text, in_turn, median, median_of

TITLE = "firing beside bare libcurl"
IN_FLIGHT = 64


def estimate_s(plan):
    return plan.rounds * (plan.fire / FIRES_PER_S + plan.fire / 30_000 + 5) + plan.seconds


def drain(bench, folder, count, *arguments, watched=()):
    """A receiver that knows the timers 1..count, and where it listens."""
    port = free_port()
    client = bench.client(folder, "drain", "--listen", f"127.0.0.1:{port}", "--count", count,
                          *arguments, watched=watched)
    client.wait_listening()
    return client, f"http://127.0.0.1:{port}/hook"


def post_bare(bench, folder):
    """(what arrived, what the client says)"""
    count = bench.plan.fire
    receiver, url = drain(bench, folder, count, "--linger", "0s")
    with receiver:
        posts = bench.ask(folder, "ceiling", "--target", url, "--count", count, "--in-flight",
                          IN_FLIGHT, limit_s=count / 1000)
        return {**receiver.result(60), "sender_us": posts["client_us"]}


def fire_stored(bench, folder, count, spread_s=0.0, per_target=None):
    """Fills a store with timers that are due once it is served, and lets them fire."""
    belfry = bench.belfry(folder / "belfry", per_target=per_target)
    port = free_port()
    lead_s = 1 + count / 200_000
    filled = bench.fill(folder, belfry.data, count, "--target", f"http://127.0.0.1:{port}/hook",
                        "--from", seconds(lead_s), "--spread", seconds(spread_s))
    receiver = bench.client(folder, "drain", "--listen", f"127.0.0.1:{port}", "--count", count,
                            "--first-due", filled["first_due_ms"], "--spread", seconds(spread_s))
    receiver.wait_listening()
    return belfry, receiver, filled["first_due_ms"]


def fire_once(bench, folder, count):
    belfry, receiver, _ = fire_stored(bench, folder, count, per_target=IN_FLIGHT)
    with receiver, belfry.start():
        receiver.watched = [belfry.process]
        before_us = belfry.cpu_us()
        figures = receiver.result(60 + count / 1000)
        figures["sender_us"] = (belfry.cpu_us() - before_us) / figures["arrived"]
        belfry.stop()
        return figures


class Sink:
    """The same receiver, for wrk."""

    def __init__(self, bench, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = Process("sink", [bench.build / "belfry-bench", "sink", "--listen",
                                        f"127.0.0.1:{port}"], folder)
        self.process.wait_for_words("listening on")

    def cpu_us(self):
        return cpu_us_of(self.process.pid)


def post_with_wrk(bench, folder):
    """What an HTTP client that is not libcurl can do."""
    sink = Sink(bench, folder)
    try:
        return wrk(folder, sink, IN_FLIGHT, bench.plan.seconds, "hook")
    finally:
        sink.process.stop()


def run(bench):
    ours, bare = [], []
    for number in bench.rounds:
        bench.say(f"round {number + 1}")
        with bench.work() as folder:
            turns = [lambda: ours.append(fire_once(bench, folder, bench.plan.fire)),
                     lambda: bare.append(post_bare(bench, folder))]
            for turn in in_turn(number, turns):
                turn()
    rates = [figures["per_second"] for figures in ours]
    rate, ceiling = median(rates), median_of(bare, "per_second")
    bench.add(f"firing to a local sink, {IN_FLIGHT} in flight, outcomes durable", value=rate,
              samples=rates, beside="bare curl-multi on libuv", beside_value=ceiling,
              ratio=rate / ceiling, asked="at least 0.80x", met=rate / ceiling >= 0.80,
              cpu=cpu_text(belfry=median_of(ours, "sender_us"),
                           bare=median_of(bare, "sender_us"),
                           sink=median_of(ours, "client_us")))
    if not installed("wrk"):
        return
    with bench.work() as folder:
        figures = post_with_wrk(bench, folder)
    bench.add("bare curl-multi on libuv", value=ceiling,
              samples=[run["per_second"] for run in bare], beside="wrk to the same sink",
              beside_value=figures["per_second"], ratio=ceiling / figures["per_second"],
              cpu=cpu_text(bare=median_of(bare, "sender_us"), wrk=figures["client_us"]))
