"""The crash rig: the real binary under load, killed with -9 at random moments and started again.

    crash_rig.py BINARY [--cycles 20] [--seed N] [--clients 8] [--keep DIRECTORY]

Clients set timers and log what was acknowledged; what was not they repeat with its Idempotency-Key.
They cancel some, ask for some a second time, and now and then remove all. Each sets only so many
new timers between two kills, and after that goes on with the others: what the receiver can take in
the end does not depend on how fast the daemon is. The receiver logs what arrives; it fails some
timers for a while and some for good. In the end crash_checker.py judges both
logs and what the API lists. The seed decides what is done; when the process dies within it is up to
the machine.
"""

import argparse
import collections
import datetime
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

import crash_checker
import harness
from harness import Answer, Client, Closed, Daemon, Receiver, poll, show

IN_FLIGHT_MAX = 64
UNSETTLED_MAX = 256  # kUnsettledMax in base/limits.h
NEW_PER_CLIENT_AND_CYCLE = 200
STALLED_S = 60
# One target stands for many, so its breaker stays out of it.
CONFIG = f"""
auth: {{mode: none}}
delivery:
  targets: {{allow: [loopback]}}
  max_in_flight: {IN_FLIGHT_MAX}
  per_target_in_flight: {IN_FLIGHT_MAX}
  timeout: 30s
  retry: {{max_attempts: 50, schedule: [40ms], jitter: 0.5}}
  breaker: {{failures: 1000000, min_attempts: 1000000}}
storage: {{min_free: 1MiB}}
memory: {{window: 64KiB}}
"""
# What the receiver does, by the first part of the path: (how often it is chosen, kind).
WAYS = {"ok": (60, "ok"), "slow": (10, "ok"), "flaky": (15, "ok"), "drops": (5, "ok"),
        "dead": (6, "dead"), "gone": (4, "dead")}


class Log:
    def __init__(self):
        self.events = []

    def add(self, what, **members):
        # One append of a list is atomic; crash_checker sorts by time.
        self.events.append({"what": what, "t": time.monotonic(), **members})

    def count(self, what):
        return sum(1 for event in list(self.events) if event["what"] == what)


def behave(got):
    way = got.target.split("/")[1]
    attempt = int(got.header("webhook-attempt"))
    if way == "slow":
        return Answer(delay_s=0.05 if got.id % 4 else 0.7)
    if way == "flaky":
        return Answer(503 if attempt < 3 else 204)
    if way == "drops":
        return Answer(200, drop=attempt < 3)
    return Answer({"ok": 200, "dead": 500, "gone": 410}[way])


def arrived(got, run):
    answer = behave(got)
    return {"what": "arrived", "t": got.mono, "key": got.target.split("/")[2], "id": got.id,
            "attempt": int(got.header("webhook-attempt")), "webhook_id": got.header("webhook-id"),
            "due": unix_seconds(got.header("webhook-due")), "wall": got.wall, "run": run,
            "status": None if answer.drop else answer.status}


def unix_seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


