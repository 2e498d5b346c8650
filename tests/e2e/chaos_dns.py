"""A DNS server that misbehaves as it is asked to: the first label of a name says how.

The label is a word of BEHAVIOURS, or one with a tag that makes the name another one: `silent.test`,
`silent-17.test`. `ip-0a000001.test` is the address 10.0.0.1, `ip-` with 32 digits an IPv6 address.
A name without a behaviour does not exist.

One thread; UDP and TCP on the address given.
"""

import collections
import dataclasses
import heapq
import ipaddress
import selectors
import socket
import struct
import threading
import time

A, CNAME, AAAA = 1, 5, 28
FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 1, 2, 3, 4, 5
UDP_BYTES_MAX = 512
TTL_S = 30

PUBLIC = ("9.9.0.1", "2620:fe::1")       # where a test has its receiver
INSIDE = ("10.0.0.1", "fd00::1")         # where nothing may go
# After a name was asked for first. Not at the second question: a resolver may repeat the first.
MOVES_AFTER_S = 4


@dataclasses.dataclass
class Question:
    name: str          # in lower case
    kind: int          # A or AAAA, or another number
    number: int        # the how-manieth of this name and kind, from 1
    age_s: float       # since the first of them
    over_tcp: bool

    @property
    def tag(self):
        return self.name.split(".")[0].partition("-")[2]


@dataclasses.dataclass
class Reply:
    records: list = dataclasses.field(default_factory=list)  # (owner, kind, ttl, text)
    rcode: int = 0
    delay_s: float = 0
    truncated: bool = False
    silent: bool = False
    over_udp_whole: bool = False  # however long it is
    spoil: object = None          # bytes -> the bytes sent instead


def _of_kind(question, addresses, ttl_s=TTL_S, owner=None):
    """Those of `addresses` that are asked for, as records."""
    wanted = {A: 4, AAAA: 6}.get(question.kind)
    return [(owner or question.name, question.kind, ttl_s, text) for text in addresses
            if ipaddress.ip_address(text).version == wanted]


def _public(q):
    return Reply(_of_kind(q, PUBLIC))


def _ip(q):
    return Reply(_of_kind(q, [str(_address_in(q.tag))]))


def _address_in(tag):
    digits = tag.split("-")[0]
    kind = ipaddress.IPv4Address if len(digits) == 8 else ipaddress.IPv6Address
    return kind(int(digits, 16))


def _over_tcp_only(reply):
    return lambda q: reply(q) if q.over_tcp else Reply(truncated=True)


def _chain(q, length, addresses):
    """`length` CNAMEs, each leading to the next, the last to `addresses`."""
    names = [q.name] + [f"hop{n}.{q.name}" for n in range(1, length + 1)]
    links = [(name, CNAME, TTL_S, target) for name, target in zip(names, names[1:])]
    return Reply(links + _of_kind(q, addresses, owner=names[-1]))


def _many(q):
    return Reply(_of_kind(q, [f"9.9.{n // 250}.{n % 250 + 1}" for n in range(500)]))


def _over_udp(q):
    return dataclasses.replace(_many(q), over_udp_whole=True)


def _rebind(q):
    return Reply(_of_kind(q, PUBLIC if q.age_s < MOVES_AFTER_S else INSIDE, ttl_s=0))


def _flap(q):
    return Reply(_of_kind(q, PUBLIC if q.number % 2 == 1 else INSIDE, ttl_s=0))


def _mixed(q):
    return Reply(_of_kind(q, (PUBLIC[0], INSIDE[1]), ttl_s=0))


def _mixed6(q):
    return Reply(_of_kind(q, (INSIDE[0], PUBLIC[1]), ttl_s=0))


def _both(q):
    """In an order that changes with the tag."""
    addresses = list(INSIDE + PUBLIC if q.number % 2 == len(q.tag) % 2 else PUBLIC + INSIDE)
    return Reply(_of_kind(q, addresses, ttl_s=0))


def _mapped(q):
    return Reply(_of_kind(q, ["::ffff:" + INSIDE[0]], ttl_s=0))


