"""What stopwatches of others cost, and what very many event streams do."""

from plan import count_text
from results import in_turn, median, median_of

TITLE = "stopwatches: strangers, and event streams"
CONNECTIONS = 16
LIMIT = 1.2
FILL_PER_S = 100_000
PATHS = (("GET /api/stopwatch", "/api/stopwatch"),
         ("GET /api/stopwatch/{name}, 100 owners", "/api/stopwatch/tea"))


def estimate_s(plan):
    runs = len(PATHS) * 2 * plan.rounds * (plan.seconds + plan.warmup)
    return runs + plan.strangers / FILL_PER_S + 30


def strangers(bench):
    plan = bench.plan
    with bench.work() as folder:
        servers = []
        for count in (1, plan.strangers):
            belfry = bench.belfry(folder / f"belfry-{count}")
            bench.say(f"{count_text(count)} stopwatches of strangers are made")
            bench.ask(folder / f"fill-{count}", "fill-stopwatches", "--data", belfry.data,
                      "--others", count, limit_s=60 + count / 10_000)
            servers.append(belfry)
        few, many = servers
        with few.start(), many.start():
            for what, path in PATHS:
                alone, crowded = [], []
                for number in bench.rounds:
                    bench.say(f"{what}, round {number + 1}")
                    for belfry, runs in in_turn(number, [(few, alone), (many, crowded)]):
                        runs.append(bench.load(folder / "get", belfry, "get", "--path", path,
                                               "--connections", CONNECTIONS))
                add_ratio(bench, what, plan.strangers, alone, crowded)
            many.stop()
            few.stop()


def add_ratio(bench, what, count, alone, crowded):
    cost, beside = median_of(crowded, "daemon_us"), median_of(alone, "daemon_us")
    rates = [run["per_second"] for run in crowded], [run["per_second"] for run in alone]
    ratio = median(rates[1]) / median(rates[0])
    bench.add(f"{what}, {count_text(count)} of strangers", value=median(rates[0]),
              samples=rates[0], beside="1 of a stranger", beside_value=median(rates[1]),
              ratio=ratio, asked="at most 1.2x the cost", met=ratio < LIMIT,
              p50_ms=median(run["latency"]["p50_ms"] for run in crowded),
              p99_ms=median(run["latency"]["p99_ms"] for run in crowded),
              cpu=f"belfry {cost:.1f} beside {beside:.1f}" if cost and beside else "")


def streams(bench):
    plan = bench.plan
    # Of its connections an eighth is kept free of event streams.
    connections = plan.streams * 8 // 7 + 100
    with bench.work() as folder, \
            bench.belfry(folder / "belfry", connections=connections).start() as belfry:
        bench.say(f"{count_text(plan.streams)} event streams")
        before = belfry.status_mib("VmRSS")
        with bench.client(folder / "listen", "listen", "--url", belfry.url, "--clients",
                          plan.streams, "--settle", "3s", watched=[belfry.process]) as client:
            client.process.wait_for_words("all are there")
            held = belfry.status_mib("VmRSS") - before
            figures = client.result(120)
        belfry.stop()
    bench.add(f"a reset reaches {count_text(plan.streams)} event streams, the last of them",
              value=figures["all"]["p50_ms"], unit="ms", asked="all of them",
              met=figures["missed"] == 0, p50_ms=figures["heard"]["p50_ms"],
              p99_ms=figures["heard"]["p99_ms"])
    bench.add("memory of an event stream", value=held * 1024 / plan.streams, unit="KiB")


def run(bench):
    strangers(bench)
    streams(bench)
