"""Receivers whose answers are wrong, endless or misleading: rows O4, O5, O6 and O7 of the fault
matrix. Each request that the receiver counted is one attempt that Belfry recorded."""

import datetime
import email.utils
import itertools
import json
import time

from chaos_case import ONCE, RETRY, ChaosCase
from chaos_receiver import ChaosReceiver
from chaos_vectors import VECTORS
from harness import main, show

TAKEN_MAX = 64 << 20  # what sockets and their buffers may take of an answer nobody reads
HOUR_S = 3600
DAY_S = 24 * HOUR_S
METADATA = "http://169.254.169.254/latest/meta-data/"


class Wrong(ChaosCase):
    host = "0.0.0.0"

    def test_o4_the_status_line_alone_decides(self):
        # Each from a host of its own: none meets a connection that another one has spoilt.
        timers = {name: self.d.set(self.chaos.url("vector", name, host=f"127.0.1.{n + 1}"),
                                   retry=ONCE, timeout="20s") for n, name in enumerate(VECTORS)}
        for name, timer in timers.items():
            with self.subTest(name):
                status = VECTORS[name].status
                delivered = status is not None and 200 <= status <= 299
                view = self.ended(timer, "delivered" if delivered else "dead")
                self.assertEqual(len(view["attempts"]), 1)
                if status is None:
                    self.check_failed(view, 1)
                else:
                    self.assertEqual(self.statuses(view), [status])
        show(f"{len(VECTORS)} answers were judged by their status line")

    def test_o4_no_answer_is_unpacked(self):
        for header in ("Content-Encoding", "Transfer-Encoding"):
            timer = self.d.set(self.chaos.url("gzip-bomb", header), retry=ONCE)
            self.ended(timer, "delivered")
            request = self.chaos.requests_of(timer)[0]
            for asks in ("accept-encoding", "te", "accept"):
                self.assertNotIn(asks, request.headers)

    def test_o4_an_endless_head_is_cut(self):
        storm = self.d.set(self.chaos.url("endless-head", 100), retry=ONCE, timeout="60s")
        self.check_failed(self.ended(storm, "dead"), 1, {"protocol"})
        headers = self.d.set(self.chaos.url("endless-head", 200), retry=ONCE, timeout="60s")
        self.assertEqual(self.statuses(self.ended(headers, "delivered")), [200])
        for timer in (storm, headers):
            self.check_cut(timer)

    def check_cut(self, timer):
        request = self.chaos.requests_of(timer)[0]
        self.chaos.wait(lambda: request.cut, "the connection was ended")
        self.assertLess(request.sent, TAKEN_MAX)

    def test_o5_an_endless_body_is_cut_and_its_status_kept(self):
        for name in ("endless-body", "huge-body", "endless-chunks", "endless-chunk-extension"):
            for status in (200, 500):
                with self.subTest(name, status=status):
                    timer = self.d.set(self.chaos.url(name, status), retry=ONCE, timeout="60s")
                    view = self.ended(timer, "delivered" if status == 200 else "dead")
                    self.assertEqual(self.statuses(view), [status])
                    if name == "endless-chunk-extension":  # cut after a time, not a length
                        request = self.chaos.requests_of(timer)[0]
                        self.chaos.wait(lambda r=request: r.cut, "the connection was ended")
                    else:
                        self.check_cut(timer)


class Redirects(ChaosCase):
    def test_o6_no_redirect_is_followed_and_no_location_told(self):
        other = ChaosReceiver()
        self.addCleanup(other.stop)
        places = [self.chaos.url("redirect", 302, to="/"), other.url("ok"), METADATA,
                  "http://[fd00:ec2::254]/", "file:///etc/passwd", "//other.example/", "../../x",
                  "", "http://user:word@127.0.0.1/", "gopher://127.0.0.1:6379/_FLUSHALL"]
        timers = [(self.d.set(self.chaos.url("redirect", status, to=place), retry=RETRY), status)
                  for status in (300, 301, 302, 303, 305, 307, 308) for place in places]
        for timer, status in timers:
            view = self.ended(timer, "dead")
            self.assertEqual((self.statuses(view), view["reason"]), ([status] * 2, "exhausted"))
            del view["url"]  # the caller's own words, with the place in them
            told = json.dumps(view)
            for secret in ("169.254", "fd00", "passwd", "other.example", "word", "gopher"):
                self.assertNotIn(secret, told)
        self.assertEqual(other.requests, [])
        for secret in ("169.254", "fd00", "passwd", "gopher"):
            self.assertNotIn(secret, self.d.log(whole=True))

    def test_o6_a_loop_is_asked_once_an_attempt(self):
        timer = self.d.set(self.chaos.url("redirect", 307, to="/redirect/307/1?to=x"), retry=RETRY)
        self.ended(timer, "dead")
        self.assertEqual(len(self.chaos.requests_of(timer)), 2)


