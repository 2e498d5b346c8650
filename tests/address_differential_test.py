"""10 million addresses: what AddressPolicy says of each, and what Python's `ipaddress` does.

    address_differential_test.py ADDRESS_VERDICTS [unittest arguments]

What is compared, for each of POLICIES: the verdict of the C++ classifier on the socket address, and
that of expected() below, which rests on `ipaddress` and the exceptions listed here. expected() is
too slow for millions, so its verdict is taken once for each interval between two neighbouring
boundaries of any block that it, `ipaddress` or the classifier's source names, and spot-checked
inside the intervals. Addresses that carry an IPv4 address are compared by what they carry.

Compared are the boundaries and their neighbours, addresses drawn from all of the space, and as many
drawn from the surroundings of each block.
"""

import array
import bisect
import ipaddress
import itertools
import pathlib
import random
import re
import subprocess
import sys
import unittest

TOTAL = 10_000_000
SPOT_CHECKS = 100_000
BATCH = 100_000
SOURCE = pathlib.Path(__file__).parent.parent / "delivery" / "address_policy.cc"
TOOL = None  # set below

# Not public, whatever `ipaddress` says: its list differs between versions of Python.
EXCEPTIONS = [ipaddress.ip_network(text) for text in (
    "192.0.0.0/24",       # it knows holes in this one
    "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24",  # AS112 and its like
    "192.88.99.0/24",     # 6to4 relays
    "168.63.129.16/32",   # host services of a cloud
    "2001::/23",          # it knows holes
    "2002::/16",          # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20")]         # documentation
PRIVATE = [ipaddress.ip_network(text) for text in (
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
METADATA = [ipaddress.ip_address(text) for text in ("fd00:ec2::254", "fd20:ce::254")]

# Where each kind of address keeps the IPv4 address inside, and whether it is inverted.
COMPATIBLE = ipaddress.ip_network("::/96")
TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
SIX_TO_FOUR = ipaddress.ip_network("2002::/16")
TEREDO = ipaddress.ip_network("2001::/32")
MAPPED = ipaddress.ip_network("::ffff:0:0/96")
CARRIERS = [(COMPATIBLE, 12, False), (TRANSLATED, 12, False), (NAT64, 12, False),
            (SIX_TO_FOUR, 2, False), (TEREDO, 12, True), (MAPPED, 12, False)]

# The bits of a verdict.
POLICIES = ("public", "private", "loopback", "public,::/0")
PUBLIC, PRIVATE_BIT, LOOPBACK, ANY6 = 1, 2, 4, 8


def any_contains(networks, ip):
    return any(ip.version == n.version and ip in n for n in networks)


def is_public(ip):
    if any_contains(EXCEPTIONS, ip):
        return False
    special = ip.is_multicast or ip.is_reserved or ip.version == 6 and ip.is_site_local
    return ip.is_global and not special


def carried(ip):
    """The IPv4 address inside, by what `ipaddress` knows and else by its place."""
    if ip == ipaddress.IPv6Address("::1"):
        return None
    if ip.sixtofour or ip.teredo:
        return ip.sixtofour or ip.teredo[1]
    if any_contains((COMPATIBLE, TRANSLATED, NAT64), ip):
        return ipaddress.IPv4Address(int(ip) & 0xffffffff)
    return None


def expected(ip):
    """The verdict: bit i for POLICIES[i]."""
    if ip.version == 6 and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    public = is_public(ip)
    verdict = PUBLIC * public
    verdict |= PRIVATE_BIT * (any_contains(PRIVATE, ip) and ip.is_private and ip not in METADATA)
    verdict |= LOOPBACK * ip.is_loopback
    if ip.version == 4:
        return verdict | ANY6 * public
    inside = carried(ip)
    return verdict | ANY6 * (inside is None or is_public(inside))


def named_in_source():
    for text in re.findall(r'"([0-9a-f.:]+(?:/\d+)?)"', SOURCE.read_text(encoding="ascii")):
        try:
            yield ipaddress.ip_network(text)
        except ValueError:
            pass  # some other string


def known_networks(version):
    """Of `ipaddress`, of this file and of the classifier's source."""
    constants = getattr(ipaddress, f"_IPv{version}Constants", None)
    known = list(vars(constants).values()) if constants else []
    known = [n for value in known for n in (value if isinstance(value, list) else [value])]
    known += list(named_in_source()) + EXCEPTIONS + PRIVATE + [block for block, _, _ in CARRIERS]
    known += [ipaddress.ip_network(a) for a in METADATA]
    # What the RFCs and the registries set apart, should `ipaddress` hide its own list.
    known += [ipaddress.ip_network(text) for text in (
        "0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "192.0.2.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "255.255.255.255/32", "::1/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
        "2000::/3", "2001:db8::/32", "5f00::/16", "fe80::/10", "fec0::/10", "ff00::/8")]
    return [n for n in dict.fromkeys(known)
            if isinstance(n, (ipaddress.IPv4Network, ipaddress.IPv6Network))
            and n.version == version]


def carrying(block, offset, inverted, number, filler=0):
    """The address of `block` that has the IPv4 address `number` inside."""
    shift = (12 - offset) * 8
    inside = (number ^ 0xffffffff if inverted else number) << shift
    free = (1 << (128 - block.prefixlen)) - 1 & ~(0xffffffff << shift)
    return int(block.network_address) | inside | filler & free


class Intervals:
    """The verdicts of expected(), one for all addresses between two boundaries."""

    def __init__(self, version, starts):
        self.kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
        self.size = 4 if version == 4 else 16
        self.starts = sorted(set(starts) | {0})
        verdicts = [expected(self.kind(start)) for start in self.starts]
        self.verdicts = bytes([0]) + bytes(verdicts)  # by what bisect says
        keys = [start.to_bytes(self.size, "big") for start in self.starts]
        self.keys = self.starts if version == 4 else keys

    def of(self, addresses):
        """`addresses`: packed, one after the other."""
        if self.size == 4:
            values = array.array("I", addresses)
            if sys.byteorder == "little":
                values.byteswap()
        else:
            values = [addresses[at:at + 16] for at in range(0, len(addresses), 16)]
        found = map(bisect.bisect_right, itertools.repeat(self.keys), values)
        return bytes(map(self.verdicts.__getitem__, found))


def boundaries(networks, bits):
    starts = set()
    for network in networks:
        starts |= {int(network.network_address), int(network.broadcast_address) + 1}
    return {start for start in starts if start < 1 << bits}


def around(block, draw, count, spread_bits=3):
    """Packed: drawn from `block` and its surroundings, 2**spread_bits as large."""
    size = 4 if block.version == 4 else 16
    prefix = max(0, block.prefixlen - spread_bits)
    base = int(block.network_address).to_bytes(size, "big")
    packed = bytearray(draw.randbytes(size * count))
    for at in range(prefix // 8):
        packed[at::size] = base[at:at + 1] * count
    if prefix % 8:
        mask = 0xff << (8 - prefix % 8) & 0xff
        at = prefix // 8
        table = bytes(base[at] & mask | value & ~mask & 0xff for value in range(256))
        packed[at::size] = packed[at::size].translate(table)
    return bytes(packed)


class Tool:
    def __init__(self, version):
        self.size = 4 if version == 4 else 16
        self.compared = 0
        self.command = [TOOL, str(version), *POLICIES]

    def verdicts(self, addresses):
        ran = subprocess.run(self.command, input=addresses, stdout=subprocess.PIPE, check=True)
        self.compared += len(addresses) // self.size
        return ran.stdout


class Differential(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.draw = random.Random(20261121)
        cls.four = Intervals(4, boundaries(known_networks(4), 32))
        inner = cls.four.starts
        # Outside Teredo, where the IPv4 address is below 64 bits of anything, what an address
        # carries is constant between two boundaries as well.
        starts = boundaries(known_networks(6), 128)
        for block, offset, inverted in CARRIERS:
            if not inverted:
                starts |= {carrying(block, offset, inverted, number) for number in inner}
        cls.six = Intervals(6, starts)
        cls.tools = {4: Tool(4), 6: Tool(6)}

    def compare(self, version, addresses, wanted):
        got = self.tools[version].verdicts(addresses)
        if got == wanted:
            return
        self.assertEqual(len(got), len(wanted))
        intervals = self.four if version == 4 else self.six
        at = next(n for n, (a, b) in enumerate(zip(got, wanted)) if a != b)
        packed = addresses[at * intervals.size:(at + 1) * intervals.size]
        address = ipaddress.ip_address(packed)
        self.fail(f"{address}: C++ says {got[at]:04b}, expected {wanted[at]:04b} of {POLICIES}")

    def wanted(self, version, addresses):
        """Of addresses anywhere, in Teredo's block by each address itself."""
        intervals = self.four if version == 4 else self.six
        wanted = bytearray(intervals.of(addresses))
        if version == 6:
            prefix = TEREDO.network_address.packed[:4]
            at = addresses.find(prefix)
            while at >= 0:
                if at % 16 == 0:
                    wanted[at // 16] = expected(ipaddress.IPv6Address(addresses[at:at + 16]))
                at = addresses.find(prefix, at + 1)
        return bytes(wanted)

    def check(self, version, addresses):
        self.compare(version, addresses, self.wanted(version, addresses))

    def test_boundaries(self):
        for version, intervals in ((4, self.four), (6, self.six)):
            near = {start + step for start in intervals.starts for step in (-1, 0, 1)}
            numbers = sorted(n for n in near if 0 <= n < 1 << intervals.size * 8)
            addresses = b"".join(n.to_bytes(intervals.size, "big") for n in numbers)
            wanted = bytes(expected(intervals.kind(n)) for n in numbers)
            self.compare(version, addresses, wanted)

    def test_drawn_from_all_of_the_space(self):
        for version in (4, 6):
            for _ in range(TOTAL // 4 // BATCH):
                size = self.tools[version].size
                self.check(version, self.draw.randbytes(size * BATCH))

    def test_drawn_from_the_surroundings_of_each_block(self):
        for version in (4, 6):
            networks = known_networks(version)
            each = TOTAL // 4 // len(networks) + 1
            for block in networks:
                if version == 6 and block.subnet_of(TEREDO):
                    continue  # see below
                self.check(version, around(block, self.draw, each))

    def test_addresses_that_carry_another_are_judged_by_it_too(self):
        """Each IPv4 address inside each kind; around the blocks, and any."""
        blocks = known_networks(4)
        each = TOTAL // 10 // len(CARRIERS) // len(blocks) + 1
        for block, offset, inverted in CARRIERS:
            for inner in blocks:
                inside = around(inner, self.draw, each)
                packed = bytearray(around(block, self.draw, each, 0))
                for byte in range(4):
                    octets = inside[byte::4]
                    if inverted:
                        octets = octets.translate(bytes(255 - n for n in range(256)))
                    packed[offset + byte::16] = octets
                plain = self.four.of(inside)
                self.compare(6, bytes(packed), self.carried_verdicts(block, plain))

    @staticmethod
    def carried_verdicts(block, plain):
        """From those of the IPv4 addresses inside."""
        if block == MAPPED:  # the kernel takes it for the IPv4 address
            return plain
        return bytes(ANY6 if verdict & PUBLIC else 0 for verdict in plain)

    def test_the_intervals_say_what_ipaddress_says(self):
        for version, intervals in ((4, self.four), (6, self.six)):
            blocks = known_networks(version)
            each = SPOT_CHECKS // 2 // len(blocks)
            for block in blocks:
                addresses = around(block, self.draw, each)
                size = intervals.size
                direct = bytes(expected(ipaddress.ip_address(addresses[at:at + size]))
                               for at in range(0, len(addresses), size))
                self.assertEqual(self.wanted(version, addresses), direct, block)

    @classmethod
    def tearDownClass(cls):
        compared = sum(tool.compared for tool in cls.tools.values())
        print(f"    {compared} addresses compared for each of {len(POLICIES)} policies")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__.splitlines()[2].strip())
    TOOL = sys.argv.pop(1)
    unittest.main(verbosity=2)