class LoadClient(threading.Thread):
    """One connection at a time. Each request is repeated until it is answered for good."""

    def __init__(self, number, daemon, receiver, log, up, seed):
        super().__init__(daemon=True)
        self.number, self.daemon_port, self.receiver, self.log, self.up = (
            number, daemon.port, receiver, log, up)
        self.random = random.Random(f"{seed}/{number}")
        self.stopping = threading.Event()
        self.go = threading.Event()    # cleared: it makes no new request ...
        self.go.set()
        self.idle = threading.Event()  # ... and this says that it has none under way
        self.client = None
        self.known = collections.deque(maxlen=400)  # (id, key, body) acknowledged
        self.sent = 0
        self.may_set = NEW_PER_CLIENT_AND_CYCLE  # the rig fills it up again at every start
        self.error = None

    def run(self):
        try:
            while not self.stopping.is_set():
                if not self.go.is_set():
                    self.known.clear()
                    self.idle.set()
                    self.go.wait()
                spent = self.may_set <= 0 and self.known
                dice = self.random.uniform(0.11, 0.16) if spent else self.random.random()
                if dice < 0.12 and self.known:
                    self.cancel(self.random.choice(self.known))
                elif dice < 0.16 and self.known:
                    timer_id, key, body = self.random.choice(self.known)
                    self.set(key, body)
                else:
                    self.set_new()
        except BaseException as error:
            self.error = error
            raise
        finally:
            if self.client:
                self.client.close()

    def set_new(self):
        self.sent += 1
        self.may_set -= 1
        key = f"{self.number}-{self.sent}"
        ways = list(WAYS)
        way = self.random.choices(ways, [WAYS[w][0] for w in ways])[0]
        delay_ms = self.random.choice((0, 1, 20, 100, 300, 1000, 2500))
        body = {"delay": f"{delay_ms}ms", "url": self.receiver.url(f"/{way}/{key}")}
        if way == "dead":
            body["retry"] = {"max_attempts": 3, "schedule": ["20ms"]}
        if self.random.random() < 0.1:
            body["body"] = "x" * self.random.randrange(20_000)
        self.log.add("sent", key=key, kind=WAYS[way][1], wall=time.time(), delay_ms=delay_ms)
        body = json.dumps(body).encode()
        timer_id = self.set(key, body)
        self.known.append((timer_id, key, body))

    def set(self, key, body):
        answer = self.until_answered("POST", "/timers", body, [("Idempotency-Key", key)])
        if answer.status != 201:
            raise AssertionError(f"set {key}: {answer.status} {answer.body!r}")
        timer_id = answer.json()["id"]
        self.log.add("acked", key=key, id=timer_id)
        return timer_id

    def cancel(self, known):
        answer = self.until_answered("DELETE", f"/timers/{known[0]}")
        if answer.status not in (200, 409):
            raise AssertionError(f"cancel {known[0]}: {answer.status} {answer.body!r}")
        self.log.add("answered", id=known[0], result=answer.json()["result"])

    def until_answered(self, method, target, body=None, headers=()):
        while True:
            self.up.wait()
            try:
                if self.client is None:
                    self.client = Client(("127.0.0.1", self.daemon_port))
                answer = self.client.request(method, target, body, headers)
            except (OSError, Closed):
                if self.client:
                    self.client.close()
                self.client = None
                time.sleep(0.002)  # it is dead or dying: `up` tells when it is back
                continue
            again = answer.status in (500, 503) or (
                answer.status == 409 and answer.json()["type"].endswith("in-progress"))
            if not again:
                return answer
            time.sleep(0.01)


