"""Webhooks that are due evenly spread, each set through the API shortly before; and how late they
came, by the log of the `belfry-bench sink` that received them.

The due time is the last part of their path, so the log alone says how late each was.
"""

import datetime
import json
import re
import socket
import threading
import time

from processes import BenchError, free_port

LEAD_S = 1.5       # from the set to the due time
BATCH_S = 0.1
PIPELINED = 64


class Api:
    """One connection to the daemon, with many requests under way."""

    def __init__(self, belfry):
        self._socket = socket.create_connection(("127.0.0.1", belfry.port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def get(self, path):
        return self._checked("GET", path, [b""])[0]

    def post(self, path, body):
        return self.post_all(path, [body])[0]

    def post_all(self, path, bodies):
        """The bodies of the answers; a BenchError when one is no success."""
        answers = []
        for first in range(0, len(bodies), PIPELINED):
            some = [json.dumps(body).encode() for body in bodies[first:first + PIPELINED]]
            answers += self._checked("POST", path, some)
        return answers

    def count(self, state):
        return self.get(f"/timers/count?state={state}")["count"]

    def _checked(self, method, path, bodies):
        line = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
        kind = "Content-Type: application/json\r\nContent-Length: "
        try:
            self._socket.sendall(b"".join(
                f"{line}{kind}{len(body)}\r\n\r\n".encode() + body if body
                else f"{line}\r\n".encode() for body in bodies))
            answers = [self._answer() for _ in bodies]
        except OSError as error:
            raise BenchError(f"belfry does not answer: {error}") from error
        for status, text in answers:
            if not 200 <= status < 300:
                raise BenchError(f"belfry answered {status} to {method} {path}: {text.decode()}")
        return [json.loads(text) for _, text in answers]

    def _answer(self):
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
        while len(rest) < length:
            rest += self._read()
        self._buffer = rest[length:]
        return int(head.split(b" ", 2)[1]), rest[:length]

    def _read(self):
        data = self._socket.recv(1 << 18)
        if not data:
            raise BenchError("belfry closed the connection")
        self._buffer += data
        return data


def rfc3339(ms):
    at = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


class Sink:
    """`belfry-bench sink` that writes down what came."""

    def __init__(self, bench, folder, name, host="127.0.0.1"):
        self.port = free_port()
        self._path = folder / f"{name}.arrivals"
        self._client = bench.client(folder, "sink", "--listen", f"{host}:{self.port}",
                                    "--arrivals", self._path, name=name)
        self._client.wait_listening()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.process.end()

    def url(self, path="", host="127.0.0.1"):
        return f"http://{host}:{self.port}/{path}"

    def arrivals(self):
        """Ends it. [(UTC ns, the parts of the path, the id of the timer)] as they came."""
        self._client.interrupt()
        self._client.result(60)
        came = []
        with open(self._path, encoding="ascii") as file:
            for line in file:
                at, target = line.split()
                parts = target.split("/")
                came.append((int(at), parts[1:-1], int(parts[-1])))
        return came


class Steady:
    """Sets `rate` timers a second, in turn to each of `urls`, on a thread of its own, until it is
    stopped. `phase` is the first part of their path."""

    def __init__(self, belfry, phase, urls, rate):
        self.phase = phase
        self.late = set()        # due times, in ms, of those that were not set in time
        self.due_ms = []         # of all
        self._belfry = belfry
        self._urls = urls
        self._gap_ms = 1000 / rate
        self._stopping = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        """Returns once the last of them has been due for a moment."""
        self._stopping.set()
        self._thread.join()
        if self._error:
            raise self._error
        time.sleep(max(0, self.due_ms[-1] / 1000 - time.time()) + 0.5)

    def _run(self):
        try:
            with Api(self._belfry) as api:
                self._set_all(api)
        except BenchError as error:
            self._error = error

    def _set_all(self, api):
        first_ms = time.time() * 1000 + LEAD_S * 1000
        while not self._stopping.wait(BATCH_S):
            until_ms = time.time() * 1000 + LEAD_S * 1000
            batch = []
            while (due_ms := round(first_ms + len(self.due_ms) * self._gap_ms)) < until_ms:
                url = self._urls[len(self.due_ms) % len(self._urls)]
                batch.append((due_ms, f"{url}{self.phase}/{due_ms}"))
                self.due_ms.append(due_ms)
            api.post_all("/timers", [{"at": rfc3339(due_ms), "url": url}
                                     for due_ms, url in batch])
            now_ms = time.time() * 1000
            self.late.update(due_ms for due_ms, _ in batch if due_ms <= now_ms)

    def lateness(self, *arrivals):
        """{"p50_ms", "p99_ms", "max_ms", "count"} of those that came to sinks; a BenchError when
        one is missing, early, or there twice."""
        late_ms, seen = [], set()
        for at_ns, parts, timer in (one for came in arrivals for one in came):
            if parts[0] != self.phase:
                continue
            if timer in seen:
                raise BenchError(f"{self.phase}: timer {timer} came twice")
            seen.add(timer)
            due_ms = int(parts[1])
            if at_ns < due_ms * 1_000_000:
                raise BenchError(f"{self.phase}: timer {timer} came early")
            if due_ms not in self.late:
                late_ms.append(at_ns / 1e6 - due_ms)
        if len(seen) != len(self.due_ms):
            raise BenchError(f"{self.phase}: {len(seen)} of {len(self.due_ms)} came")
        if len(late_ms) < len(seen) / 2:
            raise BenchError(f"{self.phase}: most were due before they were set")
        late_ms.sort()
        return {"p50_ms": late_ms[len(late_ms) // 2], "p99_ms": late_ms[len(late_ms) * 99 // 100],
                "max_ms": late_ms[-1], "count": len(late_ms)}


def steady_for(run_s, *arguments):
    """A Steady that is over: its timers were due during `run_s` seconds."""
    steady = Steady(*arguments)
    time.sleep(run_s)
    steady.stop()
    return steady
