"""More due timers for a blocked target than may wait in memory: the rest is parked on disk, nobody
else is held back by it, it is known after a restart, and it comes back in the order it was due.
"""

import datetime
import random
import signal
import time

from harness import Answer, Case, free_port, main, poll, show

COUNT = 3000
STAGED_MAX = 64          # of a blocked target, in memory
# One at a time, so the order of arrival is the order of the starts.
CONFIG = """
delivery: {targets: {allow: [loopback]}, per_target_in_flight: 1}
memory: {budget: 64MiB, window: 1MiB, id_cache: 1MiB}
"""
OFTEN_PROBED = """
delivery:
  targets: {allow: [loopback]}
  breaker: {failures: 1, probe_min: 100ms, probe_max: 100ms}
"""


def rfc3339(ms):
    at = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


class ParkingCase(Case):
    def parked(self, d, url):
        """Waits until what waits for the target is mostly on disk."""
        def is_parked():
            target = d.target(url)
            return target if target and target["parked"] and target["staged"] <= STAGED_MAX \
                else None
        return poll(is_parked, f"timers of {url} are parked", 60)

    def assert_all_delivered(self, d, receiver, ids, timeout_s=120):
        receiver.wait(len(ids), timeout_s)
        poll(lambda: d.count("?state=delivered") == len(ids), "all are delivered", timeout_s)
        receiver.drain()
        came = [got.id for got in receiver.snapshot()]
        self.assertEqual((len(came), set(came)), (len(ids), set(ids)))
        return came

    def assert_in_order(self, came, ids):
        """After a restart: in the order they were due. But those that were in memory before it
        have to be read again, and are passed by others when the target is resumed meanwhile."""
        self.assertEqual((len(came), set(came)), (len(ids), set(ids)))
        rank = {timer: number for number, timer in enumerate(ids)}
        most, passed = -1, 0
        for timer in came:
            passed += rank[timer] < most
            most = max(most, rank[timer])
        self.assertLessEqual(passed, STAGED_MAX)

    def assert_not_parked(self, d, url):
        poll(lambda: not (d.target(url) or {"parked": False})["parked"], "nothing is parked")


