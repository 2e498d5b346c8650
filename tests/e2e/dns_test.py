"""O8: a name server that refuses, lies, is silent or slow costs an attempt, within the limit of a
lookup, and nobody else's time.
"""

import collections
import datetime
import signal

import network
from chaos_case import WITHOUT_BREAKER
from harness import main, poll, show

PACKAGED = "retention: 7d\n"  # delivery.targets.allow: [public] is the default of a file

FOUND = ("public", "deaf6", "deafonce", "truncated", "many500", "oversized", "cname20")
NOT_FOUND = ("silent", "slow10", "nx", "servfail", "refused", "notimp", "formerr", "nodata",
             "tcpsilent", "tcpslow10", "dangling", "cnameloop", "otherid", "otherquestion",
             "cut", "short", "zeros", "noise", "loop", "unheard-of")
# An attempt may take this long, so one that ended much earlier was ended by the lookup's own limit.
ATTEMPT_S = 60
LOOKUP_S = 5


class EachBehaviour(network.NetworkCase):
    def test_o8_each_fault_is_a_failed_attempt_within_the_limit_of_a_lookup(self):
        r = self.anybody()
        d = self.daemon(config=PACKAGED).start()
        names = FOUND + NOT_FOUND
        ids = [answer.json()["id"] for answer in network.set_all(
            d, [f"http://{name}.test/{name}" for name in names], timeout=f"{ATTEMPT_S}s")]
        network.wait_settled(d, len(names))
        took_ms = {}
        for name, timer in zip(names, ids):
            view = d.view(timer)
            attempt, = view["attempts"]
            took_ms[name] = attempt["duration_ms"]
            wanted = ("delivered", 200, None) if name in FOUND else ("dead", None, "dns")
            got = (view["state"], attempt["status"], attempt["error"])
            self.assertEqual(got, wanted, name)
            self.assertLess(attempt["duration_ms"], (LOOKUP_S + ATTEMPT_S) / 2 * 1000, name)
        self.assertEqual(sorted(g.target.split("/")[1] for g in r.snapshot()), sorted(FOUND))
        self.assert_nothing_left()
        slowest = sorted(took_ms, key=took_ms.get)[-3:]
        show("slowest: " + ", ".join(f"{name} {took_ms[name]} ms" for name in slowest))

    def test_o8_a_poisoned_answer_is_not_used(self):
        """It holds addresses of a name that was not asked for."""
        self.anybody()
        d = self.daemon(config=PACKAGED).start()
        timer = d.set("http://poison.test/x", retry=network.ONE_ATTEMPT)
        self.assertEqual(d.wait_state(timer, "dead")["attempts"][0]["error"], "dns")
        d.set("http://other.test/x", retry=network.ONE_ATTEMPT)
        poll(lambda: self.dns.asked("other.test") > 0, "the other name is asked for itself")

    def test_o8_a_name_that_fails_is_not_asked_for_by_every_attempt(self):
        d = self.daemon(config=f"delivery: {{{WITHOUT_BREAKER}}}\n").start()
        urls = ["http://nx.test/x"] * 500
        self.assertEqual({a.status for a in network.set_all(d, urls)}, {201})
        network.wait_settled(d, len(urls))
        self.assertEqual({view["attempts"][0]["error"] for view in d.list_all()}, {"dns"})
        self.assertLess(self.dns.asked("nx.test"), 50)


class UnderWay(network.NetworkCase):
    def started(self, life):
        """Once the attempt of this life asks for its name."""
        before = self.dns.asked("silent.test")
        life()
        poll(lambda: self.dns.asked("silent.test") > before, "its name is asked for")

    def test_o8_a_lookup_is_an_attempt_and_charged_only_once_it_ends(self):
        d = self.daemon(config=PACKAGED + "shutdown_timeout: 100ms\n").start()
        timers = []
        self.started(lambda: timers.append(
            d.set("http://silent.test/x", retry=network.ONE_ATTEMPT)))
        timer, = timers
        answer = d.request("DELETE", f"/timers/{timer}")
        self.assertEqual((answer.status, answer.json()["result"]), (409, "already_firing"))
        self.assertEqual(d.end(signal.SIGTERM), 0)
        self.started(d.start)
        self.assertEqual([a["error"] for a in d.view(timer)["attempts"]], ["interrupted"])
        d.kill()
        self.started(d.start)
        view = d.wait_state(timer, "dead")
        self.assertEqual(([a["error"] for a in view["attempts"]], view["reason"]),
                         (["interrupted", "dns"], "exhausted"))
        self.assert_nothing_left()


def lateness_ms(request):
    due = datetime.datetime.fromisoformat(request.header("webhook-due")).timestamp()
    return 1000 * (request.wall - due)


class DeadHosts(network.NetworkCase):
    """1,000 hosts whose names nobody answers, while webhooks go to healthy ones."""

    DEAD = 1000
    DEAD_TIMERS = 5  # each: no more than open a breaker
    HEALTHY = 50     # hosts: half of them by a name that has to be looked up
    ROUNDS = 20      # webhooks to each
    GAP_MS = 50

    def stream(self, daemon, phase, first_ms):
        """Webhooks to the healthy, some due every GAP_MS from `first_ms` on; how many. The names
        belong to the phase."""
        begin = datetime.datetime.now(datetime.timezone.utc)
        for n in range(self.ROUNDS):
            at = begin + datetime.timedelta(milliseconds=first_ms + n * self.GAP_MS)
            hosts = [f"public-{phase}-{h}.test" if h % 2 else f"9.9.1.{h + 1}"
                     for h in range(self.HEALTHY)]
            answers = network.set_all(daemon, [f"http://{host}/x" for host in hosts],
                                      at=at.isoformat(timespec="milliseconds"))
            self.assertEqual({a.status for a in answers}, {201})
        return self.ROUNDS * self.HEALTHY

    def late(self, receiver, count):
        got = receiver.wait(count, timeout_s=60)
        self.assertEqual(len(got), count)
        receiver.clear()
        late = sorted(lateness_ms(request) for request in got)
        return late[len(late) // 2], late[len(late) * 99 // 100]

    def test_o8_a_thousand_hosts_with_dead_dns_do_not_delay_the_others(self):
        receiver = self.anybody()
        d = self.daemon(config=PACKAGED).start()
        alone = self.late(receiver, self.stream(d, "alone", 500))
        kinds = ("silent", "slow10", "tcpsilent", "tcpslow10")
        dead = [f"http://{kinds[n % len(kinds)]}-{n}.test/x" for n in range(self.DEAD)]
        count = self.stream(d, "beside", 1500)
        self.assertEqual({a.status for a in network.set_all(d, dead * self.DEAD_TIMERS)}, {201})
        beside = self.late(receiver, count)
        network.wait_settled(d, 2 * count + len(dead) * self.DEAD_TIMERS)
        ends = collections.Counter()
        lookups_ms = []
        for view in d.list_all("&state=dead"):
            ends[view["reason"], view["attempts"][0]["error"]] += 1
            lookups_ms.append(view["attempts"][0]["duration_ms"])
        self.assertEqual(ends, {("exhausted", "dns"): len(dead) * self.DEAD_TIMERS})
        held_ms = max(lookups_ms)
        show("lateness p50, p99: %.0f, %.0f ms alone; %.0f, %.0f ms beside %d hosts whose lookups "
             "took up to %d ms" % (*alone, *beside, self.DEAD, held_ms))
        # Whoever waited for a slot that a dead lookup held would be late by about that much.
        self.assertLess(beside[1], alone[1] + held_ms / 4)


if __name__ == "__main__":
    network.enter()
    main()
