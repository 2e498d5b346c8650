"""A disk that is full, and one that fails: no false 201, and nothing acknowledged is lost."""

import json
import re
import shutil
import threading
import time

import namespaces
from harness import Case, Client, Closed, main, poll, show

FAR = "http://127.0.0.1:9/"
LOCAL = "delivery: {targets: {allow: [loopback]}}\n"


def is_no_space(answer):
    return answer.status == 507 and answer.json()["type"] == "/problems/no-space"


class MinFree(Case):
    def test_below_it_sets_are_refused_and_all_else_goes_on(self):
        r = self.receiver()
        d = self.daemon(config=LOCAL + "storage: {min_free: 0B}\n").start()
        keyed = {"hours": 2, "url": FAR}
        first = d.request("POST", "/timers", keyed, headers=[("Idempotency-Key", "k1")])
        late, far = d.set(r.url(), delay="700ms"), d.set(FAR, hours=1)
        d.kill()
        d.config = LOCAL + "storage: {min_free: 1TiB}\n"
        d.start()
        got = poll(lambda: next((a for a in [d.request("POST", "/timers", {"hours": 1, "url": FAR})]
                                 if a.status != 201), None), "507")
        self.assertTrue(is_no_space(got), got.body)
        self.assertEqual(got.header("content-type"), "application/problem+json")
        count = d.count()
        for _ in range(20):
            self.assertEqual(d.request("POST", "/timers", {"hours": 1, "url": FAR}).status, 507)
        self.assertEqual(d.count(), count)
        ready = d.get("/ready")
        self.assertEqual(ready.status, 503)
        self.assertIn("full", ready.body.decode())
        repeat = d.request("POST", "/timers", keyed, headers=[("Idempotency-Key", "k1")])
        self.assertEqual((repeat.status, repeat.body), (201, first.body))
        new = d.request("POST", "/timers", keyed, headers=[("Idempotency-Key", "k2")])
        self.assertTrue(is_no_space(new), new.body)
        self.assertEqual(d.request("DELETE", f"/timers/{far}").status, 200)
        d.wait_state(late, "delivered")
        self.assertEqual(d.request("DELETE", "/timers").body, b"{}")
        d.kill()
        d.config = LOCAL + "storage: {min_free: 0B}\n"
        d.start()
        self.assertEqual(d.count(), 0)
        self.assertGreater(d.set(FAR, hours=1), far)


class FullDisk(Case):
    """On a small tmpfs that is filled, to the last byte too, while timers are set and fire."""

    SIZE_MIB = 64
    MIN_FREE_MIB = 24

    def setUp(self):
        super().setUp()
        namespaces.enter()
        self.disk = self.root / "disk"
        self.disk.mkdir()
        namespaces.mount_tmpfs(self.disk, self.SIZE_MIB)
        self.addCleanup(namespaces.unmount, self.disk)
        self.r = self.receiver()
        self.d = self.daemon(data=self.disk / "data", config=LOCAL
                             + f"storage: {{min_free: {self.MIN_FREE_MIB}MiB}}\n").start()
        self.acknowledged = []

    def set_until_refused(self):
        """Sets until something else than 201 comes; that answer, or None when the process ended."""
        for n in range(20_000):
            soon = n % 10 == 0
            body = {"url": self.r.url() if soon else FAR, "delay": "20ms" if soon else "1h",
                    "body": "x" * 4000}
            try:
                answer = self.d.request("POST", "/timers", body)
            except (OSError, Closed):
                return None
            if answer.status != 201:
                return answer
            self.acknowledged.append(answer.json()["id"])
        self.fail(f"a disk of {self.SIZE_MIB} MiB is never full")

    def everything_is_there(self):
        listed = {timer["id"] for timer in self.d.list_all()}
        self.assertEqual(sorted(set(self.acknowledged) - listed), [])

    def fill(self, leave=0):
        ballast = self.disk / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while (free := shutil.disk_usage(self.disk).free) > leave:
                    file.write(b"\0" * min(65536, free - leave))
            except OSError:
                pass
        return ballast

    def test_sets_are_refused_in_time_and_taken_again_when_there_is_space(self):
        ballast = self.fill(leave=(self.MIN_FREE_MIB + 6) * 2**20)
        got = self.set_until_refused()
        self.assertTrue(got and is_no_space(got), got or self.d.log())
        self.assertEqual(self.d.request("DELETE", f"/timers/{self.acknowledged[1]}").status, 200)
        self.everything_is_there()
        ballast.unlink()
        poll(lambda: self.d.request("POST", "/timers", {"hours": 1, "url": FAR}).status == 201,
             "sets are taken again")
        self.d.restart()
        self.everything_is_there()

    def test_not_one_byte_left(self):
        for _ in range(50):
            self.acknowledged.append(self.d.set(FAR, hours=1))
        waiting = [self.d.set(self.r.url(), delay="300ms") for _ in range(50)]
        self.acknowledged += waiting
        ballast = self.fill()
        self.assertEqual(shutil.disk_usage(self.disk).free, 0)
        got = self.set_until_refused()
        if got is not None:
            self.assertIn(got.status, (500, 507), got.body)
            self.assertNotIn("id", got.json())
        if self.ended():
            show("the process stopped: there was no byte left for outcomes")
            self.assertEqual(self.d.wait(), 1)
            self.assertNotEqual(self.d.spawn().wait(), 0)  # and does not pretend to start
        else:
            show("the process served on")
        ballast.unlink()
        if not self.d.alive():
            self.d.start()
        self.everything_is_there()
        for timer in waiting:
            self.d.wait_state(timer, "delivered")
        self.assertEqual({got.id for got in self.r.snapshot()} & set(waiting), set(waiting))
        self.acknowledged.append(self.d.set(FAR, hours=1))
        self.d.restart()
        self.everything_is_there()

    def ended(self):
        """Outcomes that find no space stop the process; give them the time to."""
        try:
            poll(lambda: not self.d.alive(), "", timeout_s=2)
        except AssertionError:
            return False
        return True


