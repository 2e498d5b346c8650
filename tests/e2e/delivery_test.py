"""What a receiver sees, and what Belfry makes of its answers."""

import datetime
import json
import time

from harness import Answer, Case, SharedCase, main, poll, show

RETRY_SOON = {"max_attempts": 4, "schedule": ["30ms"], "jitter": 0}


class TheRequest(SharedCase):
    def deliver(self, receiver, path, **members):
        timer = self.d.set(receiver.url(path), **members)
        self.d.wait_state(timer, "delivered")
        return timer, receiver.wait(lambda requests: any(r.id == timer for r in requests))[-1]

    def test_it_is_an_empty_post_with_the_headers_of_the_contract(self):
        r = self.receiver()
        before = int(time.time())
        timer, got = self.deliver(r, "/hook", seconds=1)
        self.assertEqual((got.method, got.target, got.body), ("POST", f"/hook/{timer}", b""))
        self.assertEqual(got.header("content-length"), "0")
        self.assertEqual(got.header("host"), f"127.0.0.1:{r.port}")
        self.assertRegex(got.header("user-agent"), r"\Abelfry/\d+\.\d+\.\d+\Z")
        self.assertRegex(got.header("webhook-id"), r"\A[a-z2-7]{10}-%d\Z" % timer)
        self.assertEqual(got.header("webhook-attempt"), "1")
        self.assertTrue(before <= int(got.header("webhook-timestamp")) <= time.time())
        self.assertEqual(got.header("webhook-due"), self.d.view(timer)["due"])
        for absent in ("webhook-signature", "content-type", "expect", "accept",
                       "transfer-encoding"):
            self.assertIsNone(got.header(absent), absent)
        due = datetime.datetime.fromisoformat(got.header("webhook-due")).timestamp()
        self.assertGreaterEqual(got.wall, due - 0.001)

    def test_the_id_joins_the_path_with_one_slash_before_the_query(self):
        r = self.receiver()
        for path, wanted in (("", "/N"), ("/", "/N"), ("/s/", "/s/N"), ("/s", "/s/N"),
                             ("/q?x=1", "/q/N?x=1"), ("?x=1", "/N?x=1"), ("/a/?x=/", "/a/N?x=/"),
                             ("/a/../b/./c", "/b/c/N"), ("/p#frag", "/p/N"),
                             ("/%41%2f", "/%41%2f/N")):
            with self.subTest(path):
                timer, got = self.deliver(r, path)
                self.assertEqual(got.target.lower(), wanted.replace("N", str(timer)).lower())
        _, got = self.deliver(r, "/plain?y=2", append_id=False)
        self.assertEqual(got.target, "/plain?y=2")

    def test_method_headers_and_body_are_sent_as_given(self):
        r = self.receiver()
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with self.subTest(method):
                _, got = self.deliver(r, "/m", method=method, body="h\u00e9llo\n\u0000",
                                      headers={"X-CaSe": "v; \"w\"", "Content-Type": "text/x"})
                self.assertEqual((got.method, got.body), (method, "h\u00e9llo\n\u0000".encode()))
                self.assertIn(("X-CaSe", 'v; "w"'), got.headers)
                self.assertEqual(got.header("content-type"), "text/x")
        timer, got = self.deliver(r, "/m", method="GET")
        self.assertEqual((got.method, got.body), ("GET", b""))

    def test_a_json_member_sets_the_content_type(self):
        r = self.receiver()
        value = {"a": [1, 2.5, None, True, "\u00fc", {"b": {}}], "big": 12345678901234567890}
        _, got = self.deliver(r, "/j", json=value)
        self.assertEqual(got.header("content-type"), "application/json")
        self.assertEqual(json.loads(got.body), value)
        for plain in (0, "x", None, [], False):
            with self.subTest(plain):
                _, got = self.deliver(r, "/j", json=plain)
                self.assertEqual(json.loads(got.body), plain)

    def test_a_large_body_arrives_whole(self):
        r = self.receiver()
        body = "".join(chr(33 + n % 90) for n in range(200_000))
        _, got = self.deliver(r, "/big", body=body)
        self.assertEqual(got.body, body.encode())

    def test_connections_are_reused(self):
        r = self.receiver()
        for _ in range(20):
            self.deliver(r, "/again")
        self.assertLessEqual(r.connections, 3)

    def test_every_id_is_its_own_and_the_store_part_the_same(self):
        r = self.receiver()
        ids = [self.deliver(r, "/x")[1].header("webhook-id") for _ in range(5)]
        self.assertEqual(len(set(ids)), 5)
        self.assertEqual(len({value.split("-")[0] for value in ids}), 1)


