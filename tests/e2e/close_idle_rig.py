"""Deliveries without a fault to a receiver that closes idle connections at random (row O10 of the
fault matrix): none is repeated, and no request is on the wire that was not recorded.

    close_idle_rig.py BINARY BELFRY_BENCH [--count 20000] [--within 5ms]

`belfry-bench sink --close-idle` is the receiver: a request that was on its way to a connection that
it just closed it reads and counts, but does not answer. For each timer its count of requests must
be the number of attempts that the daemon recorded. A million takes some minutes.
"""

import argparse
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import harness
import processes
from harness import Daemon, show

# Half of the attempts meet a connection that is being closed: the breaker would take part.
CONFIG = """
delivery:
  breaker: {failures: 1000000, min_attempts: 1000000}
  targets: {allow: [loopback]}
  max_in_flight: 64
  per_target_in_flight: 64
  timeout: 60s
  retry: {max_attempts: 50, schedule: [20ms], jitter: 0.5}
"""
STALLED_S = 60
SHOWN = 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("bench")
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--within", default="5ms", help="idle connections are closed within this")
    return parser.parse_args()


def deliver(daemon, count):
    """Until all timers are settled; it may take as long as it likes, but not stand still."""
    delivered, moved = 0, time.monotonic()
    while delivered < count:
        now = daemon.count("?state=delivered")
        if now > delivered:
            delivered, moved = now, time.monotonic()
        if time.monotonic() - moved > STALLED_S:
            raise AssertionError(f"stands still at {delivered} of {count}:\n{daemon.log()}")
        time.sleep(0.1)


def pages(daemon):
    target = "/timers?limit=1000"
    while target:
        page = daemon.get(target)
        yield from page.json()
        link = page.header("link")
        target = link[link.index("<") + 1:link.index(">")] if link else None


def compare(daemon, counts):
    """What is wrong, one line each; and how many attempts were recorded."""
    wrong, recorded = [], 0
    for timer in pages(daemon):
        attempts = len(timer["attempts"])
        recorded += attempts
        answered, unanswered = counts.pop(timer["id"], (0, 0))
        if attempts != answered + unanswered:
            wrong.append(f"timer {timer['id']}: {answered} answered and {unanswered} unanswered "
                         f"requests, but {timer['attempts']}")
        elif answered != 1 or timer["state"] != "delivered":
            wrong.append(f"timer {timer['id']}: {timer['state']}, answered {answered} times")
    wrong += [f"timer {timer}: {count} requests, but it is not there"
              for timer, count in counts.items()]
    return wrong, recorded


def read_counts(path):
    rows = (map(int, line.split()) for line in path.read_text(encoding="ascii").splitlines())
    return {timer: (answered, unanswered) for timer, answered, unanswered in rows}


def run(options, root):
    """The sink's figures, and what compare() found."""
    port, counts = processes.free_port(), root / "counts"
    data = root / "d" / "data"
    data.parent.mkdir()
    processes.run_to_end("fill", [options.bench, "fill", "--data", data, "--count", options.count,
                                  "--from", "1s", "--spread", "1s", "--target",
                                  f"http://127.0.0.1:{port}/hook"], limit_s=600)
    sink = processes.Process("sink", [options.bench, "sink", "--listen", f"127.0.0.1:{port}",
                                      "--close-idle", options.within, "--counts", counts, "--json"],
                             root)
    daemon = Daemon(root / "d", config=CONFIG)
    try:
        sink.wait_for_words("listening on")
        daemon.start()
        deliver(daemon, options.count)
        if sink.stop(signal.SIGTERM) != 0:
            raise AssertionError(f"the sink failed:\n{sink.log_end()}")
        return json.loads(sink.output()), *compare(daemon, read_counts(counts))
    finally:
        daemon.close()
        sink.end()


def main():
    options = arguments()
    harness.use_binary(options.binary)
    root = pathlib.Path(tempfile.mkdtemp(prefix="belfry-idle-"))
    try:
        figures, wrong, recorded = run(options, root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    show(f"{figures['timers']} timers, {recorded} attempts recorded; {figures['answered']} "
         f"requests answered, {figures['unanswered']} met a closed connection, "
         f"{figures['duplicates']} duplicates; {figures['closed_idle']} idle connections closed")
    if figures["duplicates"] or figures["unknown"]:
        wrong.append(f"{figures['duplicates']} duplicates, {figures['unknown']} unknown")
    if figures["closed_idle"] < options.count / 1000:
        wrong.append("hardly a connection was closed: this shows nothing")
    for line in wrong[:SHOWN]:
        print("WRONG", line)
    print(f"{len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