class Rig:
    def __init__(self, root, cycles, clients, seed):
        self.random = random.Random(seed)
        self.cycles = cycles
        self.log = Log()
        self.up = threading.Event()
        self.run = 1
        self.receiver = Receiver(behave)
        self.daemon = Daemon(root / "d", config=CONFIG)
        self.clients = [LoadClient(n, self.daemon, self.receiver, self.log, self.up, seed)
                        for n in range(clients)]

    def drive(self):
        self.daemon.start()
        self.up.set()
        for client in self.clients:
            client.start()
        for cycle in range(self.cycles):
            self.one_cycle()
            if sys.stdout.isatty() or (cycle + 1) % 10 == 0:
                show(f"{cycle + 1} kills, {self.log.count('acked')} acknowledged, "
                     f"{self.log.count('arrived')} arrived")
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join(60)
            if client.is_alive() or client.error:
                raise AssertionError(f"client {client.number}: {client.error or 'does not end'}\n"
                                     + self.daemon.log())
        self.let_everything_fire()
        timers = self.daemon.list_all()
        self.take_arrivals()
        return timers

    def let_everything_fire(self):
        """Waits as long as the counts go on changing, however slow the machine is."""
        def left():
            return [self.daemon.count(f"?state={s}") for s in ("pending", "firing", "retrying")]

        last = left()
        while any(last):
            last = poll(lambda: (now := left()) != last and now, f"a change of {last}", STALLED_S,
                        every_s=0.05)

    def one_cycle(self):
        time.sleep(self.random.uniform(0.02, 1.2))  # the load goes on meanwhile
        if self.random.random() < 0.15:
            self.wipe()
        self.crash()
        while self.random.random() < 0.2:  # again, before it is up
            self.daemon.spawn()
            time.sleep(self.random.uniform(0, 0.15))
            self.crash()
        self.daemon.start()
        for client in self.clients:
            client.may_set = NEW_PER_CLIENT_AND_CYCLE
        self.up.set()

    def wipe(self):
        """DELETE /timers while no other request is under way; at times over a crash."""
        for client in self.clients:
            client.idle.clear()
            client.go.clear()
        for client in self.clients:
            if not client.idle.wait(60):
                raise AssertionError(f"client {client.number} does not pause: {client.error}")
        last = max(event["id"] for event in list(self.log.events) if event["what"] == "acked")
        if self.random.random() < 0.5:
            with self.daemon.client() as half:
                half.send(half.encode("DELETE", "/timers"))
                time.sleep(self.random.uniform(0, 0.003))
            self.crash()
            self.daemon.start()
        answer = self.daemon.request("DELETE", "/timers")
        if answer.status != 200:
            raise AssertionError(f"DELETE /timers: {answer.status} {answer.body!r}")
        self.receiver.drain()
        self.log.add("wiped", id=last, run=self.run)
        for client in self.clients:
            client.go.set()
        self.up.set()
        time.sleep(self.random.uniform(0.02, 0.5))

    def crash(self):
        if not self.daemon.alive():
            raise AssertionError(f"it ended by itself:\n{self.daemon.log()}")
        self.up.clear()
        self.daemon.signal(signal.SIGKILL)
        code = self.daemon.wait()
        if code != -signal.SIGKILL:
            raise AssertionError(f"it ended by itself with {code}:\n{self.daemon.log()}")
        self.take_arrivals()
        self.log.add("killed", run=self.run)
        self.run += 1

    def take_arrivals(self):
        """What arrived belongs to the run that just ended: nothing else has been running."""
        self.receiver.drain()
        for got in self.receiver.snapshot():
            self.log.events.append(arrived(got, self.run))
        self.receiver.clear()

    def close(self):
        self.daemon.close()
        self.receiver.stop()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("binary")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=pathlib.Path, help="write the logs and keep the data here")
    return parser.parse_args()


def keep(directory, rig, timers, root):
    directory.mkdir(parents=True, exist_ok=True)
    for name, rows in (("events", rig.log.events), ("timers", timers)):
        with open(directory / f"{name}.jsonl", "w", encoding="utf-8") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    shutil.copytree(root / "d", directory / "d", dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("notify"))


def main():
    options = arguments()
    harness.use_binary(options.binary)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"crash rig: {options.cycles} cycles, seed {seed}", flush=True)
    root = pathlib.Path(tempfile.mkdtemp(prefix="belfry-crash-"))
    rig = Rig(root, options.cycles, options.clients, seed)
    timers = []
    try:
        timers = rig.drive()
        for timer in timers:
            timer["key"] = timer["url"].rsplit("/", 1)[1]
        violations = crash_checker.check(rig.log.events, timers, IN_FLIGHT_MAX + UNSETTLED_MAX)
        states = collections.Counter(timer["state"] for timer in timers)
        show(f"{rig.log.count('killed')} kills, {rig.log.count('acked')} acknowledged, "
             f"{rig.log.count('arrived')} arrived; {dict(states)}")
    finally:
        rig.close()
        if options.keep:
            keep(options.keep, rig, timers, root)
        shutil.rmtree(root, ignore_errors=True)
    for violation in violations[:50]:
        print("VIOLATION", violation)
    if violations:
        print(f"{len(violations)} violations; seed {seed}")
        return 1
    print("no violation")
    return 0


if __name__ == "__main__":
    sys.exit(main())
