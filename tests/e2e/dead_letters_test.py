"""What becomes of timers that are late or given up, who is told of it, and how they come back."""

import json
import re
import signal
import time

from harness import Answer, Case, SharedCase, main, poll, show

ONCE = {"max_attempts": 1, "schedule": ["1s"]}
FAR = "http://127.0.0.1:9/later"
RANGE = 1500  # several steps of a range replay


def switched(statuses):
    """Answers with what `statuses` holds at the time; by default 410, which gives a timer up."""
    return lambda got: Answer(statuses.get(got.target.split("/")[1], 410))


class Late(Case):
    def test_a_late_timer_is_dropped_or_kept_dead_and_never_sent(self):
        r = self.receiver()
        d = self.daemon().start()
        late = {"delay": "2s", "max_lateness": "300ms"}
        dropped = d.set(r.url("/drop"), on_late="drop", **late)
        dead = d.set(r.url("/dead"), on_late="deadletter", **late)
        fired = d.set(r.url("/fire"), on_late="fire", **late)
        in_time = d.set(r.url("/in_time"), delay="2s", max_lateness="1h", on_late="drop")
        too_late = time.time() + 2.5
        d.end(signal.SIGTERM)
        poll(lambda: time.time() > too_late, "it is too late")
        d.start()
        d.wait_state(fired, "delivered")
        d.wait_state(in_time, "delivered")
        for timer, state in ((dropped, "cancelled"), (dead, "dead")):
            view = d.wait_state(timer, state)
            self.assertEqual((view["reason"], view["attempts"]), ("expired", []))
            self.assertIsNone(view["next_attempt"])
            self.assertEqual(d.get(f"/timers/{timer}").json(), {"id": timer, "time_left": 0})
        self.assertEqual(sorted(got.id for got in r.snapshot()), [fired, in_time])
        self.assertEqual((d.count("?state=dead"), d.count("?state=cancelled")), (1, 1))
        self.assertEqual([t["id"] for t in d.list_all("&state=dead")], [dead])
        self.assertIn("event=timer_dropped", d.log(whole=True))
        gone = d.request("DELETE", f"/timers/{dead}")
        self.assertEqual((gone.status, gone.json()["result"]), (409, "dead"))
        self.assertEqual(d.request("DELETE", f"/timers/{dropped}").json()["result"], "cancelled")

    def test_a_retry_is_checked_too(self):
        r = self.receiver(lambda got: Answer(503))
        d = self.daemon().start()
        timer = d.set(r.url(), max_lateness="500ms", on_late="deadletter",
                      retry={"max_attempts": 50, "schedule": ["100ms"], "jitter": 0})
        view = d.wait_state(timer, "dead")
        self.assertEqual(view["reason"], "expired")
        self.assertLessEqual(len(view["attempts"]), 6)
        self.assertEqual(len(r.snapshot()), len(view["attempts"]))


class Members(SharedCase):
    def test_they_are_shown_when_they_were_set(self):
        plain = self.d.view(self.d.set(FAR, hours=1))
        members = {"max_lateness", "on_late", "on_success", "on_failure"}
        self.assertEqual(members & plain.keys(), set())
        view = self.d.view(self.d.set(
            FAR, hours=1, max_lateness="PT1H30M", on_late="deadletter",
            on_success={"url": "HTTP://127.0.0.1:9/a/../ok"}, on_failure={"url": FAR}))
        self.assertEqual({name: view[name] for name in members},
                         {"max_lateness": "1h30m", "on_late": "deadletter",
                          "on_success": {"url": "http://127.0.0.1:9/ok"},
                          "on_failure": {"url": FAR}})
        self.assertEqual(self.d.view(self.d.set(FAR, hours=1, max_lateness="5s"))["on_late"],
                         "fire")

    def test_what_is_wrong_is_named(self):
        for members, pointer in (
                ({"on_late": "drop"}, "/on_late"),
                ({"on_late": "never", "max_lateness": "1s"}, "/on_late"),
                ({"max_lateness": 5}, "/max_lateness"),
                ({"max_lateness": "0s"}, "/max_lateness"),
                ({"on_success": FAR}, "/on_success"),
                ({"on_success": {}}, "/on_success/url"),
                ({"on_failure": {"url": "ftp://a"}}, "/on_failure/url"),
                ({"on_failure": {"url": "http://u:p@a"}}, "/on_failure/url"),
                ({"on_failure": {"url": FAR, "on_failure": {"url": FAR}}},
                 "/on_failure/on_failure")):
            with self.subTest(members):
                got = self.d.request("POST", "/timers", {"seconds": 1, "url": FAR, **members})
                self.assertEqual(got.status, 400)
                self.assertEqual([e["pointer"] for e in got.json()["errors"]], [pointer])