class Answers(SharedCase):
    def attempts_of(self, behave, state, **members):
        r = self.receiver(behave)
        members.setdefault("retry", RETRY_SOON)
        timer = self.d.set(r.url(), **members)
        view = self.d.wait_state(timer, state)
        got = [request for request in r.snapshot() if request.id == timer]
        self.assertEqual(len(got), len(view["attempts"]))
        self.assertEqual([g.header("webhook-attempt") for g in got],
                         [str(n + 1) for n in range(len(got))])
        self.assertEqual(len({g.header("webhook-id") for g in got}), 1)
        return view, got, r

    def test_any_2xx_is_delivered(self):
        for status in (200, 201, 202, 204, 226, 299):
            with self.subTest(status):
                view, _, _ = self.attempts_of(lambda got: Answer(status), "delivered")
                self.assertEqual([a["status"] for a in view["attempts"]], [status])
                self.assertIsInstance(view["lateness_ms"], int)

    def test_others_are_retried_until_the_attempts_are_used_up(self):
        for status in (301, 302, 307, 400, 401, 404, 429, 500, 503):
            with self.subTest(status):
                view, _, _ = self.attempts_of(lambda got: Answer(status), "dead")
                self.assertEqual([a["status"] for a in view["attempts"]], [status] * 4)
                self.assertEqual(view["reason"], "exhausted")
                self.assertIsNone(view["next_attempt"])

    def test_a_success_after_failures_is_delivered(self):
        view, got, _ = self.attempts_of(
            lambda got: Answer(200 if got.header("webhook-attempt") == "3" else 500), "delivered")
        self.assertEqual([a["status"] for a in view["attempts"]], [500, 500, 200])
        for earlier, later in zip(got, got[1:]):
            self.assertGreaterEqual(later.mono - earlier.mono, 0.028)

    def test_410_stops_at_once(self):
        view, _, _ = self.attempts_of(lambda got: Answer(410), "dead")
        self.assertEqual((len(view["attempts"]), view["reason"]), (1, "gone"))

    def test_retry_after_is_waited_for(self):
        view, got, _ = self.attempts_of(
            lambda got: Answer(503, (("Retry-After", "1"),))
            if got.header("webhook-attempt") == "1" else Answer(), "delivered")
        self.assertGreaterEqual(got[1].mono - got[0].mono, 0.99)

    def test_a_redirect_is_not_followed(self):
        other = self.receiver()
        _, _, r = self.attempts_of(lambda got: Answer(302, (("Location", other.url()),)), "dead")
        self.assertEqual((len(r.snapshot()), other.snapshot()), (4, []))

    def test_a_connection_closed_without_an_answer_is_a_failed_attempt(self):
        for body in ({}, {"body": "x" * 100}):
            with self.subTest(body):
                view, _, _ = self.attempts_of(lambda got: Answer(drop=True), "dead", **body)
                self.assertTrue(all(a["error"] and not a["status"] for a in view["attempts"]))

    def test_a_time_out_is_a_failed_attempt(self):
        view, _, _ = self.attempts_of(lambda got: Answer(hang=True), "dead", timeout="150ms",
                                      retry={"max_attempts": 2, "schedule": ["10ms"]})
        self.assertEqual([a["error"] for a in view["attempts"]], ["timeout"] * 2)
        self.assertTrue(all(a["duration_ms"] >= 149 for a in view["attempts"]))

    def test_a_refused_connection_is_retried(self):
        r = self.receiver()
        port = r.port
        r.stop()
        timer = self.d.set(r.url(), retry={"max_attempts": 50, "schedule": ["50ms"]})
        poll(lambda: len(self.d.view(timer)["attempts"]) >= 2, "two attempts")
        back = self.receiver(port=port)
        view = self.d.wait_state(timer, "delivered")
        self.assertEqual(len(back.snapshot()), 1)
        self.assertEqual(back.snapshot()[0].header("webhook-attempt"), str(len(view["attempts"])))

    def test_a_long_answer_is_cut_not_kept(self):
        view, _, _ = self.attempts_of(lambda got: Answer(200, body=b"x" * 3_000_000), "delivered")
        self.assertEqual(len(view["attempts"]), 1)

    def test_the_dead_are_listed_with_their_attempts(self):
        view, _, _ = self.attempts_of(lambda got: Answer(500), "dead")
        listed = [t for t in self.d.list_all("&state=dead") if t["id"] == view["id"]]
        self.assertEqual(listed, [view])
        for attempt in view["attempts"]:
            self.assertEqual(set(attempt), {"at", "status", "error", "duration_ms"})


