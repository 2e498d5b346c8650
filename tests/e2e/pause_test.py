"""POST /targets/pause and /targets/resume: what is paused is held and not given up, the rest goes
on, and the switches survive the process.
"""

import json
import signal
import time

from harness import Answer, Case, SharedCase, free_port, main, poll

COUNT = 30
CONFIG = "delivery: {targets: {allow: [loopback]}}\n"
ONE_FAILURE_OPENS = """
delivery: {targets: {allow: [loopback]}, breaker: {failures: 1, probe_min: 1h, probe_max: 1h}}
"""
PAUSED_MAX = 1000


class PauseCase(Case):
    def held(self, d, url, count=COUNT):
        """Waits until so many due timers wait for the target."""
        def waits():
            target = d.target(url)
            return target if target and target["staged"] == count else None
        target = poll(waits, f"{count} timers wait for {url}")
        self.assertEqual((target["paused"], target["in_flight"]), (True, 0))
        return target

    def assert_came_once(self, receiver, ids):
        receiver.wait(len(ids))
        receiver.drain()
        self.assertEqual(sorted(got.id for got in receiver.snapshot()), sorted(ids))

    def wait_past(self, timer, d):
        poll(lambda: d.get(f"/timers/{timer}").json()["time_left"] == 0, f"{timer} is due")


