"""The checker of the crash rig finds each violation, and none where there is none."""

import copy
import unittest

from crash_checker import check

EVENTS = [
    {"what": "sent", "t": 1.0, "key": "a", "kind": "ok", "wall": 101.0, "delay_ms": 1000},
    {"what": "acked", "t": 1.1, "key": "a", "id": 1},
    {"what": "sent", "t": 1.2, "key": "b", "kind": "dead", "wall": 101.2, "delay_ms": 0},
    {"what": "acked", "t": 1.3, "key": "b", "id": 2},
    {"what": "sent", "t": 1.3, "key": "c", "kind": "ok", "wall": 101.3, "delay_ms": 5000},
    {"what": "acked", "t": 1.4, "key": "c", "id": 3},
    {"what": "answered", "t": 1.5, "id": 3, "result": "cancelled"},
    {"what": "arrived", "t": 1.6, "key": "b", "id": 2, "attempt": 1, "webhook_id": "s-2",
     "due": 101.2, "wall": 101.6, "run": 1, "status": 500},
    {"what": "arrived", "t": 2.1, "key": "a", "id": 1, "attempt": 1, "webhook_id": "s-1",
     "due": 102.0, "wall": 102.1, "run": 1, "status": 200},
    {"what": "killed", "t": 2.2, "run": 1},
    {"what": "acked", "t": 2.5, "key": "a", "id": 1},
    {"what": "arrived", "t": 2.6, "key": "a", "id": 1, "attempt": 1, "webhook_id": "s-1",
     "due": 102.0, "wall": 102.6, "run": 2, "status": 200},
    {"what": "arrived", "t": 2.7, "key": "b", "id": 2, "attempt": 2, "webhook_id": "s-2",
     "due": 101.2, "wall": 102.7, "run": 2, "status": None},
    {"what": "answered", "t": 3.0, "id": 2, "result": "dead"},
]
TIMERS = [
    {"id": 1, "key": "a", "state": "delivered", "attempts": [{}]},
    {"id": 2, "key": "b", "state": "dead", "attempts": [{}, {}]},
    {"id": 3, "key": "c", "state": "cancelled", "attempts": []},
]


