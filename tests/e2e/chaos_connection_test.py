"""Receivers whose connections break, stall or end at the wrong moment: rows O1, O2, O3, O10 and O13
of the fault matrix. Each request that the receiver counted is one attempt that Belfry recorded."""

from chaos_case import BODIES, ONCE, RETRY, SHORT_BODIES, ChaosCase
from chaos_receiver import ChaosReceiver
from harness import free_port, main, poll

BROKEN = {"reset", "closed", "connection lost", "connect"}
PATIENT = {"max_attempts": 50, "schedule": ["5ms", "20ms", "50ms", "100ms"], "jitter": 0.9}
BREAKING = ("reset-on-head", "reset-in-body", "reset", "reset-in-status", "close", "half-close")


class Broken(ChaosCase):
    def test_o1_a_connection_that_breaks_is_a_failed_attempt_and_is_retried(self):
        timers = [(self.d.set(self.chaos.url(name), retry=RETRY, **body), name)
                  for name in BREAKING for body in BODIES]
        for timer, name in timers:
            with self.subTest(name, timer=timer):
                view = self.ended(timer, "dead")
                self.check_failed(view, 2, BROKEN)
                self.assertEqual(view["reason"], "exhausted")

    def test_o1_the_retry_succeeds_when_the_receiver_is_well_again(self):
        timers = [self.d.set(self.chaos.url(name, "once"), retry=RETRY, **body)
                  for name in BREAKING for body in BODIES]
        for timer in timers:
            view = self.ended(timer, "delivered")
            self.assertEqual([bool(a["status"]) for a in view["attempts"]], [False, True])

    def test_o1_refused_and_reset_at_once_are_failed_attempts(self):
        refused = self.d.set(f"http://127.0.0.1:{free_port()}/", retry=RETRY)
        self.check_failed(self.d.wait_state(refused, "dead"), 2, {"refused"})
        for door in ("reset", "closed", "half-closed"):
            for body in BODIES:
                with self.subTest(door, body=len(body)):
                    before = self.chaos.connections_at(door) if body else 0
                    timer = self.d.set(self.chaos.door(door), retry=RETRY, **body)
                    self.check_failed(self.d.wait_state(timer, "dead"), 2, BROKEN)
                    # Never used before, so what failed was not sent again by itself.
                    self.assertEqual(self.chaos.connections_at(door) - before, 2)

    def test_o1_other_targets_notice_nothing(self):
        well = ChaosReceiver()
        self.addCleanup(well.stop)
        broken, others = [], []
        for _ in range(10):
            broken += [self.d.set(self.chaos.url(name), retry=RETRY) for name in BREAKING]
            others += [self.d.set(well.url("ok"), retry=ONCE) for _ in BREAKING]
        for timer in others:
            self.assertEqual(self.statuses(self.d.wait_state(timer, "delivered")), [204])
            self.assertEqual(len(well.requests_of(timer)), 1)
        for timer in broken:
            self.ended(timer, "dead")


class BlackHole(ChaosCase):
    def test_o2_a_dropped_syn_ends_at_the_connect_time_out(self):
        # Both may take a minute; only connecting has a limit of its own, and it is shorter.
        unanswered = self.d.set(self.chaos.url("hang"), timeout="60s", retry=ONCE)
        dropped = self.d.set(self.chaos.door("full"), timeout="60s", retry=ONCE)
        view = self.d.wait_state(dropped, "dead", 50)
        self.check_failed(view, 1, {"timeout"})
        self.assertGreaterEqual(view["attempts"][0]["duration_ms"], 4900)
        self.assertEqual(self.d.view(unanswered)["state"], "firing")