class ReusedConnections(SharedCase):
    """libcurl repeats a request by itself when a reused connection dies; here it must not."""

    # Half of the attempts fail here: with a breaker, one might be charged and not made.
    config = ("delivery: {targets: {allow: [loopback]}, "
              "breaker: {failures: 1000000, min_attempts: 1000000}}\n")

    def check(self, spoiled_by, body):
        bad = []

        def behave(got):
            if spoiled_by == "after" and got.nth > 1 and got.connection not in bad:
                bad.append(got.connection)
                return Answer(drop=True)
            return Answer()

        def spoil(connection, nth):
            if spoiled_by == "before" and nth > 1 and connection not in bad:
                bad.append(connection)
                return True
            return False

        r = self.receiver(behave, spoil=spoil)
        views = []
        for _ in range(12):
            timer = self.d.set(r.url(), retry=RETRY_SOON, **body)
            views.append(self.d.wait_state(timer, "delivered"))
        recorded = sum(len(view["attempts"]) for view in views)
        self.assertGreater(len(bad), 2, "no reused connection was ever closed")
        self.assertEqual(len(r.snapshot()), recorded)
        self.assertEqual(recorded, 12 + len(bad))

    def test_o10_closed_before_it_is_read(self):
        for body in ({}, {"body": "x"}, {"body": "x" * 100_000}):
            with self.subTest(len(body.get("body", ""))):
                self.check("before", body)

    def test_o10_closed_after_it_is_read(self):
        for body in ({}, {"body": "x"}, {"body": "x" * 100_000}):
            with self.subTest(len(body.get("body", ""))):
                self.check("after", body)

    def test_o10_closed_while_idle(self):
        r = self.receiver()
        views = []
        for _ in range(10):
            timer = self.d.set(r.url(), retry=RETRY_SOON)
            views.append(self.d.wait_state(timer, "delivered"))
            r.close_idle()
        self.assertEqual(len(r.snapshot()), sum(len(view["attempts"]) for view in views))