def _cname_rebind(q):
    target = "target." + q.name
    addresses = PUBLIC if q.age_s < MOVES_AFTER_S else INSIDE
    return Reply([(q.name, CNAME, 0, target)] + _of_kind(q, addresses, ttl_s=0, owner=target))


def _poison(q):
    """What was asked for is not there; what was not asked for is."""
    return Reply(_of_kind(q, PUBLIC, owner="other.test"))


def _spoiled(change):
    return lambda q: dataclasses.replace(_public(q), spoil=change)


def _other_id(message):
    return bytes([message[0] ^ 0xff]) + message[1:]


def _other_question(message):
    return message[:13] + bytes([message[13] ^ 1]) + message[14:]


BEHAVIOURS = {
    "public": _public,
    "ip": _ip,
    # answers that are late or none
    "silent": lambda q: Reply(silent=True),
    "slow10": lambda q: dataclasses.replace(_public(q), delay_s=10),
    "deaf6": lambda q: _public(q) if q.kind == A else Reply(silent=True),
    "deafonce": lambda q: _public(q) if q.number > 1 else Reply(silent=True),
    # answers that say no
    "nx": lambda q: Reply(rcode=NXDOMAIN),
    "servfail": lambda q: Reply(rcode=SERVFAIL),
    "refused": lambda q: Reply(rcode=REFUSED),
    "notimp": lambda q: Reply(rcode=NOTIMP),
    "formerr": lambda q: Reply(rcode=FORMERR),
    "nodata": lambda q: Reply(),
    # answers over TCP
    "truncated": _over_tcp_only(_public),
    "many500": _many,
    "tcpsilent": _over_tcp_only(lambda q: Reply(silent=True)),
    "tcpslow10": _over_tcp_only(lambda q: dataclasses.replace(_public(q), delay_s=10)),
    # CNAMEs
    "cname20": lambda q: _chain(q, 20, PUBLIC),
    "dangling": lambda q: _chain(q, 3, ()),
    "cnameinside": lambda q: _chain(q, 1, INSIDE),
    "cnameloop": lambda q: Reply([(q.name, CNAME, TTL_S, "b." + q.name),
                                  ("b." + q.name, CNAME, TTL_S, q.name)]),
    # answers that are none
    "oversized": _over_udp,
    "poison": _poison,
    "otherid": _spoiled(_other_id),
    "otherquestion": _spoiled(_other_question),
    "cut": _spoiled(lambda message: message[:20]),
    "short": _spoiled(lambda message: message[:7]),
    "zeros": _spoiled(lambda message: message[:2] + bytes(len(message) - 2)),
    "noise": _spoiled(lambda message: message[:4] + b"\xff" * (len(message) - 4)),
    "loop": _spoiled(lambda message: message[:12] + b"\xc0\x0c\x00\x01\x00\x01" + message[18:]),
    # answers that lead inside
    "inside": lambda q: Reply(_of_kind(q, INSIDE)),
    "mapped": _mapped,
    "mixed": _mixed,
    "mixed6": _mixed6,
    "both": _both,
    "rebind": _rebind,
    "flap": _flap,
    "cnamerebind": _cname_rebind,
}


