"""A clock that is wrong at start: nothing fires until a person says that it is right."""

import subprocess
import time

from harness import TOOLS, Case, main, poll

DAY_S = 86400
FAR = "http://127.0.0.1:9/"


class WrongClock(Case):
    def prepare(self, ahead_s):
        """A store with an overdue timer that last saw the clock `ahead_s` after now."""
        d = self.daemon().start()
        timer = d.set(self.r.url(), delay="1s")
        far = d.set(FAR, hours=1)
        self.stream = d.request("POST", "/users/ann/streams").json()["streamId"]
        overdue = time.time() + 1.1
        d.end(15)
        self.mark(d, ahead_s)
        poll(lambda: time.time() > overdue, "the timer is overdue")
        return d, timer, far

    def mark(self, d, ahead_s, *stopwatch):
        subprocess.run([TOOLS["mark_clock"], str(d.data), str(int((time.time() + ahead_s) * 1000)),
                        *stopwatch], check=True)

    def setUp(self):
        super().setUp()
        self.r = self.receiver()

    def fires_nothing(self, d, timer, far):
        ready = d.get("/ready")
        self.assertEqual(ready.status, 503)
        self.assertEqual(ready.header("content-type"), "application/problem+json")
        self.assertIn("clock", ready.json()["detail"])
        self.assertIn("clock", d.log())
        self.assertEqual(d.get("/health").status, 200)
        self.assertEqual(d.view(timer)["state"], "pending")
        self.assertEqual(d.request("DELETE", f"/timers/{far}").status, 200)
        new = d.request("POST", "/timers", {"seconds": 0, "url": self.r.url()})
        self.assertIn(new.status, (201, 503))
        if new.status == 201:  # durable, but held back like all others
            self.assertEqual(d.view(new.json()["id"])["state"], "pending")
        # A second is many turns of the loop.
        time.sleep(1.2)
        self.assertEqual(self.r.snapshot(), [])
        return [timer] + ([new.json()["id"]] if new.status == 201 else [])

    def test_a_clock_set_a_year_back(self):
        self.check(365 * DAY_S)

    def test_a_clock_two_years_ahead(self):
        self.check(-730 * DAY_S)

    def check(self, ahead_s):
        d, timer, far = self.prepare(ahead_s)
        d.start()
        held = self.fires_nothing(d, timer, far)
        d.restart()  # starting again is no acceptance
        self.assertEqual(d.get("/ready").status, 503)
        for got in (d.get("/api/stopwatch"), d.request("POST", "/api/stopwatch", {"name": "tea"})):
            self.assertEqual((got.status, got.json()["type"]), (503, "/problems/not-ready"))
            self.assertEqual(got.header("retry-after"), "1")
        self.starts_no_stream(d)
        self.assertEqual(self.r.snapshot(), [])
        d.kill()
        d.start(["--accept-clock"])
        self.assertEqual(d.get("/ready").status, 200)
        got = d.request("POST", "/api/stopwatch", {"name": "tea"})
        self.assertEqual((got.status, got.json()), (201, {"name": "tea", "elapsed": 0}))
        for timer in held:
            d.wait_state(timer, "delivered")
        self.assertEqual(sorted(got.id for got in self.r.snapshot()), held)
        d.kill()
        d.start()  # from then on the clock is known to be right
        self.assertEqual(d.get("/ready").status, 200)
        new = d.set(self.r.url())
        d.wait_state(new, "delivered")

    def starts_no_stream(self, d):
        """Nor is one renewed, whose expiry would be as wrong; but any can be ended."""
        alive = f"/users/ann/streams/{self.stream}"
        for got in (d.request("POST", "/users/ann/streams"), d.request("PUT", alive)):
            self.assertEqual((got.status, got.json()["type"]), (503, "/problems/not-ready"))
            self.assertEqual(got.header("retry-after"), "1")
        self.assertEqual(d.request("DELETE", alive).status, 204)
        self.assertEqual(d.get("/users/ann/streams").json()["count"], 0)

    def test_small_steps_are_no_reason(self):
        for ahead_s in (0.9 * DAY_S, -399 * DAY_S):
            d, timer, _ = self.prepare(ahead_s)
            d.start()
            self.assertEqual(d.get("/ready").status, 200)
            d.wait_state(timer, "delivered")
            d.close()

    def test_a_stopwatch_that_was_started_later_than_now_stands_at_zero(self):
        d = self.daemon().start()
        d.end(15)
        self.mark(d, 3600, "tea")
        d.start()
        for target in ("/api/stopwatch", "/api/stopwatch/tea"):
            self.assertEqual(list(d.get(target).json().values()), [0])
        self.assertEqual(d.request("POST", "/api/stopwatch", {"name": "tea"}).status, 200)
        poll(lambda: d.get("/api/stopwatch").json()["tea"] > 0, "it counts again")


if __name__ == "__main__":
    main("mark_clock")