class OverRestarts(Case):
    def test_a_restart_does_not_reset_the_ladder(self):
        failing = [True]
        r = self.receiver(lambda got: Answer(500 if failing[0] else 200))
        d = self.daemon().start()
        timer = d.set(r.url(), retry={"max_attempts": 4, "schedule": ["20ms", "20ms", "1h"],
                                      "jitter": 0})
        poll(lambda: len(d.view(timer)["attempts"]) == 3, "three attempts")
        before = d.view(timer)
        d.restart()
        self.assertEqual(d.view(timer), before)
        self.assertEqual((before["state"], len(r.snapshot())), ("retrying", 3))
        ahead = datetime.datetime.fromisoformat(before["next_attempt"]).timestamp() - time.time()
        self.assertTrue(3500 < ahead <= 3600, ahead)

    def test_attempt_numbers_go_on_after_a_restart(self):
        r = self.receiver(lambda got: Answer(500))
        d = self.daemon().start()
        timer = d.set(r.url(), retry={"max_attempts": 6, "schedule": ["150ms"], "jitter": 0})
        r.wait(2)
        d.restart()
        view = d.wait_state(timer, "dead")
        numbers = [int(got.header("webhook-attempt")) for got in r.snapshot()]
        self.assertEqual(sorted(set(numbers)), [1, 2, 3, 4, 5, 6])
        self.assertEqual(numbers, sorted(numbers))
        self.assertLessEqual(len(numbers), 7)  # the one under way at the kill may be sent twice
        self.assertEqual(len(view["attempts"]), 6)

    def test_overdue_timers_fire_at_the_start(self):
        r = self.receiver()
        d = self.daemon().start()
        ids = [d.set(r.url(), delay="1500ms") for _ in range(50)]
        overdue = time.time() + 1.6
        d.kill()
        self.assertEqual(r.snapshot(), [])
        poll(lambda: time.time() > overdue, "the timers are overdue")
        d.start()
        got = r.wait(50)
        self.assertEqual(sorted(g.id for g in got), ids)
        last_ms = (max(g.mono for g in got) - d.ready_mono) * 1000
        show(f"50 overdue timers were delivered {last_ms:.0f} ms after READY=1")


class Lateness(Case):
    def test_a_thousand_timers_fire_once_each_and_none_early(self):
        r = self.receiver()
        d = self.daemon().start()
        with d.client() as client:
            for n in range(1000):
                at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
                    milliseconds=500 + n * 4)
                client.send(client.encode("POST", "/timers", {
                    "url": r.url(), "at": at.isoformat(timespec="milliseconds")}))
                self.assertEqual(client.response().status, 201)
        got = r.wait(1000, timeout_s=30)
        self.assertEqual(sorted(g.id for g in got), list(range(1, 1001)))
        late = sorted(1000 * (g.wall - datetime.datetime.fromisoformat(
            g.header("webhook-due")).timestamp()) for g in got)
        self.assertGreaterEqual(late[0], -1.0)
        poll(lambda: d.count("?state=delivered") == 1000, "all settled")
        show("lateness as the receiver saw it: p50 %.1f ms, p99 %.1f ms, most %.1f ms"
             % (late[500], late[990], late[-1]))


class Targets(Case):
    def test_a_forbidden_address_is_never_connected_to(self):
        r = self.receiver()
        d = self.daemon(config="delivery: {targets: {allow: [public]}}\n").start()
        for host in ("127.0.0.1", "localhost", "[::1]"):
            with self.subTest(host):
                url = f"http://{host}:{r.port}/x"
                response = d.request("POST", "/timers", {"seconds": 0, "url": url})
                if response.status == 201:
                    view = d.wait_state(response.json()["id"], "dead")
                    self.assertEqual(view["reason"], "policy")
                else:
                    self.assertEqual(response.status, 400)
        self.assertEqual(r.connections, 0)

    def test_no_more_than_the_cap_are_in_flight_at_one_target(self):
        r = self.receiver(lambda got: Answer(delay_s=0.05))  # so every request needs a connection
        d = self.daemon(config="delivery: {targets: {allow: [loopback]}, "
                               "per_target_in_flight: 7}\n").start()
        for _ in range(60):
            d.set(r.url())
        poll(lambda: d.count("?state=delivered") == 60, "all delivered")
        self.assertLessEqual(r.connections, 7)
        self.assertEqual(len(r.snapshot()), 60)


if __name__ == "__main__":
    main()
