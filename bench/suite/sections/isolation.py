"""A dead host with very many timers, hosts with dead DNS and slow hosts, all at once: others are on
time, and the dead host has no more sockets than it may.

In a network of its own, where names are looked up at a server that is silent or slow for some.
"""

import resource
import time

from apart import in_own_network
from plan import count_text
from results import median
from steady import Api, Sink, rfc3339, steady_for
from trouble import BlackHole, SlowHosts, SocketCount

TITLE = "isolation from hosts that are dead, slow or not found"
RATE = 500                   # healthy webhooks a second
HEALTHY = 50                 # hosts, half of them by name
IN_FLIGHT = 100              # delivery.per_target_in_flight
EACH = 3                     # timers for each host that is slow or not found
SLOW_S = 10
LATE_LIMIT_MS = 100
LATE_RATIO = 2.0
BUDGET_MIB = 512
NAME_SERVER = "127.0.0.53"
DEAD_NAMES = ("silent", "slow10", "tcpsilent", "tcpslow10")
SETS_PER_S = 8000            # that this program makes


def run_s(plan):
    return 2.5 * plan.seconds


def rounds(plan):
    """Each takes as long as several of other sections."""
    return max(1, plan.rounds // 2)


def estimate_s(plan):
    storm = plan.dead + 2 * EACH * plan.hosts
    return rounds(plan) * (2 * run_s(plan) + 10 + 1.5 * storm / SETS_PER_S)


def healthy_urls(sink):
    hosts = [f"127.2.0.{n + 1}" if n % 2 else f"ip-7f0200{n + 1:02x}.test" for n in range(HEALTHY)]
    return [sink.url(host=host) for host in hosts]


def storm(plan, hole, slow, at_ms):
    """The timers that are all due at once."""
    urls = [hole.url + "dead"] * plan.dead
    for number in range(plan.hosts):
        kind = DEAD_NAMES[number % len(DEAD_NAMES)]
        urls += [f"http://{kind}-{number}.test/name"] * EACH
        urls += [f"http://127.1.{number // 250}.{number % 250 + 1}:{slow.port}/slow"] * EACH
    return [{"at": rfc3339(at_ms), "url": url} for url in urls]


def measure(bench, folder):
    """The figures of one round."""
    plan = bench.plan
    # Here, because importing it takes threads' modules that a section which is not run needs not.
    from chaos_dns import ChaosDns  # pylint: disable=import-outside-toplevel
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    dns = ChaosDns(NAME_SERVER)
    try:
        with Sink(bench, folder, "healthy", "0.0.0.0") as sink, BlackHole("127.3.0.1") as hole, \
                SlowHosts(SLOW_S) as slow, bench.belfry(folder / "belfry").start() as belfry:
            steady_for(plan.warmup, belfry, "warm", healthy_urls(sink), RATE)
            alone = steady_for(run_s(plan), belfry, "alone", healthy_urls(sink), RATE)
            lead_s = 2 + 1.5 * (plan.dead + 2 * EACH * plan.hosts) / SETS_PER_S
            at_ms = round((time.time() + lead_s) * 1000)
            with Api(belfry) as api:
                api.post_all("/timers", storm(plan, hole, slow, at_ms))
            late_sets = time.time() * 1000 > at_ms
            sockets = SocketCount(hole.address)
            time.sleep(max(0, at_ms / 1000 - 1.5 - time.time()))
            beside = steady_for(run_s(plan), belfry, "beside", healthy_urls(sink), RATE)
            sockets.stop()
            figures = {"sockets": sockets.most, "looks": sockets.looks, "late_sets": late_sets,
                       "memory_mib": belfry.status_mib("VmHWM"), "slow": slow.most,
                       "asked": len(dns.questions)}
            belfry.kill()
            came = sink.arrivals()
            return {**figures, "alone": alone.lateness(came), "beside": beside.lateness(came)}
    finally:
        dns.stop()


def run(bench):
    runs = []
    for number in range(rounds(bench.plan)):
        bench.say(f"round {number + 1}")
        with bench.work() as folder:
            # pylint: disable=cell-var-from-loop
            runs.append(in_own_network(NAME_SERVER, lambda: measure(bench, folder)))
    add_rows(bench, runs)


def add_rows(bench, runs):
    plan = bench.plan
    for figures in runs:
        if figures["late_sets"]:
            bench.say("some of the storm was due before it was set")
    what = (f"{count_text(plan.dead)} due to a dead host, {count_text(plan.hosts)} hosts with dead "
            f"DNS, {count_text(plan.hosts)} slow ones")
    p99_ms = [figures["beside"]["p99_ms"] for figures in runs]
    alone_ms = median(figures["alone"]["p99_ms"] for figures in runs)
    value = median(p99_ms)
    bench.add(f"{what}: lateness p99 of {RATE} healthy webhooks a second", value=value, unit="ms",
              samples=p99_ms, beside="the same alone", beside_value=alone_ms,
              ratio=value / alone_ms, asked=f"at most {LATE_LIMIT_MS} ms and {LATE_RATIO:g}x",
              met=value <= LATE_LIMIT_MS and value <= LATE_RATIO * alone_ms,
              p50_ms=median(figures["beside"]["p50_ms"] for figures in runs), p99_ms=value)
    sockets = max(figures["sockets"] for figures in runs)
    bench.add(f"{what}: most sockets to the dead host", value=sockets, unit="",
              beside="per_target_in_flight", beside_value=IN_FLIGHT, asked="at most the cap",
              met=0 < sockets <= IN_FLIGHT)
    slow = median(figures["slow"] for figures in runs)
    bench.add(f"{what}: most connections to slow hosts", value=slow, unit="")
    memory_mib = max(figures["memory_mib"] for figures in runs)
    bench.add(f"{what}: greatest VmRSS", value=memory_mib, unit="MiB", beside="memory.budget",
              beside_value=BUDGET_MIB, ratio=memory_mib / BUDGET_MIB, asked="within the budget",
              met=memory_mib <= BUDGET_MIB)
