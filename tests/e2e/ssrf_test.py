"""No way inside: whatever URL a client writes, no packet leaves to an address that is not public.

That is counted by a sniffer in a network of the test's own (network.py), never read off Belfry's
answers. RELIABILITY 4.4; O6 for redirects.
"""

import collections
import ipaddress
import json

import network
import ssrf_corpus
from chaos_case import WITHOUT_BREAKER
from harness import Answer, main, poll, show

PACKAGED = "retention: 7d\n"  # delivery.targets.allow: [public] is the default of a file
EVERYTHING = 'delivery: {targets: {allow: ["0.0.0.0/0", "::/0"]}}\n'
PUBLIC = "9.9.0.1"


class Corpus(network.NetworkCase):
    def test_no_spelling_of_a_blocked_address_makes_a_packet(self):
        receiver = self.anybody()
        d = self.daemon(config=f"delivery: {{{WITHOUT_BREAKER}}}\n").start()
        spellings = list(ssrf_corpus.spellings(PUBLIC))
        self.assertGreaterEqual(len(spellings), 2000)
        taken = {}  # id -> Spelling
        for spelling, answer in zip(spellings, network.set_all(d, [s.url for s in spellings])):
            if answer.status == 201:
                taken[answer.json()["id"]] = spelling
                continue
            self.assertEqual(answer.status, 400, spelling)
            self.assertEqual([e["pointer"] for e in answer.json()["errors"]], ["/url"], spelling)
        network.wait_settled(d, len(taken))
        ends = collections.Counter()
        for view in d.list_all():
            ends[self.judge(view, taken.pop(view["id"]))] += 1
        self.assertEqual(taken, {})
        self.assert_nothing_left()
        hosts = {got.header("host") for got in receiver.snapshot()}
        self.assertEqual(hosts, {PUBLIC})
        show(f"{len(spellings)} URLs for {len(set(s.address for s in spellings))} addresses: "
             f"{len(spellings) - ends.total()} refused, {dict(ends)}; 0 packets")

    def judge(self, view, spelling):
        """How it ended, in a word."""
        if view["state"] == "delivered":  # to the public address that the blocked one hides behind
            self.assertRegex(view["url"], rf"\Ahttp://{PUBLIC}(:80)?/", spelling)
            self.assertFalse(spelling.by_name)
            return "public"
        self.assertEqual((view["state"], len(view["attempts"])), ("dead", 1), spelling)
        if view["reason"] == "policy":
            self.assertEqual(view["attempts"][0]["error"], "policy", spelling)
        else:
            self.assertEqual((view["reason"], view["attempts"][0]["error"]), ("exhausted", "dns"))
        if spelling.by_name:
            self.assertEqual(view["reason"], "policy", spelling)
            said = json.dumps({k: v for k, v in view.items() if k != "url"})
            for form in (str(spelling.address), spelling.address.exploded):
                self.assertNotIn(form, said, spelling)
        return view["reason"] if view["reason"] == "policy" else "dns"

    def test_the_sniffer_sees_what_a_looser_policy_sends(self):
        """Else the test above would prove nothing. By its address, and by a name for it."""
        d = self.daemon(config=EVERYTHING).start()
        unsendable = {ipaddress.ip_network(text) for text in (
            "224.0.0.0/4", "255.255.255.255/32", "ff00::/8", "fe80::/10")}  # to the kernel
        blocks = [b for b in ssrf_corpus.RANGES if b not in unsendable]
        wanted = {}
        for block in blocks:
            address = block[min(1, block.num_addresses - 1)]
            wanted[str(address) if block.version == 4 else f"[{address}]"] = address
            wanted[next(ssrf_corpus.names(address))] = address
        for answer in network.set_all(d, [f"http://{host}:81/x" for host in wanted]):
            self.assertEqual(answer.status, 201)
        network.wait_settled(d, len(wanted))
        seen = collections.Counter(p.to for p in self.sniffer.take() if p.port == 81)
        # The kernel takes these for the loopback address.
        seen[ipaddress.ip_address("::")] = seen[ipaddress.ip_address("::1")]
        missing = [address for address in wanted.values() if seen[address] < 2]
        self.assertEqual(missing, [])
        show(f"one address of each of {len(blocks)} ranges, as it is and by a name: all seen")