class Checker(unittest.TestCase):
    def setUp(self):
        self.events = copy.deepcopy(EVENTS)
        self.timers = copy.deepcopy(TIMERS)

    def arrival(self, **members):
        self.events.append({**EVENTS[11], "t": 4.0, **members})

    def found(self, rule, unsettled_max=10):
        violations = check(self.events, self.timers, unsettled_max)
        self.assertTrue(any(v.startswith(rule) for v in violations), violations)

    def test_a_good_log_has_none(self):
        self.assertEqual(check(self.events, self.timers, 1), [])

    def test_a_lost_timer(self):
        del self.timers[0]
        self.events = [e for e in self.events if e["what"] != "arrived" or e["id"] != 1]
        self.found("I1")

    def test_a_timer_that_was_cancelled_by_nobody(self):
        self.timers[0]["state"] = "cancelled"
        self.found("I1")

    def test_a_timer_that_never_fired(self):
        self.timers[0]["state"] = "pending"
        self.found("I2")

    def test_a_delivered_timer_that_nobody_received(self):
        self.events = [e for e in self.events if e["what"] != "arrived" or e["id"] != 1]
        self.found("I2")

    def test_a_delivered_timer_whose_receiver_failed(self):
        for event in self.events:
            if event["what"] == "arrived" and event["id"] == 1:
                event["status"] = 500
        self.found("I2")

    def test_a_healthy_timer_that_is_dead(self):
        self.timers[0]["state"] = "dead"
        self.found("I2")

    def test_an_early_one(self):
        self.events[8]["wall"] = 101.9
        self.found("I3")

    def test_a_due_time_before_the_one_asked_for(self):
        for event in self.events:
            if event["what"] == "arrived" and event["id"] == 1:
                event["due"] = 101.5
        self.found("I3")

    def test_a_due_time_that_changed(self):
        self.events[11]["due"] = 102.5
        self.found("I3")

    def test_a_timer_that_was_never_set(self):
        self.arrival(key="z", id=9, webhook_id="s-9")
        self.timers.append({"id": 9, "key": "z", "state": "delivered", "attempts": [{}]})
        self.found("I4")

    def test_a_fired_timer_that_is_not_listed(self):
        del self.timers[1]
        self.found("I4")

    def test_one_that_fired_after_its_cancel(self):
        self.arrival(key="c", id=3, webhook_id="s-3", due=106.3, wall=107.0)
        self.found("I4")

    def test_a_cancel_that_did_not_last(self):
        self.timers[2]["state"] = "pending"
        self.found("I4")

    def test_a_cancel_that_was_taken_back(self):
        self.events.append({"what": "answered", "t": 9.0, "id": 3, "result": "fired"})
        self.found("I4")

    def test_a_wiped_one_may_be_gone_and_not_fired(self):
        self.events.append({"what": "wiped", "t": 5.0, "id": 3, "run": 2})
        self.assertEqual(check(self.events, [], 1), [])

    def test_a_wiped_one_that_came_back(self):
        self.events.append({"what": "wiped", "t": 5.0, "id": 2, "run": 2})
        self.timers = self.timers[1:]
        self.found("I4")

    def test_a_wiped_one_whose_attempt_was_under_way(self):
        self.events.append({"what": "wiped", "t": 2.65, "id": 2, "run": 2})
        self.assertEqual(check(self.events, self.timers[2:], 1), [])

    def test_a_wiped_one_that_fired(self):
        for t, run in ((2.1, 2), (2.65, 1)):  # long after; after a crash
            self.setUp()
            self.events.append({"what": "wiped", "t": t, "id": 2, "run": run})
            self.timers = self.timers[2:]
            self.found("I4")

    def test_a_wiped_one_that_was_retried(self):
        self.events.append({"what": "wiped", "t": 2.5, "id": 2, "run": 2})
        self.arrival(t=2.8, key="b", id=2, attempt=3, webhook_id="s-2", due=101.2, status=500)
        self.timers = self.timers[2:]
        self.found("I4")

    def test_a_repeat_without_a_crash(self):
        self.events[11]["run"] = 1
        self.found("I5")

    def test_more_repeats_than_were_in_flight(self):
        self.found("I5", unsettled_max=0)

    def test_an_attempt_after_a_success(self):
        self.arrival(attempt=2, run=3)
        self.timers[0]["attempts"] = [{}, {}]
        self.found("I5")

    def test_another_webhook_id(self):
        self.events[11]["webhook_id"] = "t-1"
        self.found("I6")

    def test_an_attempt_number_that_fell(self):
        self.arrival(key="b", id=2, attempt=1, webhook_id="s-2", due=101.2, run=3, status=500)
        self.found("I6")

    def test_an_attempt_number_that_was_left_out(self):
        self.events[12]["attempt"] = 3
        self.timers[1]["attempts"] = [{}, {}, {}]
        self.found("I6")

    def test_a_first_attempt_that_is_not_1(self):
        self.events[7]["attempt"] = 2
        self.found("I6")

    def test_an_attempt_that_was_not_recorded(self):
        self.timers[1]["attempts"] = [{}]
        self.found("I6")

    def test_two_timers_for_one_key(self):
        self.timers.append({"id": 4, "key": "a", "state": "delivered", "attempts": [{}]})
        self.found("one timer per key")

    def test_two_answers_for_one_key(self):
        self.events[10]["id"] = 7
        self.timers.append({"id": 7, "key": "x", "state": "delivered", "attempts": [{}]})
        self.found("one timer per key")

    def test_a_timer_listed_twice(self):
        self.timers.append(copy.deepcopy(TIMERS[0]))
        self.found("one timer per key")


if __name__ == "__main__":
    unittest.main(argv=["crash_checker_test.py"], verbosity=2)