def imf_date(wall):
    return email.utils.formatdate(wall, usegmt=True)


def rfc850_date(wall):
    return time.strftime("%A, %d-%b-%y %H:%M:%S GMT", time.gmtime(wall))


def asctime_date(wall):
    return time.asctime(time.gmtime(wall))


class Throttled(ChaosCase):
    host = "0.0.0.0"
    hosts = (f"127.0.{n // 250 + 2}.{n % 250 + 1}" for n in itertools.count())
    SCHEDULED_S = 600
    RETRY = {"max_attempts": 3, "schedule": [f"{SCHEDULED_S}s"], "jitter": 0}

    def waits(self, values, status=503):
        """How long the next attempt is put off by each Retry-After, in seconds."""
        # Each from a host of its own: Retry-After holds back all that is for that host.
        timers = [self.d.set(self.chaos.url("retry-after", status, host=host, value=value),
                             retry=self.RETRY)
                  for value, host in zip(values, self.hosts)]
        waits = []
        for timer in timers:
            view = self.d.wait_state(timer, "retrying")
            self.assertEqual(self.statuses(view), [status])
            self.assertEqual(len(self.chaos.requests_of(timer)), 1)
            attempt = view["attempts"][0]
            ended = seconds(attempt["at"]) + attempt["duration_ms"] / 1000
            waits.append(seconds(view["next_attempt"]) - ended)
        return waits

    def check_waits(self, values, expected_s, status=503):
        """Within a minute, as the clock of a busy machine goes on between two looks at it."""
        for value, wait_s in zip(values, self.waits(values, status)):
            with self.subTest(value, status=status):
                self.assertGreater(wait_s, expected_s - 2)
                self.assertLess(wait_s, expected_s + 60)

    def test_o7_seconds_are_waited_for_and_a_day_at_most(self):
        for status in (429, 503):
            self.check_waits(["3600", "03600", " 3600 "], HOUR_S, status)
            self.check_waits(["86400", "86401", "99999999999", "9" * 100], DAY_S, status)

    def test_o7_the_three_dates_are_waited_for_and_a_day_at_most(self):
        dates = (imf_date, rfc850_date, asctime_date)
        hour, year = time.time() + HOUR_S, time.time() + 365 * DAY_S
        self.check_waits([date(hour) for date in dates], HOUR_S)
        self.check_waits([date(year) for date in dates], DAY_S)
        self.check_waits(["Fri, 31 Dec 9999 23:59:59 GMT"], DAY_S)

    def test_o7_less_than_the_schedule_says_and_nonsense_change_nothing(self):
        past = time.time() - HOUR_S
        self.check_waits(
            ["0", "1", "-1", "-99999999999", "+7200", "7200.5", "7200s", "7 200", "7200, 7200",
             "1h", "PT2H", "0x1c20", "1e4", "soon", "", ";", "\u00bc", "NaN", "inf",
             "Mon, 99 Foo 2099 99:99:99 GMT", imf_date(past), rfc850_date(past),
             asctime_date(past), "Thu, 01 Jan 1970 00:00:00 GMT"], self.SCHEDULED_S)

    def test_o7_410_stops_this_timer_and_no_other(self):
        gone = self.d.set(self.chaos.url("status", 410), retry=RETRY)
        view = self.ended(gone, "dead")
        self.assertEqual((self.statuses(view), view["reason"]), ([410], "gone"))
        after = self.d.set(self.chaos.url("ok"), retry=ONCE)
        self.assertEqual(self.statuses(self.ended(after, "delivered")), [204])
        retried = self.d.set(self.chaos.url("status", 500), retry=RETRY)
        self.assertEqual(self.statuses(self.ended(retried, "dead")), [500, 500])


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()
