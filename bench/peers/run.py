#!/usr/bin/env python3
"""Belfry and its peers with the same work, one after the other: one durable timer a request, then a
burst of timers due at once, each POSTed to the same sink. Prints a table with ratios.

Installs what is missing: Debian packages (packages here) and npm packages (package-lock.json here)
into the build directory. Every run has a fresh store in a temporary directory; servers listen on
loopback and are stopped by PID. Which system is first changes each round.

Exit codes: 0 all measured; 1 something could not be measured, the reason is in the report; 2 wrong
command line.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

# pylint: disable=wrong-import-position
import driver
import table
from beanstalkd import Beanstalkd
from belfry import Belfry
from figures import parse_figures
from graphile import Graphile
from install import Unavailable, install_debian, install_npm
from peer import Run
from processes import BenchError, Process, free_port, run_to_end
from redis_always import BullMq, Redis
from restate import Restate

PEERS = {peer.name: peer for peer in (Beanstalkd, Redis, BullMq, Graphile, Restate)}
CONNECTIONS = 64
BURST = 10_000
LEAD_S = 5             # from the start of setting the burst until it is due
LEAD_MAX_S = 40
MARGIN_MS = 500        # the burst must be set so long before it is due
SINK_LIMIT_S = 30
START_ESTIMATE_S = 3
SYNCS = 1000           # before each run


class TooSlow(Exception):
    """The burst was not set before it was due."""


@dataclass
class Bench:
    """What the command line says."""

    build: Path
    folder: Path
    npm: Path
    rounds: int
    duration_s: float
    warmup_s: float

    def run(self, name):
        return Run(folder=Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self.folder)),
                   build=self.build, npm=self.npm, connections=CONNECTIONS,
                   warmup_ms=int(self.warmup_s * 1000), duration_ms=int(self.duration_s * 1000))


class Progress:
    """Lines on stderr about how far all is; the time left is guessed from the steps taken."""

    def __init__(self, steps):
        self.planned_s = sum(steps)
        self.done_s = 0
        self.began = time.monotonic()

    def say(self, words):
        elapsed = time.monotonic() - self.began
        print(f"[{elapsed:4.0f} s] {words}", file=sys.stderr, flush=True)

    def step(self, words, planned_s):
        elapsed = time.monotonic() - self.began
        pace = elapsed / self.done_s if self.done_s else 1
        self.say(f"{words}, ETA {(self.planned_s - self.done_s) * pace:.0f} s")
        self.done_s += planned_s

    def drop(self, planned_s):
        """Steps that will not be taken."""
        self.planned_s -= planned_s


def with_peer(bench, peer_class, work):
    """work(peer) on a started one with a fresh store, which is gone afterwards."""
    run = bench.run(peer_class.name)
    # For a server that runs as another user.
    run.folder.chmod(0o711)
    peer = peer_class(run)
    try:
        peer.start()
        return work(peer)
    finally:
        peer.stop()
        shutil.rmtree(run.folder, ignore_errors=True)


def accept(peer):
    if isinstance(peer, Belfry):
        return peer.measure()
    return driver.measure(peer.title, peer.load(), peer.servers(), peer.environment())


def burst(peer, lead_s):
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    peer.start_worker(origin)
    due_ms = int((time.time() + lead_s) * 1000)
    command = [peer.run.build / "belfry-bench", "sink", "--listen", f"127.0.0.1:{port}",
               "--expect", BURST, "--due", due_ms, "--limit", f"{SINK_LIMIT_S}s", "--json"]
    with Process("sink", command, peer.run.folder) as sink:
        sink.wait_for_words("listening on")
        run_to_end(f"setting {BURST} timers", peer.burst(BURST, due_ms, origin),
                   env=peer.environment())
        if time.time() * 1000 > due_ms - MARGIN_MS:
            raise TooSlow
        sink.wait(lead_s + SINK_LIMIT_S + 30)
        return figures_of_sink(sink.output())


def figures_of_sink(text):
    figures = parse_figures("the sink", text)
    if figures["arrived"] == 0:
        raise BenchError("no webhook arrived")
    seconds = (figures["last_ms"] - figures["first_ms"]) / 1000
    figures["per_second"] = figures["arrived"] / seconds if seconds > 0 else 0
    return figures


def burst_in_time(bench, peer_class):
    """Each attempt on a fresh store; a longer lead where setting takes longer."""
    lead_s = LEAD_S
    while True:
        try:
            return with_peer(bench, peer_class, lambda peer: burst(peer, lead_s))
        except TooSlow as error:
            lead_s *= 2
            if lead_s > LEAD_MAX_S:
                raise BenchError(f"could not set {BURST} timers in {lead_s // 2} s") from error


def prepare(names, bench, say):
    """Name -> why it cannot be had; the others are installed."""
    problems = {}
    no_npm = None
    if any(PEERS[name].needs_npm for name in names):
        try:
            install_npm(bench.npm, say)
        except Unavailable as error:
            no_npm = error
    for name in names:
        peer = PEERS[name]
        try:
            if peer.needs_npm and no_npm:
                raise no_npm
            if peer.packages:
                install_debian(peer.packages, say)
        except Unavailable as error:
            problems[name] = str(error)
            say(f"{name} cannot be had: {error}")
    return problems


def sync_ms(bench):
    """What an append and fdatasync costs on this disk at the moment."""
    said = run_to_end("belfry-bench sync", [bench.build / "belfry-bench", "sync", "--dir",
                                            bench.folder, "--count", SYNCS, "--json"])
    return parse_figures("belfry-bench sync", said)["latency"]["p50_ms"]


def accept_beside_sync(bench, peer_class):
    sync = sync_ms(bench)
    return {**with_peer(bench, peer_class, accept), "sync_ms": sync}


def measure_all(bench, names, problems):
    """Name -> title, accept and fire medians, problem; `names` without Belfry."""
    classes = {"belfry": Belfry, **{name: PEERS[name] for name in names}}
    rounds = {name: {"accept": [], "fire": []} for name in classes}
    accept_s = bench.warmup_s + bench.duration_s + START_ESTIMATE_S
    burst_s = LEAD_S + START_ESTIMATE_S + 2
    plan = {name: accept_s + (burst_s if peer.fires else 0) for name, peer in classes.items()
            if name not in problems}
    progress = Progress([each * bench.rounds for each in plan.values()])
    for number in range(bench.rounds):
        order = list(classes)
        order = order[number % len(order):] + order[:number % len(order)]
        for name in order:
            if name in problems:
                continue
            peer = classes[name]
            try:
                progress.step(f"round {number + 1} of {bench.rounds}: {name}, sets", accept_s)
                rounds[name]["accept"].append(accept_beside_sync(bench, peer))
                if peer.fires:
                    progress.step(f"round {number + 1} of {bench.rounds}: {name}, burst", burst_s)
                    rounds[name]["fire"].append(burst_in_time(bench, peer))
            except BenchError as error:
                error = " | ".join(str(error).splitlines())[-600:]
                problems[name] = f"round {number + 1}: {error}"
                progress.say(f"{name}: {error}")
                progress.drop(plan[name] * (bench.rounds - number - 1))
    return {name: {"title": peer.title, "problem": problems.get(name), "rounds": rounds[name],
                   "accept": table.medians(rounds[name]["accept"]),
                   "fire": table.medians(rounds[name]["fire"])}
            for name, peer in classes.items()}


def positive(parse):
    def value(text):
        number = parse(text)
        if not 0 < number < 100_000:
            raise ValueError
        return number
    value.__name__ = "number above 0"
    return value


def parse_arguments():
    about, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(prog="run.py", description=about, epilog=rest,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=positive(int), default=5, help="%(default)s")
    parser.add_argument("--duration", type=positive(float), default=30, metavar="SECONDS",
                        help="measured each time, %(default)s")
    parser.add_argument("--warmup", type=positive(float), default=10, metavar="SECONDS",
                        help="before it, not measured, %(default)s")
    parser.add_argument("--only", nargs="+", choices=list(PEERS), metavar="PEER",
                        help="only these beside Belfry, see --list")
    parser.add_argument("--list", action="store_true", help="show the peers and end")
    parser.add_argument("--build", type=Path, default=ROOT / "build", metavar="DIR",
                        help="where belfry, belfry-bench and peer-load are; build")
    parser.add_argument("--dir", type=Path, metavar="DIR",
                        help="where the stores are made, on the disk to be measured; the build "
                             "directory")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="the table; the figures of all rounds go beside it as .json; "
                             "bench/peers.md in the build directory")
    return parser.parse_args()


def check_build(build):
    for name in ("belfry", "belfry-bench", "peer-load"):
        if not (build / name).is_file():
            sys.exit(f"run.py: there is no {build / name}: run make bench-peers, or give --build")


def main():
    arguments = parse_arguments()
    if arguments.list:
        for name, peer in PEERS.items():
            does = "sets and fires" if peer.fires else "sets"
            print(f"{name:16} {does:15} {peer.title}")
        return 0
    build = arguments.build.resolve()
    check_build(build)
    parent = (arguments.dir or build).resolve()
    out = (arguments.out or build / "bench" / "peers.md").resolve()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="peers.", dir=parent))
    except OSError as error:
        sys.exit(f"run.py: {error}")
    # So that an interrupt stops the servers too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        folder.chmod(0o711)
        bench = Bench(build=build, folder=folder, npm=build / "peers-npm", rounds=arguments.rounds,
                      duration_s=arguments.duration, warmup_s=arguments.warmup)
        names = list(dict.fromkeys(arguments.only or PEERS))
        problems = prepare(names, bench, lambda words: print(words, file=sys.stderr, flush=True))
        load_average = os.getloadavg()[0]
        results = measure_all(bench, names, problems)
        settings = {"rounds": bench.rounds, "duration_s": bench.duration_s,
                    "warmup_s": bench.warmup_s, "connections": CONNECTIONS, "burst": BURST,
                    "load_average": load_average}
        report = table.markdown(results, settings)
        out.write_text(report, encoding="utf-8")
        whole = {"settings": settings, "systems": results}
        out.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
        print(report, end="")
        return 1 if problems else 0
    except BenchError as error:
        sys.exit(f"run.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
