"""SIGTERM and SIGINT: in order, in time, and without a duplicate; what systemd is told."""

import os
import select
import signal
import threading
import time

from harness import Answer, Case, Client, Closed, NoNote, main, poll, show

LOCAL = "delivery: {targets: {allow: [loopback]}}\n"
FAR = "http://127.0.0.1:9/"


class Stop(Case):
    def test_an_idle_daemon_stops_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            d = self.daemon(f"d{number}").start()
            timer = d.set(FAR, hours=1)
            self.assertEqual(d.end(number), 0)
            d.start()
            self.assertEqual(d.view(timer)["state"], "pending")

    def test_under_load_nothing_is_lost_and_nothing_sent_twice(self):
        r = self.receiver(lambda got: Answer(delay_s=0.1))
        d = self.daemon(config=LOCAL).start()
        acknowledged, strange, last_headers = [], [], []

        def load(number):
            try:
                with Client(("127.0.0.1", d.port)) as client:
                    for n in range(10_000):
                        body = {"delay": f"{n % 5 * 20}ms", "url": r.url(f"/{number}-{n}")}
                        answer = client.request("POST", "/timers", body)
                        if answer.status == 201:
                            acknowledged.append(answer.json()["id"])
                        elif answer.status != 503:
                            strange.append(answer)
                        if answer.header("connection") == "close":
                            last_headers.append(answer.status)
                            return
            except (OSError, Closed):
                pass  # a set that was not answered may be stored or not

        threads = [threading.Thread(target=load, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        r.wait(300)
        start = time.monotonic()
        d.signal(signal.SIGTERM)
        d.wait_note("STOPPING=1")
        self.assertEqual(d.wait(), 0)
        show(f"stopped in {(time.monotonic() - start) * 1000:.0f} ms with "
             f"{len(acknowledged)} timers acknowledged")
        for thread in threads:
            thread.join(30)
        self.assertEqual(strange, [])
        self.assertTrue(last_headers, "no client was told Connection: close")
        d.start()
        poll(lambda: d.count("?state=pending") + d.count("?state=firing") == 0, "all fired", 60,
             every_s=0.05)
        ids = [got.id for got in r.snapshot()]
        self.assertEqual(len(ids), len(set(ids)), "sent twice")
        self.assertEqual(sorted(ids), sorted(timer["id"] for timer in d.list_all()))
        self.assertLessEqual(set(acknowledged), set(ids))
        self.assertEqual(d.count("?state=delivered"), len(ids))

    def test_open_connections_are_served_and_new_ones_are_not(self):
        r = self.receiver(lambda got: Answer(delay_s=1))
        d = self.daemon(config=LOCAL).start()
        with d.client() as client:
            self.assertEqual(client.request("GET", "/health").status, 200)
            slow = d.set(r.url())
            waiting = d.set(r.url(), delay="500ms")
            r.wait(1)
            d.forget_client()
            d.signal(signal.SIGTERM)
            d.wait_note("STOPPING=1")
            poll(lambda: self.refused(d.port), "the listener is closed")
            answer = client.request("GET", f"/timers/{slow}?view=full")
            self.assertEqual((answer.status, answer.header("connection")), (200, "close"))
            self.assertTrue(client.is_closed())
        self.assertEqual(d.wait(), 0)
        self.assertEqual([got.id for got in r.snapshot()], [slow])  # what fell due was not started
        d.start()
        d.wait_state(waiting, "delivered")
        self.assertEqual(d.view(slow)["state"], "delivered")
        self.assertEqual([got.id for got in r.snapshot()], [slow, waiting])

    def refused(self, port):
        try:
            Client(("127.0.0.1", port)).close()
            return False
        except ConnectionRefusedError:
            return True

    def test_an_attempt_that_takes_too_long_is_cut_off_and_not_charged(self):
        first = []
        r = self.receiver(lambda got: Answer(hang=not first and not first.append(1)))
        d = self.daemon(config=LOCAL + "shutdown_timeout: 300ms\n").start()
        timer = d.set(r.url(), timeout="60s")
        r.wait(1)
        self.assertEqual(d.end(signal.SIGTERM), 0)
        d.start()
        view = d.wait_state(timer, "delivered")
        self.assertEqual([a["error"] for a in view["attempts"]], ["interrupted", None])
        self.assertEqual([got.header("webhook-attempt") for got in r.snapshot()], ["1", "1"])

    def test_a_hang_up_ends_nothing(self):
        r = self.receiver()
        d = self.daemon(config=LOCAL).start()
        d.signal(signal.SIGHUP)
        poll(lambda: "event=reload" in d.log(), "it was heard")
        d.wait_state(d.set(r.url()), "delivered")
        self.assertEqual(d.end(signal.SIGTERM), 0)

    def test_a_hang_up_while_it_starts_ends_nothing_and_is_heard_then(self):
        config = self.root / "config"
        os.mkfifo(config)
        d = self.daemon(args=["--config", str(config)]).spawn()
        with open(config, "w", encoding="utf-8") as pipe:  # when it is there to read
            d.signal(signal.SIGHUP)
            pipe.write(LOCAL)
        d.wait_note("READY=1")
        poll(lambda: "event=reload" in d.log(), "it was heard")
        self.assertEqual(d.end(signal.SIGTERM), 0)

    def test_a_second_signal_ends_it_at_once(self):
        r = self.receiver(lambda got: Answer(hang=True))
        d = self.daemon(config=LOCAL + "shutdown_timeout: 10m\n").start()
        timer = d.set(r.url(), timeout="60s")
        r.wait(1)
        d.signal(signal.SIGTERM)
        d.wait_note("STOPPING=1")
        self.assertTrue(d.alive())
        start = time.monotonic()
        code = d.end(signal.SIGTERM, timeout_s=10)
        show(f"exit code {code} {(time.monotonic() - start) * 1000:.0f} ms after the second signal")
        d.start()
        self.assertIn(d.view(timer)["state"], ("pending", "firing"))

    def test_a_clean_stop_leaves_nothing_to_recover(self):
        d = self.daemon().start()
        ids = [d.set(FAR, hours=1) for _ in range(100)]
        for _ in range(3):
            self.assertEqual(d.end(signal.SIGTERM), 0)
            d.start()
            self.assertEqual([timer["id"] for timer in d.list_all()], ids)

    def test_a_receiver_or_client_that_goes_away_ends_nothing(self):
        d = self.daemon().start()
        for _ in range(50):
            client = d.client()
            client.send(client.encode("GET", "/timers") * 20)
            client.close()
        self.assertEqual(d.get("/health").status, 200)


class Systemd(Case):
    def test_the_watchdog_is_fed(self):
        d = self.daemon(env={"WATCHDOG_USEC": "200000"}).start()
        for _ in range(3):
            d.forget_notes()
            d.wait_note("WATCHDOG=1")
        self.assertEqual(d.end(signal.SIGTERM), 0)

    def test_the_watchdog_is_fed_while_nothing_may_fire(self):
        d = self.daemon(env={"WATCHDOG_USEC": "200000"}).start()
        d.pause()
        for _ in range(3):  # the first may be of before
            d.forget_notes()
            d.wait_note("WATCHDOG=1")
        d.restart()
        for _ in range(3):
            d.forget_notes()
            d.wait_note("WATCHDOG=1")

    def test_the_watchdog_is_not_fed_while_commits_stand_still(self):
        stuck_s = 8
        d = self.daemon(env={"WATCHDOG_USEC": "200000"}, wrap=[
            "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
            "-e", f"inject=fdatasync:delay_enter={stuck_s}000000:when=60"]).start()
        with d.client() as client:
            raw = client.encode("POST", "/timers", {"hours": 1, "url": FAR})
            client.send(raw)
            while select.select([client.socket], [], [], 2)[0]:  # until one waits for its sync
                self.assertEqual(client.response().status, 201)
                client.send(raw)
            self.notes_within(d, 2)  # of progress made before
            self.assertEqual(self.notes_within(d, stuck_s - 5), 0)
            self.assertEqual(d.get("/health").status, 200)
            poll(lambda: d.get("/ready").status == 503, "/ready says so")
            self.assertIn("stand still", d.get("/ready").body.decode())
            self.assertEqual(client.response().status, 201)
            poll(lambda: d.get("/ready").status == 200, "/ready again")
        d.wait_note("WATCHDOG=1")

    def notes_within(self, d, seconds):
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            d.forget_notes()
            try:
                d.wait_note("WATCHDOG=1", timeout_s=end - time.monotonic())
                count += 1
            except NoNote:
                break
        return count

    def test_ready_comes_when_the_listener_answers(self):
        d = self.daemon()
        for _ in range(5):
            d.start()
            self.assertEqual(d.get("/ready").status, 200)
            d.kill()


if __name__ == "__main__":
    main()
