"""What a client may rely on when it asks rightly: every answer of the API, over raw HTTP."""

import datetime
import json
import re
import socket

from harness import Answer, Case, Client, SharedCase, main, poll

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
FULL = {"id", "time_left", "state", "due", "created_at", "url", "method", "attempts",
        "next_attempt", "lateness_ms", "reason"}
LATER_MEMBERS = {"labels", "key"}  # of features that may be absent
FAR = "http://127.0.0.1:9/later"


def rfc3339(seconds_from_now):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(seconds=seconds_from_now)).isoformat(timespec="milliseconds")


def in_query(time):
    return time.replace("+", "%2B")


class FirstTimer(Case):
    def test_the_first_answer_is_byte_exact_and_names_its_location(self):
        d = self.daemon().start()
        body = b'{"hours": 4, "minutes": 0, "seconds": 1, "url": "https://someserver.com"}'
        got = d.request("POST", "/timers", body)
        self.assertEqual((got.status, got.body), (201, b'{"id":1}'))
        self.assertEqual(got.header("location"), "/timers/1")
        self.assertEqual(got.header("content-type"), "application/json")
        self.assertEqual(got.header("content-length"), "8")
        self.assertEqual(d.set(FAR, seconds=60), 2)
        left = d.get("/timers/1")
        self.assertEqual(left.status, 200)
        self.assertIn(left.body, (b'{"id":1,"time_left":14401}', b'{"id":1,"time_left":14400}'))


class Reads(SharedCase):
    def test_time_left_is_rounded_up_and_has_two_members(self):
        timer = self.d.set(FAR, delay="644500ms")
        got = self.d.get(f"/timers/{timer}")
        self.assertEqual(got.header("content-type"), "application/json")
        self.assertRegex(got.body, rb'\A\{"id":%d,"time_left":64[345]\}\Z' % timer)

    def test_the_full_view_has_every_member(self):
        timer = self.d.set(FAR, delay="10m", method="PUT")
        view = self.d.view(timer)
        self.assertEqual(set(view) - LATER_MEMBERS, FULL)
        self.assertEqual(view["state"], "pending")
        self.assertEqual((view["url"], view["method"], view["attempts"]), (FAR, "PUT", []))
        for name in ("due", "created_at", "next_attempt"):
            self.assertRegex(view[name], TIME)
        self.assertEqual(view["due"], view["next_attempt"])
        created = datetime.datetime.fromisoformat(view["created_at"])
        due = datetime.datetime.fromisoformat(view["due"])
        self.assertEqual(due - created, datetime.timedelta(minutes=10))

    def test_an_absolute_time_is_kept_to_the_millisecond_in_utc(self):
        timer = self.d.set(FAR, at="2999-01-01T02:00:00.123+02:00")
        self.assertEqual(self.d.view(timer)["due"], "2999-01-01T00:00:00.123Z")

    def test_every_way_to_say_when(self):
        for members, seconds in (({"hours": 1}, 3600), ({"minutes": 90}, 5400),
                                 ({"hours": 1, "minutes": 61, "seconds": 61}, 7321),
                                 ({"delay": "PT4H1S"}, 14401), ({"delay": "PT0.5S"}, 1),
                                 ({"delay": "1d12h"}, 129600), ({"delay": "P1DT12H"}, 129600),
                                 ({"delay": "4h1s"}, 14401), ({"at": rfc3339(50)}, 50),
                                 ({"at": "2999-12-31T23:59:59Z"}, None)):
            with self.subTest(members):
                left = self.d.get(f"/timers/{self.d.set(FAR, **members)}").json()["time_left"]
                if seconds is not None:
                    self.assertIn(left, (seconds, seconds - 1))

    def test_unknown_timers_are_404(self):
        for name in ("999999", "0", "-1", "abc", "01", "1.0", "%31x", "99999999999999999999"):
            for method in ("GET", "DELETE"):
                with self.subTest(f"{method} {name}"):
                    got = self.d.request(method, f"/timers/{name}")
                    self.assertEqual(got.status, 404)
                    self.assertEqual(got.header("content-type"), "application/problem+json")
                    self.assertEqual(got.json()["type"], "/problems/not-found")

    def test_head_answers_as_get_without_the_body(self):
        timer = self.d.set(FAR, hours=1)
        for target in (f"/timers/{timer}", f"/timers/{timer}?view=full", "/timers?limit=1",
                       "/timers/count", "/health", "/ready", "/timers/999999"):
            with self.subTest(target):
                get, head = self.d.get(target), self.d.request("HEAD", target)
                self.assertEqual(head.status, get.status)
                self.assertEqual(head.header("content-length"), get.header("content-length"))
                self.assertEqual(head.header("content-type"), get.header("content-type"))

    def test_health_and_ready(self):
        self.assertEqual(self.d.get("/health").body, b'{"status":"ok"}')
        self.assertEqual(self.d.get("/ready").status, 200)


