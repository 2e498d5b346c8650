"""Very many timers that became overdue while the daemon was down: each is delivered, once but for
what a crash may repeat, in the order they were due, and no timer that is due now waits behind them.

BELFRY_TIMERS=1000000 in the environment makes it the full size.
"""

import datetime
import os
import signal
import time

from harness import Answer, Case, main, poll, show

BACKLOG = int(os.environ.get("BELFRY_TIMERS", "20000"))
ON_TIME = 50
# So long a sync may take on a busy machine before what is due becomes the backlog's.
LEAD = "3s"
CAP = 64
FIRST = 8  # of the backlog, to a target that has not answered yet
# ARCHITECTURE.md: under way, or ended without a durable outcome.
REPEATED_MAX = CAP + 256
CONFIG = """
delivery: {targets: {allow: [loopback]}, per_target_in_flight: %d}
memory: {budget: 64MiB, window: 1MiB, id_cache: 1MiB}
"""
WAIT_S = 60 + BACKLOG / 200


class StormCase(Case):
    def overdue(self, url, count, cap):
        """(a daemon that was killed before they were due, which is over now; their ids)"""
        for lead_s in (3 + count / 4000, 240):
            d = self.daemon(f"lead-{lead_s:.0f}", config=CONFIG % cap).start()
            due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=lead_s)
            text = due.isoformat(timespec="milliseconds")
            ids = d.set_many({"url": url, "at": text} for _ in range(count))
            d.kill()
            if time.time() < due.timestamp():
                poll(lambda: time.time() > due.timestamp(), "they are due", lead_s + 10)
                return d, ids
        self.fail("they were due before all of them were set")


class Storm(StormCase):
    def test_those_on_time_are_not_behind_the_backlog_and_all_come_over_two_restarts(self):
        r = self.receiver(lambda got: Answer(hold=got.target.startswith("/backlog")))
        other = self.receiver()
        d, backlog = self.overdue(r.url("/backlog"), BACKLOG, CAP)
        d.start()
        r.wait(FIRST)

        # To another target: while no webhook of the backlog has an answer.
        for timer in d.set_many({"url": other.url(), "delay": LEAD} for _ in range(ON_TIME)):
            d.wait_state(timer, "delivered")
        self.assertEqual(len(r.snapshot()), FIRST)

        # To the same one, which has not answered any of its backlog yet.
        same = d.set_many({"url": r.url("/now"), "delay": LEAD} for _ in range(ON_TIME))
        for timer in same:
            d.wait_state(timer, "delivered")
        came = [got.id for got in r.snapshot()]
        last = max(came.index(timer) for timer in same)
        show(f"the last of {ON_TIME} on time was number {last + 1} of all")
        # What they leave is the backlog's, now that it has answered.
        self.assertLess(last, ON_TIME + CAP)
        r.release()

        r.wait(BACKLOG // 3, WAIT_S)
        d.kill()
        r.drain()
        before = [got.id for got in r.snapshot()]
        self.assertLess(len(before), BACKLOG)
        d.start()
        r.wait(2 * BACKLOG // 3, WAIT_S)
        d.end(signal.SIGTERM)
        d.start()
        self.check_all_came(d, r, backlog + same, before)

    def check_all_came(self, d, r, ids, before_kill):
        poll(lambda: d.count("?state=delivered") == len(ids) + ON_TIME, "all are delivered",
             WAIT_S, 0.05)
        r.drain()
        came = [got.id for got in r.snapshot()]
        self.assertEqual(set(came), set(ids))
        repeated = len(came) - len(ids)
        show(f"{repeated} of {len(ids)} came twice")
        self.assertEqual(len(set(before_kill)), len(before_kill))
        after = came[len(before_kill):]
        self.assertEqual(len(set(after)), len(after), "a stop repeated some")
        self.assertLessEqual(repeated, REPEATED_MAX)
        numbers = {got.header("webhook-attempt") for got in r.snapshot()}
        self.assertEqual(numbers, {"1"})
        self.assertFalse((d.target(r.url()) or {"parked": False})["parked"])


class Order(StormCase):
    COUNT = 2000

    def test_the_backlog_comes_in_the_order_it_was_due_and_once(self):
        r = self.receiver()
        d, ids = self.overdue(r.url(), self.COUNT, 1)
        d.start()
        r.wait(self.COUNT, WAIT_S)
        self.assertEqual([got.id for got in r.snapshot()], ids)
        poll(lambda: d.count("?state=delivered") == self.COUNT, "all are delivered")
        d.restart()
        last = d.set(r.url())
        d.wait_state(last, "delivered")
        r.drain()
        self.assertEqual([got.id for got in r.snapshot()], ids + [last])

    def test_a_second_backlog_takes_turns_with_the_first(self):
        """Of two targets, one of which has all of the earlier ones."""
        first, second = self.receiver(), self.receiver()
        d, _ = self.overdue(first.url(), self.COUNT, 4)
        due = time.time() + 3
        d.start()
        # Set while the first is sent; overdue at the next start.
        text = datetime.datetime.fromtimestamp(due, datetime.timezone.utc).isoformat(
            timespec="milliseconds")
        d.set_many({"url": second.url(), "at": text} for _ in range(ON_TIME))
        d.kill()
        first.clear()
        second.clear()
        poll(lambda: time.time() > due, "they are due")
        d.start()
        second.wait(ON_TIME, WAIT_S)
        poll(lambda: d.count("?state=delivered") == self.COUNT + ON_TIME, "all are delivered",
             WAIT_S, 0.05)


if __name__ == "__main__":
    main()
