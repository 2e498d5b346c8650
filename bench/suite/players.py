"""Players that have stream slots: many leases, and a heartbeat of each in its turn."""

import socket
import time

from processes import BenchError

CONNECTIONS = 16
DEPTH = 64               # requests of one connection that wait for their answers
LIMIT_S = 60
ID_MARK = b'{"streamId":"'
ID_BYTES = 36


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def send(self, requests):
        self.socket.sendall(b"".join(requests))

    def answers(self, count, status):
        """The next `count` answers as one text; each must have this status."""
        begin = b"HTTP/1.1 " + status
        while self.buffer.count(b"HTTP/1.1 ") < count or not self.buffer.endswith(b"}"):
            more = self.socket.recv(1 << 18)
            if not more:
                raise BenchError("belfry closed a connection of the players")
            self.buffer += more
        text, self.buffer = self.buffer, b""
        if text.count(begin) != count:
            raise BenchError(f"a player was answered {text[:200]!r}")
        return text

    def close(self):
        self.socket.close()


def request(verb, path, body=b""):
    head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
    if not body:
        return head + b"\r\n"
    return head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


class Players:
    """`users` with `each` streams. Heartbeats go round in the order of the starts."""

    def __init__(self, port, users, each, ttl):
        self.connections = [Connection(port) for _ in range(CONNECTIONS)]
        self.beats = []
        body = b'{"content":"film","ttl":"%s"}' % ttl.encode()
        names = [f"/users/u{n}/streams" for n in range(users) for _ in range(each)]
        for first in range(0, len(names), CONNECTIONS * DEPTH):
            self._start(names[first:first + CONNECTIONS * DEPTH], body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()

    def _shares(self, items):
        share = -(-len(items) // CONNECTIONS)
        for number, connection in enumerate(self.connections):
            mine = items[number * share:(number + 1) * share]
            if mine:
                yield connection, mine

    def _start(self, names, body):
        shares = list(self._shares(names))
        for connection, mine in shares:
            connection.send([request("POST", name, body) for name in mine])
        for connection, mine in shares:
            ids = connection.answers(len(mine), b"201").split(ID_MARK)[1:]
            for name, text in zip(mine, ids):
                self.beats.append(request("PUT", f"{name}/{text[:ID_BYTES].decode()}"))

    def beat(self, period_s, run_s):
        """Heartbeats of all, each every `period_s`, for `run_s`: how many, and how long the
        batches of 10 ms took to be answered, in ms."""
        step_s = 0.01
        sent, place, times = 0, 0, []
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < run_s:
            due = int(passed / period_s * len(self.beats)) + 1
            batch = min(due - sent, CONNECTIONS * DEPTH)
            if batch > 0:
                asked = time.monotonic()
                self._beat_batch(place, batch)
                times.append((time.monotonic() - asked) * 1e3)
                place = (place + batch) % len(self.beats)
                sent += batch
            time.sleep(max(0.0, step_s - (time.monotonic() - begun - passed)))
        return sent, time.monotonic() - begun, sorted(times)

    def _beat_batch(self, place, count):
        beats = (self.beats[place:place + count] +
                 self.beats[:max(0, place + count - len(self.beats))])
        shares = list(self._shares(beats))
        for connection, mine in shares:
            connection.send(mine)
        for connection, mine in shares:
            connection.answers(len(mine), b"200")
