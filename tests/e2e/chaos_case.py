"""What the tests with the chaos receiver share: one daemon, one receiver, and the comparison of
what the daemon recorded with what the receiver counted."""

from chaos_receiver import ChaosReceiver
from harness import SharedCase, poll

RETRY = {"max_attempts": 2, "schedule": ["20ms"], "jitter": 0}
ONCE = {"max_attempts": 1}
UNCHARGED = ("local fault", "interrupted")
SHORT_BODIES = ({}, {"body": "b"})
BODIES = SHORT_BODIES + ({"body": "b" * 200_000},)


# One host stands for many, so its breaker stays out of it.
WITHOUT_BREAKER = "breaker: {failures: 1000000, min_attempts: 1000000}"


class ChaosCase(SharedCase):
    config = f"delivery: {{targets: {{allow: [loopback]}}, {WITHOUT_BREAKER}}}\n"
    host = "127.0.0.1"  # where the receiver listens

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chaos = ChaosReceiver(cls.host)
        cls.addClassCleanup(cls.chaos.stop)

    def tearDown(self):
        self.assertEqual(self.chaos.errors, [])

    def ended(self, timer, state, timeout_s=30):
        """Waits for the state; its view, in which every attempt is one request at the receiver."""
        def over():
            view = self.d.view(timer)
            return view if view["state"] in ("delivered", "dead") else None
        view = poll(over, f"timer {timer} ended", timeout_s)
        self.assertEqual(view["state"], state, view)
        self.assertEqual(len(self.charged(view)), len(self.chaos.requests_of(timer)), view)
        self.check_numbers(timer)
        return view

    def charged(self, view):
        return [a for a in view["attempts"] if a["error"] not in UNCHARGED]

    def check_numbers(self, timer):
        requests = self.chaos.requests_of(timer)
        self.assertEqual([r.attempt for r in requests], list(range(1, len(requests) + 1)))
        self.assertLessEqual(len({r.headers["webhook-id"] for r in requests}), 1)

    def check_failed(self, view, attempts, errors=None):
        """So many attempts, none of which got a status."""
        self.assertEqual(len(view["attempts"]), attempts, view)
        for attempt in view["attempts"]:
            self.assertFalse(attempt["status"], view)
            self.assertTrue(attempt["error"], view)
            if errors:
                self.assertIn(attempt["error"], errors, view)

    def statuses(self, view):
        return [attempt["status"] for attempt in view["attempts"]]