class Lists(Case):
    def setUp(self):
        super().setUp()
        self.d = self.daemon().start()

    def test_pages_follow_each_other_by_id_until_the_last(self):
        with self.d.client() as client:
            for n in range(250):
                client.send(client.encode("POST", "/timers", {"seconds": 1000 + n, "url": FAR}))
                self.assertEqual(client.response().status, 201)
        target, sizes, ids = "/timers", [], []
        while target:
            page = self.d.get(target)
            self.assertEqual(page.status, 200)
            sizes.append(len(page.json()))
            ids += [timer["id"] for timer in page.json()]
            link = page.header("link")
            target = None
            if link:
                self.assertRegex(link, r'\A<[^>]+>; rel="next"\Z')
                target = link[1:link.index(">")]
        self.assertEqual(ids, list(range(1, 251)))
        self.assertEqual([s for s in sizes if s], [100, 100, 50])
        self.assertEqual(set(self.d.get("/timers?limit=1").json()[0]) - LATER_MEMBERS, FULL)
        self.assertEqual(len(self.d.get("/timers?limit=1000").json()), 250)
        self.assertEqual(len(self.d.list_all()), 250)

    def test_filters_and_counts_agree(self):
        r = self.receiver(lambda got: Answer(500 if got.target.startswith("/dead") else 200,
                                             hang=got.target.startswith("/hang")))
        once = {"retry": {"max_attempts": 1, "schedule": ["1s"]}}
        near, far = self.d.set(FAR, seconds=1000), self.d.set(FAR, seconds=3000)
        gone, done = self.d.set(FAR, seconds=1000), self.d.set(r.url("/ok"))
        dead = self.d.set(r.url("/dead"), **once)
        again = self.d.set(r.url("/dead"), retry={"max_attempts": 3, "schedule": ["1h"]})
        hanging = self.d.set(r.url("/hang"), timeout="60s")
        self.assertEqual(self.d.request("DELETE", f"/timers/{gone}").status, 200)
        for timer, state in ((done, "delivered"), (dead, "dead"), (again, "retrying"),
                             (hanging, "firing")):
            self.d.wait_state(timer, state)
        by_state = {"pending": [near, far], "cancelled": [gone], "delivered": [done],
                    "dead": [dead], "retrying": [again], "firing": [hanging]}
        for state, ids in by_state.items():
            with self.subTest(state):
                listed = self.d.list_all(f"&state={state}")
                self.assertEqual([timer["id"] for timer in listed], ids)
                self.assertEqual({timer["state"] for timer in listed}, {state})
                self.assertEqual(self.d.count(f"?state={state}"), len(ids))
        self.assertEqual(self.d.count(), 7)
        middle = in_query(rfc3339(2000))
        soon = in_query(rfc3339(500))
        for query, ids in ((f"due_after={middle}", [far]),
                           (f"due_after={soon}&due_before={middle}", [near, gone]),
                           (f"due_after={soon}&due_before={middle}&state=pending", [near]),
                           ("due_before=1970-01-02T00:00:00Z", [])):
            with self.subTest(query):
                self.assertEqual([t["id"] for t in self.d.list_all("&" + query)], ids)
                self.assertEqual(self.d.count("?" + query), len(ids))

    def test_an_empty_store_lists_nothing(self):
        got = self.d.get("/timers")
        self.assertEqual((got.status, got.body, got.header("link")), (200, b"[]", None))
        self.assertEqual(self.d.get("/timers/count").body, b'{"count":0}')

    def test_counts_survive_a_kill(self):
        ids = [self.d.set(FAR, hours=1) for _ in range(20)]
        for timer in ids[:5]:
            self.d.request("DELETE", f"/timers/{timer}")
        self.d.restart()
        self.assertEqual((self.d.count(), self.d.count("?state=pending"),
                          self.d.count("?state=cancelled")), (20, 15, 5))