class Slow(ChaosCase):
    def test_o3_what_never_answers_ends_at_the_limit(self):
        # It bounds every attempt, at 60 s at most: that stands in for a low-speed limit.
        urls = [self.chaos.url("hang"), self.chaos.url("hang-unread"),
                self.chaos.url("trickle", 200)]
        timers = [self.d.set(url, timeout="1s", retry=RETRY, **body)
                  for url in urls for body in BODIES]
        silent = self.d.set(self.chaos.door("silent"), timeout="1s", retry=RETRY)
        for timer in timers:
            view = self.ended(timer, "dead")
            self.check_failed(view, 2, {"timeout"})
            for attempt in view["attempts"]:
                self.assertGreaterEqual(attempt["duration_ms"], 999)
        view = self.d.wait_state(silent, "dead")
        self.check_failed(view, 2, {"timeout"})
        self.assertEqual(self.chaos.connections_at("silent"), 2)

    def test_o3_an_answer_just_before_the_limit_counts(self):
        # Three times, as this machine may be too busy for the last tenth.
        timer = self.d.set(self.chaos.url("late", 4500), timeout="5s",
                           retry={"max_attempts": 3, "schedule": ["10ms"]})
        view = self.ended(timer, "delivered", 60)
        self.assertEqual({a["error"] for a in view["attempts"][:-1]} | {"timeout"}, {"timeout"})

    def test_o3_a_receiver_gets_the_whole_limit_after_interim_answers(self):
        timer = self.d.set(self.chaos.url("status", 100), timeout="3s", retry=ONCE)
        view = self.ended(timer, "dead")
        self.check_failed(view, 1, {"timeout"})
        self.assertGreaterEqual(view["attempts"][0]["duration_ms"], 2999)


class Reused(ChaosCase):
    """Closed before or after the request is read, one by one: delivery_test.ReusedConnections."""

    def check_flood(self, behaviour):
        timers = [self.d.set(self.chaos.url(behaviour), retry=PATIENT, **body)
                  for _ in range(100) for body in SHORT_BODIES]
        views = [self.ended(timer, "delivered") for timer in timers]
        for view in views:
            errors = [a["error"] for a in view["attempts"][:-1]]
            self.assertTrue(set(errors) <= BROKEN, view)
        return sum(len(view["attempts"]) for view in views) - len(views)

    def test_o10_a_connection_closed_as_it_is_reused_costs_a_recorded_attempt(self):
        for behaviour in ("close-when-asked-again", "reset-when-asked-again"):
            with self.subTest(behaviour):
                self.assertGreater(self.check_flood(behaviour), 0, "none was reused")

    def test_o10_a_connection_closed_behind_its_answer_repeats_nothing(self):
        self.check_flood("close-after")
        answered = [r for r in self.chaos.requests if r.behaviour == "close-after"]
        self.assertGreaterEqual(len(answered), 200)


class Decided(ChaosCase):
    """The final status line decides."""

    def test_o13_a_success_counts_though_the_connection_dies_behind_its_status(self):
        names = ("answer-then-reset", "answer-then-close", "answer-then-hang",
                 "status-line-then-reset", "status-line-then-hang")
        # Those that hang may take longer than this test waits.
        timers = [(self.d.set(self.chaos.url(name, status), timeout="60s", retry=RETRY, **body),
                   status) for name in names for status in (200, 503) for body in SHORT_BODIES]
        timers.append((self.d.set(self.chaos.url("trickle-body", 100), timeout="60s"), 200))
        for timer, status in timers:
            view = self.ended(timer, "delivered" if status == 200 else "dead")
            self.assertEqual(set(self.statuses(view)), {status})

    def test_o13_an_answer_before_the_request_is_read_counts(self):
        timers = [(self.d.set(self.chaos.url("early", status), timeout="60s", retry=ONCE, **body),
                   status) for status in (200, 413) for body in BODIES]
        for timer, status in timers:
            view = self.ended(timer, "delivered" if status == 200 else "dead")
            self.assertEqual(self.statuses(view), [status])
        timer = self.d.set(self.chaos.door("answers-first"), retry=ONCE)
        self.assertEqual(self.statuses(self.ended(timer, "delivered")), [204])

    def test_o13_an_early_answer_and_a_reset_are_one_attempt(self):
        # Whether the answer is read before the reset is a race; what is recorded is one request.
        for body in BODIES:
            timer = self.d.set(self.chaos.url("early-then-reset", 204), retry=ONCE, **body)
            poll(lambda timer=timer: self.d.view(timer)["state"] in ("delivered", "dead"), "ended")
            view = self.d.view(timer)
            self.assertEqual((len(view["attempts"]), len(self.chaos.requests_of(timer))), (1, 1))
            attempt = view["attempts"][0]
            self.assertIn(attempt["status"] or attempt["error"], BROKEN | {204})


if __name__ == "__main__":
    main()
