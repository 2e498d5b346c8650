"""An internet of one process: a network namespace in which every address is this machine.

enter() is called first, before any thread is started. From then on whatever is sent to any address
arrives on `lo`, so receivers and the DNS server may have public addresses, and a packet that should
never have been sent is one that a Sniffer sees. What may be sent at all goes to PUBLIC4 and to
PUBLIC6; the API is on a Unix socket, so nothing else has a reason to leave.
"""

import atexit
import collections
import ctypes
import ipaddress
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile

import namespaces
from chaos_dns import ChaosDns
from harness import Case, poll

PUBLIC4 = ipaddress.ip_network("9.9.0.0/16")
PUBLIC6 = ipaddress.ip_network("2620:fe::/32")
DNS_SERVER = "9.9.9.9"
_RESOLV_CONF = "/etc/resolv.conf"


def enter():
    """A failure names what is missing."""
    namespaces.enter(namespaces.CLONE_NEWNET)
    for disabled in pathlib.Path("/proc/sys/net/ipv6/conf").glob("*/disable_ipv6"):
        if disabled.read_text(encoding="ascii").strip() != "0":
            disabled.write_text("0", encoding="ascii")
    # Sent from that address, what goes to PUBLIC6 is answered to PUBLIC6.
    for command in (f"-6 addr add {PUBLIC6[1]}/128 dev lo nodad",
                    "-4 route add local 0.0.0.0/0 dev lo", "-6 route add local ::/0 dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    _point_resolvers_at(DNS_SERVER)


def _point_resolvers_at(server):
    """Without such a file resolvers ask this machine itself, which would be seen as a leak."""
    directory = tempfile.mkdtemp(prefix="belfry-e2e-")
    path = pathlib.Path(directory) / "resolv.conf"
    path.write_text(f"nameserver {server}\n", encoding="ascii")
    namespaces.bind(path, _RESOLV_CONF)
    owner = os.getpid()

    def undo():
        if os.getpid() == owner:
            namespaces.unmount(_RESOLV_CONF)
            shutil.rmtree(directory)
    atexit.register(undo)


Packet = collections.namedtuple("Packet", "to protocol port")  # the port is None but for TCP, UDP


class Sniffer:
    """Every IP packet of this namespace that is addressed to neither PUBLIC4 nor PUBLIC6.

    The kernel takes the others out, so nothing can be lost however much is sent to those; take()
    fails when something was.
    """

    def __init__(self):
        everything = 0x0003  # ETH_P_ALL
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(everything))
        self._socket.setblocking(False)
        self._filter = _packet_filter()
        program = struct.pack("HP", len(self._filter) // 8, _address_of(self._filter))
        self._socket.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER
        self.take()  # what came before the filter

    def close(self):
        self._socket.close()

    def take(self):
        """What was sent since the last call, each packet once."""
        packets = []
        while True:
            try:
                data, where = self._socket.recvfrom(128)
            except BlockingIOError:
                break
            if where[2] == socket.PACKET_OUTGOING:  # `lo` shows each once more as it arrives
                packets.append(_read(data))
        seen_lost = self._socket.getsockopt(263, 6, 8)  # SOL_PACKET, PACKET_STATISTICS
        lost = struct.unpack("II", seen_lost)[1]
        if lost:
            raise AssertionError(f"the sniffer lost {lost} packets beyond {len(packets)}")
        return packets


def _read(data):
    if data[0] >> 4 == 4:
        head, protocol, to = (data[0] & 15) * 4, data[9], ipaddress.IPv4Address(data[16:20])
    else:
        head, protocol, to = 40, data[6], ipaddress.IPv6Address(data[24:40])
    has_port = protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP)
    port = int.from_bytes(data[head + 2:head + 4], "big") if has_port else None
    return Packet(to, protocol, port)


def _packet_filter():
    """Drops what goes to PUBLIC4 or PUBLIC6, and what is not IP."""
    load, if_equal, and_with, give = 0x20, 0x15, 0x54, 0x06  # BPF_LD|W|ABS, JEQ, AND, RET
    protocol = 0xfffff000  # SKF_AD_OFF + SKF_AD_PROTOCOL
    assert PUBLIC4.prefixlen <= 32 and PUBLIC6.prefixlen == 32
    program = (
        (load, 0, 0, protocol),
        (if_equal, 2, 0, 0x0800),
        (if_equal, 4, 0, 0x86dd),
        (give, 0, 0, 0),
        (load, 0, 0, 16),
        (and_with, 0, 0, int(PUBLIC4.netmask)),
        (if_equal, 2, 3, int(PUBLIC4.network_address)),
        (load, 0, 0, 24),
        (if_equal, 0, 1, int(PUBLIC6.network_address) >> 96),
        (give, 0, 0, 0),
        (give, 0, 0, 128))
    return bytearray(b"".join(struct.pack("HBBI", *one) for one in program))


def _address_of(buffer):
    return ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))


ONE_ATTEMPT = {"max_attempts": 1}
_PIPELINED = 32


def set_all(daemon, urls, **members):
    """POST /timers of each, with one attempt and due now unless `members` say more; yields the
    answers in order."""
    members = {"retry": ONE_ATTEMPT, **({} if "at" in members else {"seconds": 0}), **members}
    with daemon.client() as client:
        for first in range(0, len(urls), _PIPELINED):
            batch = urls[first:first + _PIPELINED]
            client.send(b"".join(client.encode("POST", "/timers", {"url": url, **members})
                                 for url in batch))
            for _ in batch:
                yield client.response()


def wait_settled(daemon, count):
    """Until so many timers are dead or delivered."""
    poll(lambda: daemon.count("?state=dead") + daemon.count("?state=delivered") == count,
         f"{count} timers settled", timeout_s=120)


class NetworkCase(Case):
    """A test with a DNS server and a sniffer, on whose receivers any address may be answered.

    `sniffer` has seen nothing yet when the test begins.
    """

    def setUp(self):
        super().setUp()
        self.dns = ChaosDns(DNS_SERVER)
        self.addCleanup(self.dns.stop)
        self.sniffer = Sniffer()
        self.addCleanup(self.sniffer.close)

    def daemon(self, name="d", **options):
        """Reached by a Unix socket, so that its clients send no packet. The proxies that its
        environment names are blocked addresses."""
        env = {f"{word}_proxy": "http://10.0.0.1:3128" for word in ("http", "https", "all")}
        env |= {word.upper(): value for word, value in env.items()}
        return super().daemon(name, listen=f"unix:{self.root}/{name}.socket", env=env, **options)

    def anybody(self, behave=None, port=80):
        """A receiver for whatever address is connected to."""
        return self.receiver(behave, host="::", port=port)

    def assert_nothing_left(self):
        """Nothing since the last time was sent but to the public addresses, and it would have been
        seen."""
        leaked = collections.Counter(self.sniffer.take())
        self.assertEqual(leaked, {})
        probe = Packet(ipaddress.ip_address("10.0.0.1"), socket.IPPROTO_UDP, 9)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"seen?", (str(probe.to), probe.port))
        self.assertIn(probe, self.sniffer.take())