UNFINISHED = re.compile(r"^(\d+) (.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) [0-9.]+ <\.\.\. \w+ resumed>(.*)$")
INJECTED = re.compile(r"^(?:\d+ +)?(\d+\.\d+) fdatasync\(\d+<([^>]*)>\).*EIO.*\(INJECTED\)", re.M)


def whole_calls(trace):
    """The trace with each call on one line: at the time it began, in the order of their ends."""
    begun, calls = {}, []
    for line in trace.read_text().splitlines():
        if found := UNFINISHED.match(line):
            begun[found[1]] = f"{found[1]} {found[2]}"
        elif found := RESUMED.match(line):
            calls.append(begun.pop(found[1]) + found[2])
        else:
            calls.append(line)
    return "\n".join(calls)


class FailingSync(Case):
    """strace makes one fdatasync fail, as fsyncgate does: the next one would report success.

    It counts the calls of each thread by itself; opening the store takes far fewer than 60.
    """

    DELAY_S = 0.5  # before the failing call returns, so that all earlier answers are out

    def setUp(self):
        super().setUp()
        self.assertTrue(shutil.which("strace"), "strace is missing")

    def traced(self, injection):
        trace = self.root / "trace"
        return trace, self.daemon(config=LOCAL, wrap=[
            "strace", "-D", "-f", "-qq", "-y", "-ttt", "-o", str(trace),
            "-e", "trace=fdatasync,fsync", "-e", f"inject=fdatasync:{injection}"])

    def load(self, d, connections=12):
        """Sets on many connections until each fails: ([(time, id)], [answers that were no 201])."""
        acknowledged, others, errors = [], [], []
        body = json.dumps({"hours": 1, "url": FAR}).encode()

        def run():
            try:
                with Client(("127.0.0.1", d.port)) as client:
                    while True:
                        answer = client.request("POST", "/timers", body)
                        if answer.status != 201:
                            others.append(answer)
                            return
                        acknowledged.append((time.time(), answer.json()["id"]))
            except (OSError, Closed):
                return
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(errors, [])
        return acknowledged, others

    def test_no_2xx_for_that_batch_and_the_process_ends(self):
        for nth in (60, 101):
            with self.subTest(nth):
                trace, d = self.traced(
                    f"error=EIO:delay_enter={int(self.DELAY_S * 1e6)}:when={nth}")
                d.start()
                acknowledged, others = self.load(d)
                code = d.wait(20)
                ended = time.time()
                self.assertEqual(code, 1, d.log())
                calls = whole_calls(trace)
                found = INJECTED.search(calls)
                self.assertTrue(found, calls[-2000:])
                failed = float(found.group(1)) + self.DELAY_S
                show(f"fdatasync of {found.group(2).rsplit('/', 1)[1]} failed; the process ended "
                     f"{(ended - failed) * 1000:.0f} ms later; {len(acknowledged)} acknowledged "
                     f"before, answers then: {sorted({a.status for a in others})}")
                self.assertTrue(acknowledged)
                self.assertLess(max(t for t, _ in acknowledged), failed)
                for answer in others:
                    self.assertEqual((answer.status, answer.json()["type"]),
                                     (500, "/problems/outcome-unknown"))
                after = calls.split("(INJECTED)", 1)[1]
                self.assertNotIn(f"<{found.group(2)}>) = 0", after, "the file was synced again")
                d.wrap = []
                d.start()
                listed = {timer["id"] for timer in d.list_all()}
                self.assertLessEqual({timer for _, timer in acknowledged}, listed)
                d.close()

    def test_kill_9_at_a_sync(self):
        for nth in (60, 77):
            with self.subTest(nth):
                _, d = self.traced(f"signal=SIGKILL:when={nth}")
                d.start()
                acknowledged, others = self.load(d)
                self.assertEqual((d.wait(20), others), (-9, []))
                d.wrap = []
                d.start()
                listed = {timer["id"] for timer in d.list_all()}
                self.assertLessEqual({timer for _, timer in acknowledged}, listed)
                d.close()

    def test_a_repeat_after_the_failure_makes_one_timer(self):
        _, d = self.traced("error=EIO:when=60")
        d.start()
        body = {"hours": 1, "url": FAR}
        got, n = {}, 0
        while d.alive() and n < 200:
            n += 1
            try:
                answer = d.request("POST", "/timers", body, [("Idempotency-Key", f"k{n}")])
            except (OSError, Closed):
                break
            if answer.status != 201:
                self.assertEqual(answer.status, 500)
                break
            got[f"k{n}"] = answer.json()["id"]
        self.assertEqual(d.wait(), 1)
        d.wrap = []
        d.start()
        for key in [f"k{m}" for m in range(1, n + 1)]:
            answer = d.request("POST", "/timers", body, [("Idempotency-Key", key)])
            self.assertEqual(answer.status, 201)
            self.assertEqual(got.setdefault(key, answer.json()["id"]), answer.json()["id"])
        self.assertEqual(sorted(got.values()), [timer["id"] for timer in d.list_all()])


if __name__ == "__main__":
    main()
