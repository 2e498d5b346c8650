"""No local port is left: row O14 of the fault matrix, in a network namespace with few ports."""

import datetime

import namespaces
from chaos_case import UNCHARGED, ChaosCase
from chaos_receiver import ChaosReceiver
from harness import main, poll, show

PORTS = (40000, 40099)
TIMERS = 300


class NoPorts(ChaosCase):
    config = """
delivery: {targets: {allow: [loopback]}, max_in_flight: 1000, per_target_in_flight: 1000,
           timeout: 60s}
"""

    @classmethod
    def setUpClass(cls):
        namespaces.enter(namespaces.CLONE_NEWNET)
        namespaces.set_local_ports(*PORTS)
        super().setUpClass()

    def faults(self, ids):
        """The last entry of each timer that met one."""
        views = [self.d.view(timer) for timer in ids]
        return [(view, view["attempts"][-1]) for view in views
                if view["attempts"] and view["attempts"][-1]["error"] == "local fault"]

    def test_o14_without_ports_nothing_is_charged_and_all_is_delivered_later(self):
        ids = [self.d.set(self.chaos.url("hold")) for _ in range(TIMERS)]
        ports = PORTS[1] - PORTS[0] + 1
        poll(lambda: self.chaos.held + len(self.faults(ids)) == TIMERS, "each holds or has failed")
        self.assertLessEqual(self.chaos.held, ports)
        for view, fault in self.faults(ids):
            self.assertIn(view["state"], ("pending", "firing"))  # not retrying
            self.assertIsNone(fault["status"])
            if view["state"] == "pending":
                wait_s = seconds(view["next_attempt"]) - seconds(fault["at"])
                self.assertGreaterEqual(wait_s, 0.999)
        self.check_others()
        self.chaos.release()
        poll(lambda: self.d.count("?state=delivered") >= TIMERS + 1, "all delivered", 120)
        self.assertLessEqual(self.chaos.held_most, ports)
        for timer in ids:
            requests = self.chaos.requests_of(timer)
            self.assertEqual([r.attempt for r in requests], [1])
            attempts = self.d.view(timer)["attempts"]
            self.assertEqual(len([a for a in attempts if a["error"] not in UNCHARGED]), 1)
        self.assertIn("event=local_fault scope=target", self.d.log(whole=True))
        show(f"{TIMERS} timers were delivered over {self.chaos.connections} connections")

    def check_others(self):
        """A port is taken for one destination, so others have all of them."""
        other = ChaosReceiver()
        self.addCleanup(other.stop)
        timer = self.d.set(other.url("ok"))
        self.assertEqual(self.statuses(self.d.wait_state(timer, "delivered")), [204])


def seconds(text):
    return datetime.datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()
