"""Scarcity and bad company: few descriptors, slow clients, a log nobody reads, a rush of timers."""

import os
import select
import subprocess
import time

import harness
from harness import Answer, Case, Client, Closed, free_port, main, poll, show

LOCAL = "delivery: {targets: {allow: [loopback]}}\n"
FAR = "http://127.0.0.1:9/"


class FewDescriptors(Case):
    def test_deliveries_wait_for_descriptors_and_are_not_charged_for_them(self):
        r = self.receiver(lambda got: Answer(delay_s=0.05))
        d = self.daemon(config=LOCAL, wrap=["prlimit", "--nofile=200:200"]).start()
        ids = [d.set(r.url(f"/{n}"), delay="1s") for n in range(300)]
        poll(lambda: d.count("?state=delivered") == len(ids), "all delivered", 60, every_s=0.05)
        self.assertEqual(sorted(got.id for got in r.snapshot()), ids)
        self.assertEqual({got.header("webhook-attempt") for got in r.snapshot()}, {"1"})

    def test_more_clients_than_descriptors_harm_nobody(self):
        d = self.daemon(wrap=["prlimit", "--nofile=200:200"]).start()
        clients = []
        try:
            for _ in range(300):
                try:
                    clients.append(Client(("127.0.0.1", d.port), timeout_s=5))
                except OSError:
                    break
            for client in clients:
                client.send(client.encode("GET", "/health"))
            poll(lambda: select.select([c.socket for c in clients], [], [], 0)[0], "one is served")
            served = 0
            for client in clients:
                try:
                    client.socket.settimeout(0.01)
                    served += client.response().status == 200
                except (OSError, Closed):
                    pass
            show(f"{served} of {len(clients)} clients were served with 200 descriptors")
            self.assertGreater(served, 0)
        finally:
            for client in clients:
                client.close()
        poll(lambda: self.served(d), "new clients are served again")
        d.set(FAR, hours=1)
        self.assertEqual(d.restart().count(), 1)

    def test_idle_connections_to_many_targets_leave_descriptors_for_all_the_rest(self):
        r = self.receiver(host="0.0.0.0")
        d = self.daemon(config=LOCAL, wrap=["prlimit", "--nofile=200:200"]).start()
        ids = [d.set(f"http://127.0.{n // 250}.{n % 250 + 1}:{r.port}/") for n in range(400)]
        poll(lambda: d.count("?state=delivered") == len(ids), "all delivered", 60, every_s=0.05)
        self.assertEqual({got.header("webhook-attempt") for got in r.snapshot()}, {"1"})
        self.assertEqual(len(r.snapshot()), len(ids))
        used = len(os.listdir(f"/proc/{d.pid}/fd"))
        show(f"{used} of 200 descriptors in use after {r.connections} connections")
        self.assertLess(used, 100)
        self.assertTrue(self.served(d))

    def served(self, d):
        try:
            with d.client(timeout_s=2) as client:
                return client.request("GET", "/health").status == 200
        except (OSError, Closed):
            return False


    def test_far_too_few_are_refused_at_the_start(self):
        d = self.daemon(wrap=["prlimit", "--nofile=60:60"]).spawn()
        self.assertEqual(d.wait(), 78)
        self.assertIn("open files", d.log())


class BadClients(Case):
    TIMES = "http: {head_timeout: 300ms, body_timeout: 300ms, idle_timeout: 500ms}\n"

    def test_slow_ones_are_told_408_and_closed(self):
        d = self.daemon(config=self.TIMES).start()
        for raw in (b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ",
                    b"POST /timers HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"):
            with self.subTest(raw[:20]), d.client() as client:
                client.send(raw)
                self.assertEqual(client.response().status, 408)
                self.assertTrue(client.is_closed())
        with d.client() as client:  # idle: closed without a word
            self.assertEqual(client.request("GET", "/health").status, 200)
            self.assertTrue(client.is_closed())
        self.assertEqual(d.count(), 0)

    def test_one_byte_now_and_then_is_no_way_round(self):
        d = self.daemon(config=self.TIMES).start()
        head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
        post = (b"POST /timers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000\r\n\r\n")
        for name, at_once, slowly in (("head", b"", head + b"y" * 1000),
                                      ("body", post, b" " * 1000)):
            with self.subTest(name), d.client() as client:
                client.send(at_once)
                start = time.monotonic()
                try:
                    for byte in slowly:
                        client.send(bytes([byte]))
                        if select.select([client.socket], [], [], 0.02)[0]:  # the answer
                            break
                except OSError:
                    pass
                self.assertLess(time.monotonic() - start, 10)
                self.assertEqual(client.response().status, 408)
        self.assertEqual(d.count(), 0)

    def test_one_that_never_reads_does_not_hold_up_the_others(self):
        d = self.daemon().start()
        for n in range(300):
            d.set(FAR + "x" * 2000, hours=1)
        with d.client() as greedy:
            greedy.socket.setblocking(False)
            raw = greedy.encode("GET", "/timers?limit=1000") * 1000
            sent = 0
            try:
                while sent < len(raw):
                    sent += greedy.socket.send(raw[sent:])
            except BlockingIOError:
                pass
            for _ in range(50):
                self.assertEqual(d.get("/health").status, 200)
            memory_kb = int(next(line for line in open(f"/proc/{d.pid}/status", encoding="ascii")
                                 if line.startswith("VmRSS")).split()[1])
            show(f"{memory_kb // 1024} MiB resident with a client that never reads")
            self.assertLess(memory_kb, 400 * 1024)

    def test_a_thousand_connections(self):
        d = self.daemon().start()
        clients = [d.client() for _ in range(1000)]
        try:
            for client in clients:
                client.send(client.encode("POST", "/timers", {"hours": 1, "url": FAR}))
            self.assertEqual({client.response().status for client in clients}, {201})
            self.assertEqual(d.count(), 1000)
        finally:
            for client in clients:
                client.close()