class Callbacks(Case):
    def called(self, r, path):
        requests = r.wait(lambda all_: any(got.target.startswith(path) for got in all_))
        return [got for got in requests if got.target.startswith(path)]

    def test_each_end_calls_its_url_with_the_outcome(self):
        r = self.receiver(switched({"fine": 204, "ok": 200, "no": 200, "broken": 500}))
        d = self.daemon().start()
        both = {"on_success": {"url": r.url("/ok?who=me")}, "on_failure": {"url": r.url("/no/")}}
        fine = d.set(r.url("/fine"), **both)
        got = self.called(r, "/ok")[0]
        self.assertEqual(got.method, "POST")
        self.assertEqual(got.target, f"/ok/{got.id}?who=me")
        self.assertEqual(got.header("content-type"), "application/json")
        self.assertEqual(got.body, b'{"timer":%d,"state":"delivered","reason":null,"attempts":1}'
                         % fine)
        self.assertEqual(got.header("webhook-attempt"), "1")
        sent = self.called(r, "/fine")[0]
        self.assertNotEqual(got.header("webhook-id"), sent.header("webhook-id"))
        self.assertRegex(got.header("webhook-id"), r"-%d\Z" % got.id)
        self.assertGreater(got.id, fine)
        view = d.wait_state(got.id, "delivered")
        self.assertEqual((view["url"], view["due"]), (r.url("/ok?who=me"), view["created_at"]))
        self.assertNotIn("on_success", view)

        broken = d.set(r.url("/broken"), retry={"max_attempts": 3, "schedule": ["10ms"]}, **both)
        got = self.called(r, "/no")[0]
        self.assertEqual(json.loads(got.body), {"timer": broken, "state": "dead",
                                                "reason": "exhausted", "attempts": 3})
        d.wait_state(got.id, "delivered")
        self.assertEqual(len(self.called(r, "/no")), 1)
        self.assertEqual(len(self.called(r, "/ok")), 1)

    def test_a_cancel_by_its_owner_calls_nobody_and_a_drop_does(self):
        r = self.receiver()
        d = self.daemon().start()
        both = {"on_success": {"url": r.url("/ok")}, "on_failure": {"url": r.url("/no")}}
        d.request("DELETE", f"/timers/{d.set(FAR, hours=1, **both)}")
        dropped = d.set(r.url("/late"), delay="2s", max_lateness="100ms", on_late="drop", **both)
        too_late = time.time() + 2.3
        d.kill()
        poll(lambda: time.time() > too_late, "it is too late")
        d.start()
        got = r.wait(1)[0]
        self.assertTrue(got.target.startswith("/no/"), got.target)
        self.assertEqual(json.loads(got.body), {"timer": dropped, "state": "cancelled",
                                                "reason": "expired", "attempts": 0})
        d.wait_state(got.id, "delivered")
        self.assertEqual(len(r.snapshot()), 1)

    def test_callbacks_are_retried_and_outlive_a_kill_once_each(self):
        statuses = {"ok": 503}
        r = self.receiver()
        told = self.receiver(switched(statuses))
        d = self.daemon(config="delivery: {targets: {allow: [loopback]}, "
                               "retry: {max_attempts: 50, schedule: [100ms]}}\n").start()
        timers = [d.set(r.url("/fine"), on_success={"url": told.url("/ok")}) for _ in range(40)]
        poll(lambda: d.count("?state=delivered") == len(timers), "all delivered")
        d.kill()
        statuses["ok"] = 200
        d.start()
        poll(lambda: d.count("?state=delivered") == 2 * len(timers), "all callbacks delivered")
        self.assertEqual(d.count(), 2 * len(timers))
        accepted = {}
        for got in told.snapshot():
            accepted.setdefault(json.loads(got.body)["timer"], set()).add(got.id)
        self.assertEqual(sorted(accepted), timers)
        self.assertEqual({len(ids) for ids in accepted.values()}, {1})


