"""DELETE /timers with very many pending: quick, and none of them fires or comes back.

BELFRY_TIMERS=1000000 in the environment makes it the full size.
"""

import json
import os
import threading
import time

from harness import Case, Client, main, show

TIMERS = int(os.environ.get("BELFRY_TIMERS", "100000"))
CONNECTIONS = 4
DEPTH = 60  # requests under way on a connection
CONFIG = """
delivery: {targets: {allow: [loopback]}}
storage: {min_free: 1MiB}
memory: {window: 1MiB}
"""


class CancelAll(Case):
    def fill(self, d, count, url):
        """`count` timers, all due hours from now."""
        errors = []

        def run(number):
            try:
                with Client(("127.0.0.1", d.port)) as client:
                    mine = count // CONNECTIONS
                    for first in range(0, mine, DEPTH):
                        many = min(DEPTH, mine - first)
                        raw = b"".join(client.encode("POST", "/timers", json.dumps(
                            {"seconds": 86400 - (first + n) % 80000, "url": url}).encode())
                            for n in range(many))
                        client.send(raw)
                        for _ in range(many):
                            answer = client.response()
                            assert answer.status == 201, answer.body
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(CONNECTIONS)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        show(f"{count} timers set in {time.monotonic() - start:.1f} s")

    def test_it_is_quick_and_final(self):
        r = self.receiver()
        d = self.daemon(config=CONFIG).start()
        self.fill(d, TIMERS, r.url())
        self.assertEqual(d.count(), TIMERS)
        with d.client() as client:
            client.send(client.encode("POST", "/timers", {"delay": "2s", "url": r.url()}) * DEPTH)
            soon = [client.response().json()["id"] for _ in range(DEPTH)]
        start = time.monotonic()
        answer = d.request("DELETE", "/timers")
        show(f"DELETE /timers answered in {(time.monotonic() - start) * 1000:.1f} ms")
        self.assertEqual((answer.status, answer.body), (200, b"{}"))
        self.assertEqual((d.count(), d.count("?state=pending")), (0, 0))
        for timer in (1, TIMERS // 2, soon[0], soon[-1]):
            self.assertEqual(d.get(f"/timers/{timer}").status, 404)
        fence = d.set(r.url(), delay="2200ms")
        self.assertEqual(fence, soon[-1] + 1)
        d.wait_state(fence, "delivered")
        self.assertEqual([got.id for got in r.snapshot()], [fence])

        start = time.monotonic()
        d.restart()
        show(f"started again in {(time.monotonic() - start) * 1000:.0f} ms")
        self.assertEqual([timer["id"] for timer in d.list_all()], [fence])
        self.assertEqual(d.count(), 1)
        for timer in (1, TIMERS, soon[-1]):
            self.assertEqual(d.get(f"/timers/{timer}").status, 404)
        last = d.set(r.url())
        d.wait_state(last, "delivered")
        self.assertEqual([got.id for got in r.snapshot()], [fence, last])


if __name__ == "__main__":
    main()
