"""Very many hosts, all slow: row O12 of the fault matrix, and what one slow request costs (O3)."""

import os
import re
import resource

from chaos_case import ChaosCase
from harness import main, poll, show

HOSTS = 10_000
IN_FLIGHT_MAX = 1000
PIPELINED = 64
SLOW_COST_MAX = 100 * 1024
OWN_FILES_MAX = 150          # of the daemon: store, loops, listeners, our connection
BUDGET_MIB = 128


class SlowHosts(ChaosCase):
    host = "0.0.0.0"
    config = f"""
delivery:
  targets: {{allow: [loopback]}}
  max_in_flight: {IN_FLIGHT_MAX}
  timeout: 60s
memory: {{budget: {BUDGET_MIB}MiB, window: 16MiB, id_cache: 16MiB}}
"""

    @classmethod
    def setUpClass(cls):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        super().setUpClass()
        # Fewer than asked for where descriptors are short.
        most = int(re.search(r"deliveries_max=(\d+)", cls.d.log(whole=True)).group(1))
        cls.slots = most // 2  # what targets may have that never answered, or not at once

    def set_many(self, urls):
        ids = []
        with self.d.client() as client:
            for first in range(0, len(urls), PIPELINED):
                some = urls[first:first + PIPELINED]
                client.send(b"".join(client.encode("POST", "/timers", {"seconds": 0, "url": url})
                                     for url in some))
                for _ in some:
                    answer = client.response()
                    self.assertEqual(answer.status, 201, answer.body)
                    ids.append(answer.json()["id"])
        return ids

    def memory_kib(self, name="VmRSS"):
        with open(f"/proc/{self.d.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(name + ":"))


class Many(SlowHosts):
    def test_o12_ten_thousand_slow_hosts_take_no_more_than_half_of_the_slots(self):
        before_kib = self.memory_kib()
        hosts = [f"127.{n // 62500 + 1}.{n // 250 % 250}.{n % 250 + 1}" for n in range(HOSTS)]
        ids = self.set_many([self.chaos.url("hold", host=host) for host in hosts])
        self.chaos.wait(lambda: self.chaos.held == self.slots, "their half is taken", 60)
        self.assertLessEqual(len(os.listdir(f"/proc/{self.d.pid}/fd")),
                             self.slots + OWN_FILES_MAX)
        self.chaos.release()
        poll(lambda: self.d.count("?state=delivered") == HOSTS, "all delivered", 120, every_s=0.1)
        self.assertEqual(self.chaos.held_most, self.slots)
        grown_mib = (self.memory_kib("VmHWM") - before_kib) / 1024
        show(f"{HOSTS} slow hosts: {self.chaos.held_most} at once, {grown_mib:.0f} MiB")
        self.assertLess(grown_mib, BUDGET_MIB)
        self.assertEqual(sorted(r.id for r in self.chaos.requests), ids)
        self.assertEqual({r.attempt for r in self.chaos.requests}, {1})


class Cost(SlowHosts):
    def test_o3_a_slow_request_costs_little(self):
        ids = self.set_many([self.chaos.url("status", 204, host=f"127.0.1.{n + 1}")
                             for n in range(50)])
        poll(lambda: self.d.count("?state=delivered") == len(ids), "they are delivered")
        before_kib = self.memory_kib()
        self.set_many([self.chaos.url("hold", host=f"127.0.{n // 250}.{n % 250 + 1}")
                       for n in range(self.slots)])
        self.chaos.wait(lambda: self.chaos.held == self.slots, "their half is taken", 60)
        each = (self.memory_kib() - before_kib) * 1024 / self.slots
        show(f"a slow request costs {each / 1024:.0f} KiB")
        self.assertLess(each, SLOW_COST_MAX)
        self.chaos.release()
        poll(lambda: self.d.count("?state=delivered") == self.slots + len(ids), "all delivered",
             60)


if __name__ == "__main__":
    main()