class Cancels(Case):
    def setUp(self):
        super().setUp()
        self.d = self.daemon().start()

    def test_a_pending_timer_is_cancelled_and_stays_known(self):
        timer = self.d.set(FAR, hours=1)
        for _ in range(2):
            got = self.d.request("DELETE", f"/timers/{timer}")
            self.assertEqual(got.status, 200)
            self.assertEqual(got.body, b'{"id":%d,"result":"cancelled"}' % timer)
        self.assertEqual(self.d.get(f"/timers/{timer}").body, b'{"id":%d,"time_left":0}' % timer)
        self.assertEqual(self.d.view(timer)["state"], "cancelled")
        self.d.restart()
        self.assertEqual(self.d.view(timer)["state"], "cancelled")
        self.assertEqual(self.d.request("DELETE", f"/timers/{timer}").status, 200)

    def test_a_retrying_timer_is_cancelled(self):
        timer = self.d.set(self.unused_url(), retry={"max_attempts": 5, "schedule": ["1h"]})
        self.d.wait_state(timer, "retrying")
        self.assertEqual(self.d.request("DELETE", f"/timers/{timer}").body,
                         b'{"id":%d,"result":"cancelled"}' % timer)

    def too_late(self, timer, result):
        got = self.d.request("DELETE", f"/timers/{timer}")
        self.assertEqual(got.status, 409)
        self.assertEqual(got.header("content-type"), "application/problem+json")
        self.assertEqual((got.json()["id"], got.json()["result"]), (timer, result))
        self.assertEqual(got.json()["status"], 409)

    def test_too_late_says_why(self):
        r = self.receiver(lambda got: Answer(500 if got.target.startswith("/dead") else 200,
                                             hang=got.target.startswith("/hang")))
        firing = self.d.set(r.url("/hang"), timeout="60s")
        fired = self.d.set(r.url("/ok"))
        dead = self.d.set(r.url("/dead"), retry={"max_attempts": 1, "schedule": ["1s"]})
        self.d.wait_state(firing, "firing")
        self.too_late(firing, "already_firing")
        self.d.wait_state(fired, "delivered")
        self.too_late(fired, "fired")
        self.d.wait_state(dead, "dead")
        self.too_late(dead, "dead")
        self.assertEqual(self.d.get(f"/timers/{fired}").body, b'{"id":%d,"time_left":0}' % fired)
        self.d.restart()
        self.too_late(fired, "fired")
        self.too_late(dead, "dead")

    def test_a_cancelled_timer_never_fires(self):
        r = self.receiver()
        ids = [self.d.set(r.url(), delay=f"{500 + n * 5}ms") for n in range(50)]
        cancelled = {timer for timer in reversed(ids[::2])
                     if self.d.request("DELETE", f"/timers/{timer}").status == 200}
        self.assertTrue(cancelled)
        for timer in set(ids) - cancelled:
            self.d.wait_state(timer, "delivered")
        self.assertEqual({got.id for got in r.snapshot()}, set(ids) - cancelled)

    def test_delete_all_leaves_nothing_and_ids_go_on(self):
        r = self.receiver()
        ids = [self.d.set(r.url(), delay="1500ms") for _ in range(20)] + [self.d.set(FAR, hours=1)]
        got = self.d.request("DELETE", "/timers")
        self.assertEqual((got.status, got.body), (200, b"{}"))
        for timer in ids:
            self.assertEqual(self.d.get(f"/timers/{timer}").status, 404)
            self.assertEqual(self.d.request("DELETE", f"/timers/{timer}").status, 404)
        self.assertEqual((self.d.count(), self.d.get("/timers").body), (0, b"[]"))
        last = self.d.set(r.url(), delay="1600ms")
        self.assertEqual(last, ids[-1] + 1)
        self.d.wait_state(last, "delivered")
        self.assertEqual([got.id for got in r.snapshot()], [last])
        self.d.restart()
        self.assertEqual([t["id"] for t in self.d.list_all()], [last])