class Replay(Case):
    def test_a_dead_timer_comes_back_with_fresh_attempts_and_its_numbers_go_on(self):
        statuses = {"x": 500}
        r = self.receiver(switched(statuses))
        d = self.daemon().start()
        timer = d.set(r.url("/x"), retry={"max_attempts": 2, "schedule": ["20ms"]})
        before = d.wait_state(timer, "dead")
        got = d.request("POST", f"/timers/{timer}/retry")
        self.assertEqual((got.status, got.body), (202, b'{"id":%d,"state":"pending"}' % timer))
        self.assertEqual(got.header("content-type"), "application/json")
        again = poll(lambda: (view := d.view(timer))["state"] == "dead"
                     and len(view["attempts"]) == 4 and view, "dead once more")
        self.assertEqual(again["attempts"][:2], before["attempts"])
        self.assertEqual((again["due"], again["reason"]), (before["due"], "exhausted"))
        d.restart()
        statuses["x"] = 200
        self.assertEqual(d.request("POST", f"/timers/{timer}/retry", {}).status, 202)
        d.wait_state(timer, "delivered")
        sent = r.snapshot()
        self.assertEqual([g.header("webhook-attempt") for g in sent], list("12345"))
        self.assertEqual(len({g.header("webhook-id") for g in sent}), 1)
        self.assertEqual(len({g.header("webhook-due") for g in sent}), 1)
        self.assertEqual((d.count("?state=dead"), d.count()), (0, 1))

    def test_what_is_not_dead_is_a_409_that_says_what_it_is(self):
        r = self.receiver(lambda got: Answer(200 if got.target.startswith("/ok") else 500,
                                             hang=got.target.startswith("/hang")))
        d = self.daemon().start()
        pending, cancelled = d.set(FAR, hours=1), d.set(FAR, hours=1)
        d.request("DELETE", f"/timers/{cancelled}")
        delivered = d.set(r.url("/ok"))
        retrying = d.set(r.url("/no"), retry={"max_attempts": 2, "schedule": ["1h"]})
        firing = d.set(r.url("/hang"), timeout="60s")
        for timer, state in ((delivered, "delivered"), (retrying, "retrying"), (firing, "firing")):
            d.wait_state(timer, state)
        for timer, result in ((pending, "pending"), (cancelled, "cancelled"),
                              (delivered, "fired"), (retrying, "retrying"),
                              (firing, "already_firing")):
            with self.subTest(result):
                got = d.request("POST", f"/timers/{timer}/retry")
                self.assertEqual(got.status, 409)
                self.assertEqual(got.header("content-type"), "application/problem+json")
                self.assertEqual(got.json(), {
                    "type": "/problems/not-dead", "title": "Not dead", "status": 409,
                    "detail": "only a dead timer is retried; nothing changed",
                    "id": timer, "result": result})

    def test_what_is_unknown_or_malformed_is_refused(self):
        d = self.daemon().start()
        for name in ("1", "0", "01", "x", "99999999999999999999"):
            self.assertEqual(d.request("POST", f"/timers/{name}/retry").status, 404, name)
        self.assertEqual(d.get("/timers/1/retry").status, 405)
        self.assertEqual(d.get("/timers/1/retry").header("allow"), "POST")
        self.assertEqual(d.get("/timers/retry").status, 405)
        for query in ("?state=dead", "?limit=1", "?dry_run=1", "?dry_run=", "?due_after=soon",
                      "?due_before=2026-01-01", "?dry_run=true&dry_run=true"):
            self.assertEqual(d.request("POST", "/timers/retry" + query).status, 400, query)
        self.assertEqual(d.request("POST", "/timers/1/retry?x=1").status, 400)
        self.assertEqual(d.request("POST", "/timers/1/retry", {"at": "now"}).status, 400)
        self.assertEqual(d.request("POST", "/timers/retry").body, b'{"count":0}')


