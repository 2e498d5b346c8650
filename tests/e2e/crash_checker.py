"""Holds what clients were promised against what receivers saw, over any number of crashes.

The log is a list of events (dicts), each with `t`, seconds on one monotonic clock:

  sent      key kind wall delay_ms       a set was sent for the first time (repeats are not logged)
  acked     key id                       its 201; once for every 201
  answered  id result                    of a cancel: cancelled, already_firing, fired, dead
  wiped     id run                       DELETE /timers was answered; `id`: the last one set before
  arrived   key id attempt webhook_id due wall run status
                                         a request; `status`: of the answer, None if there was none
  killed    run                          kill -9 ended run number `run`; for the reader

`kind` says what the receiver does with the timer: "ok" always answers 2xx in the end, "dead" never.
`timers` is what the API lists when all is over: full views, each with its `key` added.
Times called `wall` and `due` are Unix seconds. check() returns what was violated, as text.
"""

import collections
import math

SLACK_S = 0.0015  # times are given to the millisecond
UNDER_WAY_S = 0.5  # a POST that had started when all were removed may still arrive


def check(events, timers, unsettled_max):
    return _Check(events, timers, unsettled_max).run()


class _Check:
    def __init__(self, events, timers, unsettled_max):
        self.violations = []
        self.unsettled_max = unsettled_max
        by_kind = collections.defaultdict(list)
        for event in sorted(events, key=lambda e: e["t"]):
            by_kind[event["what"]].append(event)
        self.sent = {e["key"]: e for e in by_kind["sent"]}
        self.acked = by_kind["acked"]
        self.answered = by_kind["answered"]
        self.arrived = collections.defaultdict(list)
        for event in by_kind["arrived"]:
            self.arrived[event["id"]].append(event)
        self.timers = collections.defaultdict(list)
        for timer in timers:
            self.timers[timer["id"]].append(timer)
        self.ids = collections.defaultdict(set)
        for event in self.acked + by_kind["arrived"] + timers:
            self.ids[event["key"]].add(event["id"])
        self.acked_ids = {e["id"] for e in self.acked}
        self.cancelled = {}
        for event in self.answered:
            if event["result"] == "cancelled":
                self.cancelled.setdefault(event["id"], event["t"])
        self.wiped = by_kind["wiped"]
        self.last_wiped = max((event["id"] for event in self.wiped), default=0)

    def run(self):
        self.wiped_are_gone()
        self.one_timer_per_key()
        self.no_phantom()
        self.nothing_lost()
        for timer_id, arrivals in self.arrived.items():
            self.one_timer(timer_id, arrivals)
        self.cancels()
        self.duplicates_per_crash()
        return self.violations

    def bad(self, rule, text):
        self.violations.append(f"{rule}: {text}")

    def one_timer_per_key(self):
        for key, ids in self.ids.items():
            if len(ids) > 1:
                self.bad("one timer per key", f"{key} has the timers {sorted(ids)}")
        for timer_id, listed in self.timers.items():
            if len(listed) > 1:
                self.bad("one timer per key", f"timer {timer_id} is listed {len(listed)} times")

    def wiped_are_gone(self):
        for timer_id in self.timers:
            if timer_id <= self.last_wiped:
                self.bad("I4 phantom", f"timer {timer_id} came back after DELETE /timers")
        for event in self.wiped:
            late = [timer_id for timer_id, arrivals in self.arrived.items()
                    if timer_id <= event["id"] and self.went_on(event, arrivals)]
            if late:
                self.bad("I4 phantom", f"{sorted(late)} fired after DELETE /timers was answered")

    def went_on(self, wiped, arrivals):
        late = [e for e in arrivals if e["t"] > wiped["t"]]
        return len(late) > 1 or any(e["t"] > wiped["t"] + UNDER_WAY_S or e["run"] > wiped["run"]
                                    for e in late)

    def no_phantom(self):
        for key in self.ids:
            if key not in self.sent:
                self.bad("I4 phantom", f"{key} was never set, but there is {sorted(self.ids[key])}")
        for timer_id, arrivals in self.arrived.items():
            if timer_id not in self.timers and timer_id > self.last_wiped:
                self.bad("I4 phantom", f"timer {timer_id} fired and is not listed")
            if timer_id not in self.cancelled:
                continue
            late = [e for e in arrivals if e["t"] > self.cancelled[timer_id]]
            if late:
                self.bad("I4 phantom", f"timer {timer_id} fired after its cancel was acknowledged")

    def nothing_lost(self):
        for event in self.acked:
            if event["id"] not in self.timers and event["id"] > self.last_wiped:
                self.bad("I1 lost", f"timer {event['id']} ({event['key']}) was acknowledged")
        for timer_id, listed in self.timers.items():
            state, key = listed[0]["state"], listed[0]["key"]
            if timer_id in self.cancelled or key not in self.sent:
                continue
            wanted = "delivered" if self.sent[key]["kind"] == "ok" else "dead"
            if state != wanted:
                self.bad("I2 not fired", f"timer {timer_id} ({key}) is {state}, not {wanted}")
            arrivals = self.arrived.get(timer_id, [])
            successes = [e for e in arrivals if e["status"] and e["status"] // 100 == 2]
            if state == "delivered" and not successes:
                self.bad("I2 not fired", f"timer {timer_id} is delivered and no 2xx was answered")
            if state in ("delivered", "dead") and arrivals:
                attempts, most = len(listed[0]["attempts"]), max(e["attempt"] for e in arrivals)
                if attempts != most:
                    self.bad("I6 attempts",
                             f"timer {timer_id}: {attempts} recorded, {most} received")

    def one_timer(self, timer_id, arrivals):
        sent = self.sent.get(arrivals[0]["key"])
        if sent:
            earliest = sent["wall"] + sent["delay_ms"] / 1000
            if arrivals[0]["due"] < earliest - SLACK_S:
                self.bad("I3 early", f"timer {timer_id} is due before it was asked for")
        if any(e["wall"] < e["due"] - SLACK_S for e in arrivals):
            self.bad("I3 early", f"timer {timer_id} fired before it was due")
        if len({e["due"] for e in arrivals}) > 1:
            self.bad("I3 early", f"timer {timer_id} changed its due time")
        if len({e["webhook_id"] for e in arrivals}) > 1:
            self.bad("I6 attempts", f"timer {timer_id} has several webhook-ids")
        if arrivals[0]["attempt"] != 1:
            self.bad("I6 attempts", f"timer {timer_id} began with {arrivals[0]['attempt']}")
        for earlier, later in zip(arrivals, arrivals[1:]):
            step = later["attempt"] - earlier["attempt"]
            crossed = later["run"] > earlier["run"]
            if step < 0 or step > 1:
                self.bad("I6 attempts", f"timer {timer_id} went from attempt {earlier['attempt']} "
                                        f"to {later['attempt']}")
            if step == 0 and not crossed:
                self.bad("I5 duplicate", f"timer {timer_id} repeated attempt {later['attempt']} "
                                         f"in run {later['run']}, without a crash")
            if step > 0 and earlier["status"] and earlier["status"] // 100 == 2:
                self.bad("I5 duplicate", f"timer {timer_id} went on after a 2xx")

    def cancels(self):
        for timer_id in self.cancelled:
            states = [timer["state"] for timer in self.timers.get(timer_id, [])]
            if states and states != ["cancelled"]:
                self.bad("I4 phantom", f"timer {timer_id} was cancelled and is {states}")
        for event in self.answered:
            if event["result"] != "cancelled" and event["t"] > self.cancelled.get(event["id"],
                                                                                  math.inf):
                self.bad("I4 phantom", f"timer {event['id']} was cancelled, then {event['result']}")
        for timer_id, listed in self.timers.items():
            if listed[0]["state"] == "cancelled" and timer_id not in self.cancelled:
                self.bad("I1 lost", f"timer {timer_id} is cancelled and nobody was told so")

    def duplicates_per_crash(self):
        repeated = collections.Counter()
        for arrivals in self.arrived.values():
            for earlier, later in zip(arrivals, arrivals[1:]):
                if later["attempt"] == earlier["attempt"]:
                    repeated[earlier["run"]] += 1
        # Under way, or ended and waiting for the outcome to become durable.
        for run, count in repeated.items():
            if count > self.unsettled_max:
                self.bad("I5 duplicate", f"{count} attempts of run {run} were repeated, at most "
                                         f"{self.unsettled_max} were unsettled when it was killed")