class Idempotency(Case):
    def setUp(self):
        super().setUp()
        self.d = self.daemon().start()

    def post(self, key, body):
        return self.d.request("POST", "/timers", body, [("Idempotency-Key", key)])

    def test_a_repeat_gets_the_first_answer_and_another_body_422(self):
        body = {"hours": 1, "url": FAR}
        first = self.post("k-1", body)
        self.assertEqual(first.status, 201)
        for key in ("k-1", '"k-1"'):
            again = self.post(key, body)
            self.assertEqual((again.status, again.body, again.header("location")),
                             (201, first.body, first.header("location")))
        self.assertEqual(self.post("k-1", {"hours": 2, "url": FAR}).status, 422)
        self.assertNotEqual(self.post("k-2", body).body, first.body)
        self.assertEqual(self.d.count(), 2)
        for restart in (self.d.restart, lambda: (self.d.end(15), self.d.start())):
            restart()
            self.assertEqual(self.post("k-1", body).body, first.body)
            self.assertEqual(self.post("k-1", {"hours": 2, "url": FAR}).status, 422)
        self.assertEqual(self.d.count(), 2)

    def test_a_repeat_after_the_timer_fired_gets_the_first_answer(self):
        r = self.receiver()
        body = {"seconds": 0, "url": r.url()}
        first = self.post("fired", body)
        self.d.wait_state(first.json()["id"], "delivered")
        self.assertEqual(self.post("fired", body).body, first.body)
        self.assertEqual(len(r.snapshot()), 1)

    def test_two_at_once_make_one_timer(self):
        body = {"hours": 1, "url": FAR}
        with self.d.client() as client:
            client.send(client.encode("POST", "/timers", body, [("Idempotency-Key", "x")]) * 8)
            got = [client.response() for _ in range(8)]
        self.assertEqual(got[0].status, 201)
        for answer in got[1:]:
            self.assertIn(answer.status, (201, 409))
            if answer.status == 201:
                self.assertEqual(answer.body, got[0].body)
            else:
                self.assertEqual(answer.json()["type"], "/problems/idempotency-in-progress")
        self.assertEqual(self.d.count(), 1)

    def test_keys_that_are_none_are_refused(self):
        for headers in ([("Idempotency-Key", "")], [("Idempotency-Key", '""')],
                        [("Idempotency-Key", "k" * 256)],
                        [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]):
            with self.subTest(headers):
                got = self.d.request("POST", "/timers", {"hours": 1, "url": FAR}, headers)
                self.assertEqual(got.status, 400)
        self.assertEqual(self.d.count(), 0)
        self.assertEqual(self.post("k" * 255, {"hours": 1, "url": FAR}).status, 201)


