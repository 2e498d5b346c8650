"""Names that lead to a public address when they are asked for once, and inside at another time, or
both at once: 1,000 rounds and more in which no packet leaves to an address that is not public.

RELIABILITY 4.4; O8 for answers that flap.
"""

import json

import chaos_dns
import network
from harness import Answer, main, show

PACKAGED = "retention: 7d\n"  # delivery.targets.allow: [public] is the default of a file
REBOUND = 1000  # names that move inside after the first attempt
OTHERS = 100    # of each other kind
# Later than an answer with a TTL of 0 is kept, so that each attempt asks anew. The names have moved
# by then.
ASKED_ANEW = "5100ms"
assert chaos_dns.MOVES_AFTER_S < 5


class Rebinding(network.NetworkCase):
    def set_names(self, daemon, behaviour, count, **members):
        urls = [f"http://{behaviour}-{n}.test/{behaviour}" for n in range(count)]
        self.assertEqual({a.status for a in network.set_all(daemon, urls, **members)}, {201})

    def ends(self, behaviour):
        """Of its timers: (state, reason, statuses or errors of the attempts)."""
        return {(view["state"], view["reason"],
                 tuple(a["status"] or a["error"] for a in view["attempts"]))
                for view in self.views[behaviour]}

    def settle(self, daemon, count):
        network.wait_settled(daemon, count)
        self.views = {}
        for view in daemon.list_all():
            self.views.setdefault(view["url"].rsplit("/", 1)[1], []).append(view)
            said = json.dumps({k: v for k, v in view.items() if k != "url"})
            for address in chaos_dns.INSIDE + chaos_dns.PUBLIC:
                self.assertNotIn(address, said)

    def test_a_name_that_moves_inside_is_not_followed(self):
        """The second attempt meets another answer than the first, with the connection of the first
        still open or not."""
        r = self.anybody(lambda got: Answer(500, close=got.id % 2 == 0))
        d = self.daemon(config=PACKAGED).start()
        twice = {"retry": {"max_attempts": 3, "schedule": [ASKED_ANEW], "jitter": 0}}
        self.set_names(d, "rebind", REBOUND, **twice)
        self.set_names(d, "cnamerebind", OTHERS, **twice)
        self.set_names(d, "flap", OTHERS, **twice)
        self.settle(d, REBOUND + 2 * OTHERS)
        for behaviour in ("rebind", "cnamerebind"):
            self.assertEqual(self.ends(behaviour), {("dead", "policy", (500, "policy"))})
        for _, _, attempts in self.ends("flap"):  # by number, so repeated questions count
            self.assertIn(attempts, [(500,) * n + ("policy",) for n in range(3)] + [(500,) * 3])
        self.assert_nothing_left()
        sent = [got for got in r.snapshot() if "rebind" in got.target]
        self.assertEqual(len(sent), REBOUND + OTHERS)
        asked_twice = sum(self.dns.asked(f"rebind-{n}.test") >= 2 for n in range(REBOUND))
        self.assertEqual(asked_twice, REBOUND)
        show(f"{REBOUND + 2 * OTHERS} names moved inside between two attempts; 0 packets")

    def test_of_a_mixed_answer_only_what_is_public_is_used(self):
        r = self.anybody()
        d = self.daemon(config=PACKAGED).start()
        kinds = ("mixed", "mixed6", "both")
        for behaviour in kinds:
            self.set_names(d, behaviour, OTHERS)
        self.settle(d, len(kinds) * OTHERS)
        for behaviour in kinds:
            self.assertEqual(self.ends(behaviour), {("delivered", None, (200,))})
        self.assert_nothing_left()
        self.assertEqual(len(r.snapshot()), len(kinds) * OTHERS)

    def test_what_refuses_does_not_send_it_to_the_next_address_inside(self):
        """Nobody listens anywhere, so whoever tries all addresses would try those inside."""
        d = self.daemon(config=PACKAGED).start()
        kinds = ("mixed", "mixed6", "both")
        for behaviour in kinds:
            self.set_names(d, behaviour, OTHERS)
        self.settle(d, len(kinds) * OTHERS)
        for behaviour in kinds:
            self.assertEqual(self.ends(behaviour), {("dead", "exhausted", ("refused",))})
        self.assert_nothing_left()

    def test_a_name_that_only_leads_inside_is_dead_at_once(self):
        d = self.daemon(config=PACKAGED).start()
        kinds = ("inside", "cnameinside", "mapped")
        for behaviour in kinds:
            self.set_names(d, behaviour, OTHERS, retry={"max_attempts": 10})
        self.settle(d, len(kinds) * OTHERS)
        for behaviour in kinds:
            self.assertEqual(self.ends(behaviour), {("dead", "policy", ("policy",))})
        self.assert_nothing_left()


if __name__ == "__main__":
    network.enter()
    main()
