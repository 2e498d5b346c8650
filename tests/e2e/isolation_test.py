"""A target that is dead, and those that are not."""

import collections
import socket
import threading
import time

from harness import Answer, Case, main, poll, show

CAP = 32
DEAD = 10_000
CONFIG = (f"delivery: {{targets: {{allow: [loopback]}}, per_target_in_flight: {CAP}, "
          "max_in_flight: 200}\n")
RETRY = {"max_attempts": 3, "schedule": ["1s"], "jitter": 0}
NOBODYS = "0"  # the inode of a socket that was closed, and whose last packets are on their way


def sockets_to(port):
    """Of this machine, to that port, that a process has."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(1 for row in rows if row[9] != NOBODYS and int(row[2].split(":")[1], 16) == port)


class Watch:
    """The most sockets to a port that were there at two looks in a row: the kernel's list is not of
    one moment, so one look may see a socket and also the one that took its place."""

    def __init__(self, port):
        self.port, self.most, self.looks = port, 0, 0
        self.before = sockets_to(port)  # the test's own
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        last = 0
        while not self._stopping.wait(0.01):
            now = sockets_to(self.port) - self.before
            self.most = max(self.most, min(last, now))
            last = now
            self.looks += 1

    def stop(self):
        self._stopping.set()
        self._thread.join()


class BlackHole:
    """A port that takes no connection: its queue is full, and further SYNs are dropped."""

    def __init__(self):
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port = self._listener.getsockname()[1]
        self._queued = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))
            self._queued.append(one)

    def stop(self):
        for one in self._queued + [self._listener]:
            one.close()


class O11(Case):
    def target(self, d, port):
        for target in d.get("/targets").json()["targets"]:
            if target["name"] == f"http://127.0.0.1:{port}":
                return target
        return None

    def fill(self, d, port):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 5))
        with d.client() as client:
            raw = client.encode("POST", "/timers", {
                "at": at, "url": f"http://127.0.0.1:{port}/x", "timeout": "1s", "retry": RETRY})
            for _ in range(DEAD // 50):
                client.send(raw * 50)
                self.assertEqual({client.response().status for _ in range(50)}, {201})

    def check(self, port):
        """10,000 are due to `port` at once; the attempts of each, by error."""
        good = self.receiver()
        d = self.daemon(config=CONFIG).start()
        self.fill(d, port)
        watch = Watch(port)
        self.addCleanup(watch.stop)

        def is_open():
            target = self.target(d, port)
            return target and target["state"] != "closed"
        poll(is_open, "the breaker opens", 60)
        d.wait_state(d.set(good.url()), "delivered")
        self.assertLess(d.count("?state=dead"), DEAD, "it waited for the dead target")
        ids = [d.set(good.url()) for _ in range(200)]
        for timer in ids:
            self.assertEqual(len(d.wait_state(timer, "delivered")["attempts"]), 1)
        late = sorted(d.view(timer)["lateness_ms"] for timer in ids)
        poll(lambda: d.count("?state=dead") == DEAD, "all of the dead target's end", 120)
        watch.stop()
        show(f"most sockets at once {watch.most} of {CAP}, seen in {watch.looks} looks; lateness "
             f"of 200 others meanwhile: p50 {late[100]} ms, p99 {late[198]} ms")
        self.assertLessEqual(watch.most, CAP)
        self.assertGreater(watch.most, 0)
        errors = collections.Counter()
        for timer in d.list_all("&state=dead"):
            self.assertEqual((timer["reason"], len(timer["attempts"])), ("exhausted", 3))
            for attempt in timer["attempts"]:
                self.assertIsNone(attempt["status"])
                errors[attempt["error"]] += 1
                if attempt["error"] == "circuit open":
                    self.assertEqual(attempt["duration_ms"], 0)
        self.assertEqual(set(errors), {"timeout", "circuit open"})
        return errors

    def test_o11_ten_thousand_due_to_a_host_that_never_answers(self):
        bad = self.receiver(lambda got: Answer(hang=True))
        errors = self.check(bad.port)
        self.assertEqual(len(bad.snapshot()), errors["timeout"])
        # The first ones, and one for each second, then two, four, ...
        self.assertLess(errors["timeout"], CAP + 20)

    def test_o11_ten_thousand_due_to_a_black_hole(self):
        hole = BlackHole()
        self.addCleanup(hole.stop)
        errors = self.check(hole.port)
        self.assertLess(errors["timeout"], CAP + 20)


class Recovery(Case):
    def test_a_target_that_comes_back_is_probed_and_gets_its_timers(self):
        gone = self.receiver()
        port = gone.port
        gone.stop()
        d = self.daemon(config=CONFIG).start()
        ids = [d.set(gone.url(), retry={"max_attempts": 50, "schedule": ["1s"]})
               for _ in range(40)]

        def shown():
            targets = d.get("/targets").json()["targets"]
            return targets[0] if targets and targets[0]["state"] != "closed" else None
        target = poll(shown, "the breaker opens")
        self.assertEqual((target["error_rate"], target["last_error"]), (1, "refused"))
        back = self.receiver(port=port)
        for timer in ids:
            d.wait_state(timer, "delivered", timeout_s=60)
        self.assertEqual(sorted(got.id for got in back.snapshot()), ids)
        target = d.get("/targets").json()["targets"][0]
        self.assertEqual((target["state"], target["blocked_until"]), ("closed", None))

    def test_retry_after_holds_the_whole_target(self):
        busy = self.receiver(lambda got: Answer(429, (("Retry-After", "300"),)))
        good = self.receiver()
        d = self.daemon(config=CONFIG).start()
        first = d.set(busy.url())
        d.wait_state(first, "retrying")
        held = d.set(busy.url())
        other = d.set(good.url())
        d.wait_state(other, "delivered")
        self.assertEqual(d.view(held)["state"], "pending")
        self.assertEqual(len(busy.snapshot()), 1)
        page = d.get("/targets?limit=1")
        self.assertIn('rel="next"', page.header("link"))
        targets = d.get("/targets").json()["targets"]
        target = next(t for t in targets if t["name"].endswith(f":{busy.port}"))
        self.assertEqual((target["staged"], target["limit"], target["last_error"]),
                         (1, CAP // 2, "status 429"))
        self.assertIsNotNone(target["blocked_until"])


if __name__ == "__main__":
    main()