class Protocol(SharedCase):
    config = """
auth: {mode: none}
delivery: {targets: {allow: [public, loopback]}}
http: {cors_origins: ["https://page.example"]}
"""

    def test_pipelined_answers_keep_the_order_of_the_requests(self):
        with self.d.client() as client:
            raw, wanted = b"", []
            for n in range(200):
                request, status = ((("POST", "/timers", {"hours": 1, "url": FAR}), 201),
                                   (("GET", "/health"), 200), (("GET", "/timers/count"), 200),
                                   (("DELETE", "/timers/999999"), 404))[n % 4]
                raw += client.encode(*request, headers=[("X-Request-Id", f"r{n}")])
                wanted.append((f"r{n}", status))
            client.send(raw)
            got = [client.response() for _ in wanted]
        self.assertEqual([(a.header("x-request-id"), a.status) for a in got], wanted)

    def test_a_pipelined_read_sees_the_change_in_front_of_it(self):
        far = {"hours": 1, "url": FAR}
        requests = (("POST", "/timers", far), ("GET", "/timers/count"), ("DELETE", "/timers"),
                    ("GET", "/timers/count"), ("POST", "/timers", far), ("GET", "/timers/count"),
                    ("POST", "/api/stopwatch", {"name": "w"}), ("GET", "/api/stopwatch/w"),
                    ("DELETE", "/api/stopwatch/w"), ("GET", "/api/stopwatch/w"))
        for _ in range(20):
            with self.d.client() as client:
                client.send(b"".join(client.encode(*request) for request in requests))
                got = [client.response() for _ in requests]
            self.assertGreaterEqual(got[1].json()["count"], 1)
            self.assertEqual([got[n].json()["count"] for n in (3, 5)], [0, 1])
            self.assertEqual([got[n].status for n in (6, 7, 8, 9)], [201, 200, 204, 403])

    def test_a_request_in_single_bytes_is_the_same_request(self):
        with self.d.client() as client:
            for byte in client.encode("POST", "/timers", {"hours": 1, "url": FAR}):
                client.send(bytes([byte]))
            self.assertEqual(client.response().status, 201)
            self.assertEqual(client.request("GET", "/health").status, 200)

    def test_every_answer_carries_a_request_id(self):
        mine = self.d.get("/health", [("X-Request-Id", "abc-1.2_3")])
        self.assertEqual(mine.header("x-request-id"), "abc-1.2_3")
        for bad in ("a b", "x" * 200):
            got = self.d.get("/health", [("X-Request-Id", bad)])
            self.assertNotIn(got.header("x-request-id"), (None, "", bad))
        seen = {self.d.get(path).header("x-request-id") for path in ("/health", "/nope", "/timers")}
        self.assertEqual(len(seen - {None}), 3)
        with self.d.client() as client:
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            self.assertTrue(client.response().header("x-request-id"))

    def test_expect_100_continue_is_answered_before_the_body(self):
        body = json.dumps({"hours": 1, "url": FAR}).encode()
        with self.d.client() as client:
            raw = client.encode("POST", "/timers", body, [("Expect", "100-continue")])
            client.send(raw[:-len(body)])
            self.assertEqual(client.response().status, 100)
            client.send(body)
            self.assertEqual(client.response().status, 201)
            client.send(raw)  # a client may also not wait
            status = client.response().status
            self.assertIn(status, (100, 201))
            if status == 100:
                self.assertEqual(client.response().status, 201)
        with self.d.client() as client:
            client.send(b"POST /timers HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                        b"Content-Type: application/json\r\nContent-Length: 300000\r\n\r\n")
            self.assertEqual(client.response().status, 413)

    def test_a_chunked_body_is_read(self):
        with self.d.client() as client:
            body = json.dumps({"hours": 1, "url": FAR}).encode()
            client.send(b"POST /timers HTTP/1.1\r\nHost: localhost\r\n"
                        b"Transfer-Encoding: chunked\r\n"
                        b"Content-Type: application/json; charset=utf-8\r\n\r\n")
            for byte in body:
                client.send(b"1\r\n" + bytes([byte]) + b"\r\n")
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.response().status, 201)

    def test_keep_alive_and_close(self):
        with self.d.client() as client:
            for _ in range(3):
                self.assertEqual(client.request("GET", "/health").status, 200)
            got = client.request("GET", "/health", headers=[("Connection", "close")])
            self.assertEqual((got.status, got.header("connection")), (200, "close"))
            self.assertTrue(client.is_closed())
        with self.d.client() as client:
            client.send(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            self.assertEqual(client.response().status, 200)
            self.assertTrue(client.is_closed())

    def test_a_half_closed_client_still_gets_its_answers(self):
        with self.d.client() as client:
            client.send(client.encode("POST", "/timers", {"hours": 1, "url": FAR}) * 5)
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual([client.response().status for _ in range(5)], [201] * 5)
            self.assertTrue(client.is_closed())

    def test_only_local_hosts_are_served(self):
        for host, status in (("evil.example", 421), ("evil.example:8080", 421), ("localhost", 200),
                             ("LOCALHOST:1", 200), ("127.0.0.1", 200), ("[::1]:8080", 200),
                             ("10.1.2.3", 200), ("localhost.evil.example", 421),
                             ("127.0.0.1.evil.example", 421)):
            with self.subTest(host), self.d.client() as client:
                client.host = host
                self.assertEqual(client.request("GET", "/timers/count").status, status)
                self.assertEqual(client.request("GET", "/health").status, 200)
                self.assertEqual(client.request("GET", "/ready").status, 200)
                before = self.d.count()
                client.request("POST", "/timers", {"hours": 1, "url": FAR})
                self.assertEqual(self.d.count() - before, 1 if status == 200 else 0)

    def test_a_wrong_method_is_405_with_allow_and_an_unknown_path_404(self):
        for method, target, allowed in (("PUT", "/timers", {"GET", "POST", "DELETE"}),
                                        ("POST", "/timers/1", {"GET", "DELETE"}),
                                        ("DELETE", "/timers/count", {"GET"}),
                                        ("POST", "/health", {"GET"}), ("POST", "/ready", {"GET"})):
            with self.subTest(f"{method} {target}"):
                got = self.d.request(method, target)
                self.assertEqual(got.status, 405)
                allow = {word.strip() for word in got.header("allow").split(",")}
                self.assertEqual(allow - {"HEAD", "OPTIONS"}, allowed)
        for target in ("/nope", "/timers/1/fire", "/timers/1/x", "/timers/", "/api/stopwatch/",
                       "/api/stopwatch/a/b", "/Timers", "//timers", "/users/", "/metrics2"):
            for method in ("GET", "POST"):
                with self.subTest(f"{method} {target}"):
                    got = self.d.request(method, target)
                    self.assertEqual(got.status, 404)
                    self.assertEqual(got.header("content-type"), "application/problem+json")

    def test_cors_preflight_is_answered_for_the_configured_origin_only(self):
        def preflight(origin):
            return self.d.request("OPTIONS", "/timers", headers=[
                ("Origin", origin), ("Access-Control-Request-Method", "POST")])
        yes = preflight("https://page.example")
        self.assertEqual(yes.status, 204)
        self.assertEqual(yes.header("access-control-allow-origin"), "https://page.example")
        self.assertIn("POST", yes.header("access-control-allow-methods"))
        no = preflight("https://other.example")
        self.assertIsNone(no.header("access-control-allow-origin"))
        got = self.d.get("/health", [("Origin", "https://page.example")])
        self.assertEqual(got.header("access-control-allow-origin"), "https://page.example")


class UnixSocket(Case):
    def test_a_unix_socket_is_served_with_any_host(self):
        path = str(self.root / "s")
        d = self.daemon(listen=f"unix:{path}").start()
        with Client(path) as client:
            client.host = "anything.example"
            self.assertEqual(client.request("POST", "/timers", {"hours": 1, "url": FAR}).body,
                             b'{"id":1}')
        d.restart()  # over the socket file that the killed one left
        with Client(path) as client:
            self.assertEqual(client.request("GET", "/timers/count").body, b'{"count":1}')


if __name__ == "__main__":
    main()