class Rush(Case):
    def test_five_thousand_at_the_same_moment(self):
        r = self.receiver(lambda got: Answer(delay_s=0.005))
        d = self.daemon(config=LOCAL + "memory: {window: 256KiB}\n").start()
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
        with d.client() as client:
            raw = client.encode("POST", "/timers", {"at": at, "url": r.url()})
            for _ in range(100):
                client.send(raw * 50)
                self.assertEqual({client.response().status for _ in range(50)}, {201})
        start = r.wait(1)[0].mono
        slowest = 0
        while len(r.snapshot()) < 5000:  # the API answers meanwhile
            asked = time.monotonic()
            self.assertEqual(d.get("/timers/1").status, 200)
            slowest = max(slowest, time.monotonic() - asked)
            self.assertLess(time.monotonic() - start, 60)
        got = r.wait(5000)
        poll(lambda: d.count("?state=delivered") == 5000, "all settled")
        self.assertEqual(sorted(g.id for g in r.snapshot()), list(range(1, 5001)))
        show(f"5000 due at once were delivered in {got[-1].mono - start:.1f} s; the slowest GET "
             f"meanwhile took {slowest * 1000:.0f} ms")

    def test_a_target_that_hangs_does_not_hold_up_another(self):
        bad, good = self.receiver(lambda got: Answer(hang=True)), self.receiver()
        d = self.daemon(config="delivery: {targets: {allow: [loopback]}, max_in_flight: 50, "
                               "per_target_in_flight: 20}\n").start()
        with d.client() as client:
            client.send(client.encode("POST", "/timers", {
                "seconds": 0, "url": bad.url(), "timeout": "60s"}) * 60)
            self.assertEqual({client.response().status for _ in range(60)}, {201})
        bad.wait(20)
        ids = [d.set(good.url()) for _ in range(50)]
        for timer in ids:
            d.wait_state(timer, "delivered")
        self.assertEqual(len(bad.snapshot()), 20)


class Surroundings(Case):
    def test_a_log_that_nobody_reads_stops_nothing(self):
        reading, writing = os.pipe()
        os.set_blocking(writing, True)
        port = free_port()
        process = subprocess.Popen(
            [harness.BINARY, "serve", "--data", str(self.root / "data"), "--listen",
             f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stdout=writing, stderr=writing)
        self.addCleanup(lambda: (process.kill(), process.wait(), os.close(reading)))
        os.close(writing)

        def connect():
            try:
                return Client(("127.0.0.1", port))
            except OSError:
                return None
        with poll(connect, "it serves") as client:
            body = {"seconds": 0, "url": self.unused_url(), "retry": {"max_attempts": 1,
                                                                     "schedule": ["1s"]}}
            for _ in range(1500):  # each writes a line when it is dead: far more than a pipe holds
                self.assertEqual(client.request("POST", "/timers", body).status, 201)
            poll(lambda: client.request("GET", "/timers/count?state=dead").json()["count"] == 1500,
                 "all dead")
        process.terminate()
        self.assertEqual(process.wait(20), 0)

    def test_closed_standard_streams_are_not_taken_by_the_store(self):
        port, data = free_port(), self.root / "data"
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', harness.BINARY, "serve", "--data",
             str(data), "--listen", f"127.0.0.1:{port}"])
        self.addCleanup(lambda: (process.kill(), process.wait()))
        poll(lambda: (data / "LOCK").exists() and self.serves(port), "it serves")
        self.assertEqual((data / "LOCK").read_text(), f"{process.pid}\n")
        process.terminate()
        self.assertEqual(process.wait(20), 0)
        for name in ("LOCK", "DURABLE"):
            self.assertNotIn(b"event=", (data / name).read_bytes())

    def serves(self, port):
        try:
            with Client(("127.0.0.1", port)) as client:
                return client.request("GET", "/ready").status == 200
        except OSError:
            return False

    def test_a_directory_that_cannot_be_used_is_told(self):
        (self.root / "file").write_text("x")
        for data in (self.root / "file", self.root / "file" / "below", "/proc/nope"):
            with self.subTest(data):
                d = self.daemon(f"d{abs(hash(str(data)))}", data=data).spawn()
                self.assertIn(d.wait(), (1, 78))
                self.assertIn(str(data), d.log())

    def test_outcomes_are_forgotten_after_the_retention(self):
        r = self.receiver()
        d = self.daemon(config=LOCAL + "retention: 1s\n").start()
        done, kept = d.set(r.url()), d.set(FAR, hours=1)
        d.wait_state(done, "delivered")
        finished = time.monotonic()
        cancelled = d.set(FAR, hours=1)
        d.request("DELETE", f"/timers/{cancelled}")
        poll(lambda: time.monotonic() > finished + 1.5, "the retention is over")
        d.restart()
        for timer in (done, cancelled):
            poll(lambda: d.get(f"/timers/{timer}").status == 404, "it is forgotten", 5)
        self.assertEqual([timer["id"] for timer in d.list_all()], [kept])
        self.assertEqual((d.count(), d.count("?state=delivered")), (1, 0))


if __name__ == "__main__":
    main()