class ByRange(Case):
    def dead(self, d, r, count):
        """So many dead timers; they are due a millisecond after each other, long ago for a test."""
        with d.client() as client:
            body = json.dumps({"seconds": 0, "url": r.url("/x"), "retry": ONCE}).encode()
            for first in range(0, count, 50):
                many = min(50, count - first)
                client.send(client.encode("POST", "/timers", body) * many)
                for _ in range(many):
                    self.assertEqual(client.response().status, 201)
        poll(lambda: d.count("?state=dead") == count, "all dead", timeout_s=60)

    def test_an_accepted_range_is_replayed_to_the_end_though_the_daemon_is_killed(self):
        statuses = {}
        r = self.receiver(switched(statuses))
        d = self.daemon().start()
        self.dead(d, r, RANGE)
        dry = d.request("POST", "/timers/retry?dry_run=true")
        self.assertEqual((dry.status, dry.body), (200, b'{"count":%d}' % RANGE))
        self.assertEqual(d.count("?state=dead"), RANGE)
        statuses["x"] = 200
        got = d.request("POST", "/timers/retry")
        self.assertEqual((got.status, got.body), (202, b'{"count":%d}' % RANGE))
        left = d.count("?state=dead")
        d.kill()
        d.start()
        poll(lambda: d.count("?state=delivered") == RANGE, "all delivered", timeout_s=60)
        self.assertEqual((d.count("?state=dead"), d.count()), (0, RANGE))
        show(f"{left} of {RANGE} were still dead when the daemon was killed after its 202")
        self.assertIn("event=replayed", d.log(whole=True))
        self.assertEqual(d.request("POST", "/timers/retry?dry_run=false").body, b'{"count":0}')

    def test_only_what_was_due_in_the_range_comes_back(self):
        statuses = {}
        r = self.receiver(switched(statuses))
        d = self.daemon().start()
        timers = []
        for _ in range(5):
            timers.append(d.set(r.url("/x"), retry=ONCE))
            d.wait_state(timers[-1], "dead")
        dues = [d.view(timer)["due"] for timer in timers]
        self.assertEqual(sorted(set(dues)), dues, "each a millisecond or more after the other")
        between = f"?due_after={dues[0]}&due_before={dues[3]}"
        self.assertEqual(d.count(between + "&state=dead"), 2)
        self.assertEqual(d.request("POST", f"/timers/retry{between}&dry_run=true").body,
                         b'{"count":2}')
        statuses["x"] = 200
        got = d.request("POST", "/timers/retry" + between)
        self.assertEqual((got.status, got.body), (202, b'{"count":2}'))
        for timer in timers[1:3]:
            d.wait_state(timer, "delivered")
        self.assertEqual([t["id"] for t in d.list_all("&state=dead")], [timers[0]] + timers[3:])
        # All counts add up after a restart as well.
        d.restart()
        self.assertEqual((d.count("?state=dead"), d.count("?state=delivered")), (3, 2))


class Retention(Case):
    def test_only_what_has_ended_is_forgotten_and_it_is_told(self):
        r = self.receiver(switched({"ok": 200}))
        d = self.daemon(config="delivery: {targets: {allow: [loopback]}}\nretention: 1s\n").start()
        kept = d.set(FAR, hours=1)
        done, dead = d.set(r.url("/ok")), d.set(r.url("/x"))
        d.wait_state(done, "delivered")
        ended = time.time() + 1.1
        poll(lambda: time.time() > ended, "retention has passed")
        d.restart()  # it comes by at a start, then once a minute
        poll(lambda: d.count() == 1, "both are forgotten")
        for timer in (done, dead):
            self.assertEqual(d.get(f"/timers/{timer}").status, 404)
            self.assertEqual(d.request("POST", f"/timers/{timer}/retry").status, 404)
        self.assertEqual(d.view(kept)["state"], "pending")
        self.assertRegex(d.log(whole=True), re.compile(r"event=retention forgotten=2 dead=1"))


if __name__ == "__main__":
    main()