class Redirects(network.NetworkCase):
    def test_o6_what_an_answer_points_to_is_not_asked(self):
        inside = ("http://169.254.169.254/latest/meta-data/", "http://127.0.0.1/", "//10.0.0.1/",
                  "http://[::1]/", "file:///etc/passwd", "gopher://10.0.0.1:6379/_x", "/again",
                  "http://ip-0a000001.test/")
        answers = [Answer(status, (("Location", where), ("Refresh", f"0; url={where}"),
                                   ("Content-Location", where), ("Link", f"<{where}>; rel=next"),
                                   ("Alt-Svc", 'h2="10.0.0.1:443", h3=":443"; persist=1'),
                                   ("Strict-Transport-Security", "max-age=1000"),
                                   ("WWW-Authenticate", f'Basic realm="{where}"')))
                   for status in (300, 301, 302, 303, 305, 307, 308, 401, 407, 426, 511)
                   for where in inside]
        r = self.anybody(lambda got: answers[int(got.target.split("/")[1])])
        d = self.daemon(config=PACKAGED).start()
        urls = [f"http://public.test/{n}" for n in range(len(answers))]
        self.assertEqual({a.status for a in network.set_all(d, urls)}, {201})
        network.wait_settled(d, len(answers))
        self.assertEqual(d.count("?state=dead"), len(answers))
        self.assert_nothing_left()
        got = r.snapshot()
        self.assertEqual(sorted(g.target.split("/")[1] for g in got),
                         sorted(str(n) for n in range(len(answers))))
        self.assertEqual({g.header("host") for g in got}, {"public.test"})


class Metadata(network.NetworkCase):
    """No word opens link-local and metadata addresses, only a block that names them."""

    ADDRESSES = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16",
                 "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")

    def urls(self):
        for text in self.ADDRESSES:
            yield f"http://[{text}]/x" if ":" in text else f"http://{text}/x"
            yield f"http://{next(ssrf_corpus.names(ipaddress.ip_address(text)))}/x"

    def ends(self, name, allow):
        d = self.daemon(name, config=f"delivery: {{targets: {{allow: [{allow}]}}}}\n").start()
        urls = list(self.urls())
        self.assertEqual({a.status for a in network.set_all(d, urls)}, {201})
        network.wait_settled(d, len(urls))
        return {(view["state"], view["reason"]) for view in d.list_all()}

    def test_only_a_block_opens_them(self):
        self.anybody()
        self.assertEqual(self.ends("words", "public, private, loopback"), {("dead", "policy")})
        self.assert_nothing_left()
        blocks = ", ".join(f'"{text}"' for text in self.ADDRESSES)
        self.assertEqual(self.ends("blocks", f"public, {blocks}"), {("delivered", None)})
        seen = {str(packet.to) for packet in self.sniffer.take()}
        self.assertLessEqual(set(self.ADDRESSES), seen)


class OverRestarts(network.NetworkCase):
    def test_a_policy_that_is_tightened_holds_for_timers_set_before(self):
        d = self.daemon(config=EVERYTHING).start()
        urls = [f"http://{host}/x" for host in ("10.0.0.1", "[fd00::1]", "inside.test")]
        often = {"max_attempts": 50, "schedule": ["100ms"]}  # nobody listens there
        self.assertEqual({a.status for a in network.set_all(d, urls, retry=often)}, {201})
        poll(lambda: all(view["attempts"] for view in d.list_all()), "an attempt each")
        d.kill()
        self.assertGreater(len(self.sniffer.take()), 0)
        d.config = PACKAGED
        d.start()
        network.wait_settled(d, 3)
        self.assertEqual({(view["state"], view["reason"]) for view in d.list_all()},
                         {("dead", "policy")})
        self.assert_nothing_left()


if __name__ == "__main__":
    network.enter()
    main()