class Paused(ParkingCase):
    def test_they_wait_on_disk_over_restarts_and_come_in_the_order_they_were_due(self):
        r, other = self.receiver(), self.receiver()
        d = self.daemon(config=CONFIG).start()
        d.pause(r.url())
        spread = random.Random(1)
        begin_ms = int(time.time() * 1000) + 1000
        due_ms = [begin_ms + spread.randrange(1000) for _ in range(COUNT)]
        ids = d.set_many({"url": r.url(), "at": rfc3339(ms)} for ms in due_ms)
        poll(lambda: time.time() * 1000 > max(due_ms), "all are due", 60)
        delivered = 0
        for end in (None, signal.SIGTERM, signal.SIGKILL):
            if end:
                d.end(end)
                d.start()
            target = self.parked(d, r.url())
            self.assertEqual((target["paused"], target["in_flight"]), (True, 0))
            d.wait_state(d.set(other.url()), "delivered")
            delivered += 1
            self.assertEqual(d.count("?state=pending"), COUNT)
            self.assertEqual({t["state"] for t in d.list_all("&state=pending")}, {"pending"})
        self.assertEqual((r.connections, len(other.snapshot())), (0, delivered))
        due = {view["id"]: view["due"] for view in d.list_all("&state=pending")}
        self.assertEqual(due, {timer: rfc3339(ms) for timer, ms in zip(ids, due_ms)})
        d.resume(r.url())
        r.wait(COUNT, 120)
        came = [got.id for got in r.snapshot()]
        self.assert_in_order(came, sorted(ids, key=lambda timer: (due[timer], timer)))
        self.assert_not_parked(d, r.url())
        poll(lambda: d.count("?state=delivered") == COUNT + delivered, "all are delivered", 60)
        d.restart()
        self.assertFalse((d.target(r.url()) or {"parked": False})["parked"])

    def test_one_that_is_parked_can_be_cancelled_read_and_all_of_them(self):
        r = self.receiver()
        d = self.daemon(config=CONFIG).start()
        d.pause(r.url())
        ids = d.set_many({"url": r.url(), "seconds": 0} for _ in range(COUNT))
        self.parked(d, r.url())
        view = d.view(ids[-1])
        self.assertEqual((view["state"], view["attempts"], view["url"]),
                         ("pending", [], r.url()))
        gone = ids[::3]
        for timer in gone:
            answer = d.request("DELETE", f"/timers/{timer}")
            self.assertEqual((answer.status, answer.json()["result"]), (200, "cancelled"))
        d.restart()
        self.parked(d, r.url())
        kept = [timer for timer in ids if timer not in set(gone)]
        self.assertEqual(d.count("?state=pending"), len(kept))
        d.resume(r.url())
        self.assert_all_delivered(d, r, kept)
        self.assert_not_parked(d, r.url())

        r.clear()
        d.pause(r.url())
        d.set_many({"url": r.url(), "seconds": 0} for _ in range(COUNT))
        self.parked(d, r.url())
        self.assertEqual(d.request("DELETE", "/timers").status, 200)
        self.assertEqual(d.count("?state=pending"), 0)
        d.restart()
        d.resume(r.url())
        last = d.set(r.url())
        d.wait_state(last, "delivered")
        r.drain()
        self.assertEqual([got.id for got in r.snapshot()], [last])
        self.assert_not_parked(d, r.url())

    def test_two_targets_have_lots_of_their_own(self):
        receivers = [self.receiver(), self.receiver()]
        d = self.daemon(config=CONFIG).start()
        for r in receivers:
            d.pause(r.url())
        ids = {r: [] for r in receivers}
        for _ in range(4):
            for r in receivers:
                ids[r] += d.set_many({"url": r.url(), "seconds": 0} for _ in range(COUNT // 8))
        for r in receivers:
            self.parked(d, r.url())
        d.resume(receivers[0].url())
        receivers[0].wait(len(ids[receivers[0]]), 60)
        self.assertEqual([got.id for got in receivers[0].snapshot()], ids[receivers[0]])
        self.assertEqual(receivers[1].connections, 0)
        d.restart()
        self.parked(d, receivers[1].url())
        d.resume(receivers[1].url())
        receivers[1].wait(len(ids[receivers[1]]), 60)
        self.assert_in_order([got.id for got in receivers[1].snapshot()], ids[receivers[1]])


class Blocked(ParkingCase):
    def test_what_waits_for_a_dead_target_is_parked_and_delivered_when_it_is_back(self):
        port = free_port()
        url = f"http://127.0.0.1:{port}/hook"
        other = self.receiver()
        d = self.daemon(config=OFTEN_PROBED).start()
        # Charged attempts are all there are to lose: there are enough of them.
        retry = {"max_attempts": 50, "schedule": ["5s"], "jitter": 0}
        opens = d.set(url, retry=retry)
        d.wait_state(opens, "retrying")
        ids = [opens] + d.set_many({"url": url, "seconds": 0, "retry": retry}
                                   for _ in range(COUNT))
        self.parked(d, url)
        d.wait_state(d.set(other.url()), "delivered")
        d.restart()
        poll(lambda: (d.target(url) or {"parked": False})["parked"], "they are still parked")
        r = self.receiver(port=port)
        poll(lambda: d.count("?state=delivered") == len(ids) + 1, "all are delivered", 120)
        r.drain()
        came = [got.id for got in r.snapshot()]
        self.assertEqual((len(came), set(came)), (len(ids), set(ids)))
        self.assertEqual(d.count("?state=dead"), 0)
        self.assert_not_parked(d, url)
        charged = sum(len(view["attempts"]) - 1 for view in d.list_all())
        show(f"{charged} attempts were charged to {COUNT} timers")

    def test_what_waits_for_retry_after_is_parked_and_delivered_after_it(self):
        answers = [Answer(429, (("Retry-After", "10"),))]
        r = self.receiver(lambda got: answers.pop() if answers else Answer())
        d = self.daemon(config=CONFIG).start()
        first = d.set(r.url())
        d.wait_state(first, "retrying")
        ids = d.set_many({"url": r.url(), "seconds": 0} for _ in range(COUNT))
        self.parked(d, r.url())
        r.wait(COUNT + 2, 120)
        came = [got.id for got in r.snapshot()]
        self.assertEqual([timer for timer in came if timer != first], ids)
        d.wait_state(first, "delivered")


if __name__ == "__main__":
    main()