class OneTarget(PauseCase):
    def test_it_is_held_over_restarts_and_the_others_are_not(self):
        paused, other = self.receiver(), self.receiver()
        d = self.daemon(config=CONFIG).start()
        d.pause(paused.url())
        ids = [d.set(paused.url()) for _ in range(COUNT)]
        ids.append(d.set(paused.url(), hours=1))
        for end in (None, signal.SIGTERM, signal.SIGKILL):
            if end:
                d.end(end)
                d.start()
            self.held(d, paused.url())
            d.wait_state(d.set(other.url()), "delivered")
            self.assertFalse(d.target(other.url())["paused"])
            self.assertFalse(d.get("/targets").json()["paused"])
            self.assertEqual(paused.connections, 0)
        view = d.view(ids[0])
        self.assertEqual((view["state"], view["attempts"]), ("pending", []))
        d.resume(paused.url())
        self.assert_came_once(paused, ids[:-1])
        self.assertFalse(d.target(paused.url())["paused"])
        d.restart()
        d.wait_state(d.set(paused.url()), "delivered")

    def test_it_may_be_paused_before_its_first_timer(self):
        r = self.receiver()
        d = self.daemon(config=CONFIG).start()
        self.assertIsNone(d.target(r.url()))
        d.pause(r.url())
        d.pause(r.url())  # changes nothing
        for _ in range(2):
            target = d.target(r.url())
            self.assertEqual((target["paused"], target["state"], target["staged"],
                              target["parked"]), (True, "closed", 0, False))
            d.restart()
        timer = d.set(r.url())
        self.held(d, r.url(), 1)
        d.resume(r.url())
        d.wait_state(timer, "delivered")
        d.resume(r.url())
        d.resume(f"http://127.0.0.1:{free_port()}")
        self.assertEqual([t["name"] for t in d.get("/targets").json()["targets"] if t["paused"]],
                         [])

    def test_what_is_under_way_goes_on(self):
        answers = {"hold": Answer(delay_s=1)}
        r = self.receiver(lambda got: answers.get(got.target.split("/")[1], Answer()))
        d = self.daemon(config=CONFIG).start()
        timer = d.set(r.url("/hold"))
        r.wait(1)
        d.pause(r.url())
        late = d.set(r.url("/late"))
        d.wait_state(timer, "delivered")
        self.held(d, r.url(), 1)
        self.assertEqual(len(r.snapshot()), 1)
        d.resume(r.url())
        d.wait_state(late, "delivered")

    def test_a_failed_attempt_is_not_repeated_while_it_is_paused(self):
        r = self.receiver(lambda got: Answer(503, delay_s=0.5))
        d = self.daemon(config=CONFIG).start()
        timer = d.set(r.url(), retry={"max_attempts": 50, "schedule": ["10ms"], "jitter": 0})
        r.wait(1)
        d.pause(r.url())
        self.held(d, r.url(), 1)
        before = len(r.snapshot())
        self.assertEqual(len(d.view(timer)["attempts"]), before)
        d.restart()
        self.held(d, r.url(), 1)
        self.assertEqual(len(r.snapshot()), before)
        d.resume(r.url())
        r.wait(before + 1)

    def test_a_name_is_paused_as_its_timers_have_it(self):
        d = self.daemon(config=CONFIG).start()
        for given, name in (("HTTP://Example.COM:80", "http://example.com"),
                            ("https://example.com:443/", "https://example.com"),
                            ("http://127.1:8080", "http://127.0.0.1:8080"),
                            ("http://[::0001]:81", "http://[::1]:81")):
            answer = d.request("POST", "/targets/pause", {"target": given})
            self.assertEqual((answer.status, answer.json()),
                             (200, {"target": name, "paused": True}), answer.body)
            self.assertTrue(d.target(name)["paused"])

    def test_what_waits_can_be_cancelled(self):
        r = self.receiver()
        d = self.daemon(config=CONFIG).start()
        d.pause(r.url())
        ids = [d.set(r.url()) for _ in range(COUNT)]
        self.held(d, r.url())
        for timer in ids[::2]:
            answer = d.request("DELETE", f"/timers/{timer}")
            self.assertEqual((answer.status, answer.json()["result"]), (200, "cancelled"))
        self.held(d, r.url(), COUNT // 2)
        d.resume(r.url())
        self.assert_came_once(r, ids[1::2])
        self.assertEqual(d.count("?state=cancelled"), COUNT // 2)

    def test_all_that_waits_can_be_cancelled(self):
        r = self.receiver()
        d = self.daemon(config=CONFIG).start()
        d.pause(r.url())
        ids = [d.set(r.url()) for _ in range(COUNT)]
        self.held(d, r.url())
        self.assertEqual(d.request("DELETE", "/timers").status, 200)
        self.held(d, r.url(), 0)
        d.resume(r.url())
        last = d.set(r.url())
        self.assert_came_once(r, [last])
        self.assertNotIn(last, ids)


class Everything(PauseCase):
    def test_all_are_held_over_restarts_and_what_is_set_is_kept(self):
        receivers = [self.receiver(), self.receiver()]
        d = self.daemon(config=CONFIG).start()
        d.pause()
        ids = {r: [] for r in receivers}
        for end in (None, signal.SIGTERM, signal.SIGKILL):
            if end:
                d.end(end)
                d.start()
            self.assertTrue(d.get("/targets").json()["paused"])
            for r in receivers:
                ids[r] += [d.set(r.url()) for _ in range(COUNT)]
                ids[r].append(d.set(r.url(), delay="100ms"))
                self.wait_past(ids[r][-1], d)
            self.assertEqual([r.connections for r in receivers], [0, 0])
        cancelled = ids[receivers[0]].pop()
        self.assertEqual(d.request("DELETE", f"/timers/{cancelled}").json()["result"],
                         "cancelled")
        d.resume()
        self.assertFalse(d.get("/targets").json()["paused"])
        for r in receivers:
            self.assert_came_once(r, ids[r])

    def test_the_two_switches_are_independent(self):
        one, other = self.receiver(), self.receiver()
        d = self.daemon(config=CONFIG).start()
        d.pause(one.url())
        d.pause()
        d.resume(one.url())
        d.pause(other.url())
        ids = [d.set(r.url()) for r in (one, other)]
        self.wait_past(d.set(one.url(), delay="100ms"), d)
        self.assertTrue(d.get("/targets").json()["paused"])
        self.assertEqual((one.connections, other.connections), (0, 0))
        d.resume()
        d.wait_state(ids[0], "delivered")
        self.held(d, other.url(), 1)
        self.assertEqual(other.connections, 0)
        d.resume(other.url())
        d.wait_state(ids[1], "delivered")


class NothingIsGivenUp(PauseCase):
    def test_no_attempt_is_charged_for_the_wait(self):
        """Not for an open target either, though timers that wait for one are charged."""
        url = f"http://127.0.0.1:{free_port()}/hook"
        d = self.daemon(config=ONE_FAILURE_OPENS).start()
        first = d.set(url, retry={"max_attempts": 2, "schedule": ["1h"]})
        d.wait_state(first, "retrying")
        self.assertEqual(d.target(url)["state"], "open")
        d.pause(url)
        retry = {"max_attempts": 3, "schedule": ["1s"], "jitter": 0}
        waiting = [d.set(url, retry=retry) for _ in range(COUNT)]
        other = self.unused_url()
        d.wait_state(d.set(other, retry={"max_attempts": 1}), "dead")
        charged = d.set(other, retry=retry)
        # It waits for a target that is open and not paused, as long and after them.
        view = d.wait_state(charged, "dead", timeout_s=60)
        self.assertEqual([a["error"] for a in view["attempts"]], ["circuit open"] * 3)
        self.held(d, url)
        for timer in waiting:
            view = d.view(timer)
            self.assertEqual((view["state"], view["attempts"]), ("pending", []))
        d.resume(url)
        view = d.wait_state(waiting[0], "dead", timeout_s=60)
        self.assertEqual({a["error"] for a in view["attempts"]}, {"circuit open"})

    def test_what_is_too_late_ends_without_an_attempt_when_it_is_resumed(self):
        r = self.receiver()
        d = self.daemon(config=CONFIG).start()
        d.pause(r.url())
        kept = d.set(r.url(), max_lateness="1ms", on_late="deadletter")
        dropped = d.set(r.url(), max_lateness="1ms", on_late="drop")
        fired = d.set(r.url(), max_lateness="1ms", on_late="fire")
        in_time = d.set(r.url(), max_lateness="1h", on_late="drop")
        self.held(d, r.url(), 4)
        begun = time.time()
        poll(lambda: time.time() > begun + 0.1, "it is too late")
        for timer in (kept, dropped):
            self.assertEqual(d.view(timer)["state"], "pending")
        d.resume(r.url())
        for timer, state in ((kept, "dead"), (dropped, "cancelled")):
            view = d.wait_state(timer, state)
            self.assertEqual((view["reason"], view["attempts"]), ("expired", []))
        self.assert_came_once(r, [fired, in_time])


class Asked(SharedCase):
    def problem(self, answer, status, type_):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(answer.header("content-type"), "application/problem+json")
        self.assertEqual(answer.json()["type"], "/problems/" + type_)
        return answer.json()

    def check_nothing_paused(self):
        page = self.d.get("/targets").json()
        self.assertFalse(page["paused"])
        self.assertEqual([t["name"] for t in page["targets"] if t["paused"]], [])

    def test_what_is_wrong_is_named_and_changes_nothing(self):
        fine = "http://example.com"
        for body, pointer in (
                (None, ""), ({}, ""), ({"target": fine, "all": True}, ""),
                ({"all": False}, "/all"), ({"all": 1}, "/all"), ({"all": None}, "/all"),
                ({"all": "true"}, "/all"), ({"target": None}, "/target"),
                ({"target": 5}, "/target"), ({"target": [fine]}, "/target"),
                ({"target": ""}, "/target"), ({"target": "example.com"}, "/target"),
                ({"target": "ftp://example.com"}, "/target"),
                ({"target": "file:///etc/passwd"}, "/target"),
                ({"target": "//example.com"}, "/target"), ({"target": "http://"}, "/target"),
                ({"target": "http://example.com:0"}, "/target"),
                ({"target": "http://example.com:65536"}, "/target"),
                ({"target": "http://u:p@example.com"}, "/target"),
                ({"target": fine + "/path"}, "/target"), ({"target": fine + "//"}, "/target"),
                ({"target": fine + "?q=1"}, "/target"), ({"target": " " + fine}, "/target"),
                ({"target": "http://exa mple.com"}, "/target"),
                ({"target": "http://" + "a" * 9000 + ".com"}, "/target"),
                ({"target": fine, "name": 1}, "/name"), ({"targets": [fine]}, "/targets"),
                ({"target": fine, "paused": True}, "/paused")):
            for path in ("/targets/pause", "/targets/resume"):
                with self.subTest(body, path=path):
                    answer = self.d.request("POST", path, body)
                    self.assertEqual(answer.status, 400, answer.body)
                    pointers = [e["pointer"] for e in answer.json()["errors"]]
                    self.assertEqual(pointers, [pointer])
        for body in (b"{", b"[]", b"1", b"null", b'"http://example.com"',
                     b'{"all":true,"all":true}', b'{"all":true}{}', b'{"target":"\xff"}'):
            for path in ("/targets/pause", "/targets/resume"):
                with self.subTest(body, path=path):
                    self.assertEqual(self.d.request("POST", path, body).status, 400)
        self.check_nothing_paused()

    def test_other_methods_and_kinds_of_bodies_are_refused(self):
        for path in ("/targets/pause", "/targets/resume"):
            for method in ("GET", "PUT", "DELETE", "PATCH"):
                answer = self.d.request(method, path)
                self.problem(answer, 405, "method-not-allowed")
                self.assertIn("POST", answer.header("allow"))
            for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
                answer = self.d.request("POST", path, json.dumps({"all": True}).encode(),
                                        [("Content-Type", kind)])
                self.problem(answer, 415, "unsupported-media-type")
        for path in ("/targets", "/targets/"):
            self.assertIn(self.d.request("POST", path, {"all": True}).status, (404, 405))
        self.assertEqual(self.d.request("POST", "/targets/stop", {"all": True}).status, 404)
        self.problem(self.d.request("POST", "/targets/pause?all=true"), 400, "invalid-query")
        self.check_nothing_paused()

    def test_more_names_than_can_be_kept_are_refused(self):
        urls = [f"http://127.0.0.1:{port}" for port in range(10_000, 10_000 + PAUSED_MAX)]
        for url in urls:
            self.d.pause(url)
        last = "http://127.0.0.1:9"
        for _ in range(2):
            self.problem(self.d.request("POST", "/targets/pause", {"target": last}), 409,
                         "too-many-paused")
            self.d.pause(urls[0])  # it is already
            self.d.restart()
        self.assertEqual(sum(t["paused"] for t in self.d.get("/targets?limit=1000").json()
                             ["targets"]), PAUSED_MAX)
        self.d.resume(urls[-1])
        self.d.pause(last)
        for url in urls[:-1] + [last]:
            self.d.resume(url)
        self.d.restart()
        self.check_nothing_paused()


if __name__ == "__main__":
    main()