class ChaosDns:
    def __init__(self, address, port=53):
        self.questions = collections.Counter()  # (name, kind) -> how often it was asked
        self._first_asked = {}                  # (name, kind) -> when
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._tcp = socket.socket()
        for sock in (self._udp, self._tcp):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
            sock.setblocking(False)
        self._tcp.listen(128)
        self._wake_read, self._wake_write = socket.socketpair()
        self._connections = {}  # TCP socket -> [what it sent, what it is to be sent]
        self._later = []    # (when, order, socket, where, message)
        self._order = 0
        for sock in (self._udp, self._tcp, self._wake_read):
            self._selector.register(sock, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def asked(self, name, kind=A):
        with self._lock:
            return self.questions[name, kind]

    def stop(self):
        self._wake_write.send(b"x")
        self._thread.join()
        for sock in (self._udp, self._tcp, self._wake_read, self._wake_write, *self._connections):
            sock.close()
        self._selector.close()

    def _run(self):
        while True:
            wait_s = max(0, self._later[0][0] - time.monotonic()) if self._later else None
            for key, events in self._selector.select(wait_s):
                if key.fileobj is self._wake_read:
                    return
                if key.fileobj is self._udp:
                    self._read_udp()
                elif key.fileobj is self._tcp:
                    self._accept()
                else:
                    self._serve_tcp(key.fileobj, events)
            while self._later and self._later[0][0] <= time.monotonic():
                self._send(*heapq.heappop(self._later)[2:])

    def _read_udp(self):
        for _ in range(256):
            try:
                message, where = self._udp.recvfrom(4096)
            except BlockingIOError:
                return
            self._take(message, self._udp, where)

    def _accept(self):
        connection, _ = self._tcp.accept()
        connection.setblocking(False)
        self._connections[connection] = [b"", b""]
        self._selector.register(connection, selectors.EVENT_READ)

    def _serve_tcp(self, connection, events):
        if events & selectors.EVENT_WRITE:
            self._flush(connection)
        if not events & selectors.EVENT_READ or connection not in self._connections:
            return
        try:
            piece = connection.recv(65536)
        except OSError:
            piece = b""
        if not piece:
            self._drop(connection)
            return
        buffer = self._connections[connection][0] + piece
        while len(buffer) >= 2 and len(buffer) >= 2 + (length := int.from_bytes(buffer[:2], "big")):
            self._take(buffer[2:2 + length], connection, None)
            buffer = buffer[2 + length:]
        if connection in self._connections:
            self._connections[connection][0] = buffer

    def _drop(self, connection):
        self._selector.unregister(connection)
        del self._connections[connection]
        connection.close()

    def _flush(self, connection):
        buffers = self._connections[connection]
        try:
            buffers[1] = buffers[1][connection.send(buffers[1]):]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if buffers[1] else 0)
        self._selector.modify(connection, wanted)

    def _take(self, message, sock, where):
        name, kind, end = _read_question(message)
        with self._lock:
            self.questions[name, kind] += 1
            number = self.questions[name, kind]
        now = time.monotonic()
        age_s = now - self._first_asked.setdefault((name, kind), now)
        reply = reply_to(Question(name, kind, number, age_s, where is None))
        if reply.silent:
            return
        answer = _encode(message[:2], message[12:end], reply, where is None)
        if not reply.delay_s:
            self._send(sock, where, answer)
            return
        self._order += 1
        heapq.heappush(self._later,
                       (time.monotonic() + reply.delay_s, self._order, sock, where, answer))

    def _send(self, sock, where, message):
        if where is not None:
            self._udp.sendto(message, where)
        elif sock in self._connections:  # else it has gone meanwhile
            self._connections[sock][1] += struct.pack(">H", len(message)) + message
            self._flush(sock)


def reply_to(question):
    label = question.name.split(".")[0]
    behaviour = BEHAVIOURS.get(label) or BEHAVIOURS.get(label.partition("-")[0])
    return behaviour(question) if behaviour else Reply(rcode=NXDOMAIN)


def _read_question(message):
    """(name, kind, where it ends)"""
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1:at + 1 + length].decode("latin-1"))
        at += 1 + length
    return ".".join(labels).lower(), int.from_bytes(message[at + 1:at + 3], "big"), at + 5


def _encode_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _encode(identity, question, reply, over_tcp):
    records = b""
    for owner, kind, ttl_s, text in reply.records:
        data = _encode_name(text) if kind == CNAME else ipaddress.ip_address(text).packed
        records += _encode_name(owner) + struct.pack(">HHIH", kind, 1, ttl_s, len(data)) + data
    count, truncated = len(reply.records), reply.truncated
    too_long = 12 + len(question) + len(records) > UDP_BYTES_MAX
    if not over_tcp and (truncated or too_long and not reply.over_udp_whole):
        records, count, truncated = b"", 0, True
    flags = 0x8180 | reply.rcode | (0x0200 if truncated else 0)
    message = identity + struct.pack(">HHHHH", flags, 1, count, 0, 0) + question + records
    return reply.spoil(message) if reply.spoil else message
