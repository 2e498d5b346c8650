"""A webhook receiver that misbehaves on request: one thread, one selector, any number of sockets.

`behave(got)` decides the answer to each request; `spoil(connection)` may decide to close a
connection whose next request has arrived but was not read. Every request is kept in `requests` with
the time its last byte was read (or, for a spoiled one, when its first byte was seen).
"""

import dataclasses
import heapq
import selectors
import socket
import struct
import threading
import time


@dataclasses.dataclass
class Answer:
    status: int = 200
    headers: tuple = ()          # (name, value)
    body: bytes = b""
    delay_s: float = 0
    drop: bool = False           # close without an answer
    hang: bool = False           # never answer, keep the connection
    hold: bool = False           # answer once release() is called
    close: bool = False          # answer, then close


@dataclasses.dataclass
class Got:
    method: str = ""
    target: str = ""
    headers: list = dataclasses.field(default_factory=list)  # (name as sent, value)
    body: bytes = b""
    wall: float = 0
    mono: float = 0
    connection: int = 0          # which connection, from 1
    nth: int = 0                 # which request on it, from 1
    read: bool = True            # False: spoiled, only seen

    def header(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"header {name} is there {len(values)} times")
        return values[0] if values else None

    @property
    def id(self):
        """The timer's id, from webhook-id."""
        value = self.header("webhook-id")
        return int(value.rsplit("-", 1)[1]) if value else None


class _Connection:
    def __init__(self, sock, number):
        self.socket = sock
        self.number = number
        self.buffer = b""
        self.seen = 0
        self.out = b""
        self.close_when_sent = False


class Receiver:
    def __init__(self, behave=None, spoil=None, port=0, backlog=1024,
                 host="127.0.0.1"):
        self.behave = behave or (lambda got: Answer())
        self.spoil = spoil or (lambda connection, nth: False)
        self.requests = []
        self.connections = 0
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._later = []
        self._held = []
        self._released = False
        self._open = {}
        self._order = 0
        self._listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(backlog)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"

    def wait(self, done, timeout_s=20):
        """Waits until `done(requests)` is true; a number means so many requests."""
        if isinstance(done, int):
            count = done
            done = lambda requests: len(requests) >= count  # noqa: E731
        with self._changed:
            if not self._changed.wait_for(lambda: done(self.requests), timeout_s):
                raise AssertionError(f"after {timeout_s} s only {len(self.requests)} requests: "
                                     f"{[r.target for r in self.requests[-20:]]}")
            return list(self.requests)

    def snapshot(self):
        with self._changed:
            return list(self.requests)

    def clear(self):
        with self._changed:
            self.requests.clear()

    def close_idle(self):
        """Closes every open connection, as a receiver does that is restarted."""
        self._post(lambda: [self._close(c) for c in list(self._open.values())])

    def release(self):
        """Answers those that are held, and from now on all that would be."""
        def answer_all():
            self._released = True
            for connection, answer in self._held:
                self._answer(connection, answer)
            self._held.clear()
        self._post(answer_all)

    def drain(self):
        """Returns when all that had been sent to it is in `requests`."""
        def read_all():
            while True:
                events = [(key, what) for key, what in self._selector.select(0)
                          if key.fileobj is not self._wake_read]
                if not events:
                    return
                self._handle(events)
        self._post(read_all)

    def stop(self):
        if self._stopping:
            return
        self._stopping = True
        self._wake_write.send(b"x")
        self._thread.join()
        for connection in list(self._open.values()):
            connection.socket.close()
        for sock in (self._listener, self._wake_read, self._wake_write):
            sock.close()
        self._selector.close()

    def _post(self, action):
        done = threading.Event()
        self._defer(0, lambda: (action(), done.set()))
        self._wake_write.send(b"x")
        done.wait()

    def _defer(self, delay_s, action):
        with self._changed:
            self._order += 1
            heapq.heappush(self._later, (time.monotonic() + delay_s, self._order, action))

    def _run(self):
        while not self._stopping:
            with self._changed:
                wait_s = self._later[0][0] - time.monotonic() if self._later else None
            self._handle(self._selector.select(None if wait_s is None else max(0, wait_s)))
            self._run_later()

    def _handle(self, events):
        for key, what in events:
            if key.fileobj is self._wake_read:
                self._wake_read.recv(4096)
            elif key.fileobj is self._listener:
                self._accept()
            elif key.data.socket.fileno() >= 0:
                self._serve(key.data, what)

    def _run_later(self):
        while True:
            with self._changed:
                if not self._later or self._later[0][0] > time.monotonic():
                    return
                action = heapq.heappop(self._later)[2]
            action()

    def _accept(self):
        for _ in range(256):
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            connection = _Connection(sock, self.connections)
            self._open[sock] = connection
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _close(self, connection, reset=False):
        if connection.socket.fileno() < 0:
            return
        self._selector.unregister(connection.socket)
        del self._open[connection.socket]
        if reset:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                         struct.pack("ii", 1, 0))
        connection.socket.close()

    def _serve(self, connection, events):
        if events & selectors.EVENT_WRITE:
            self._flush(connection)
        if not events & selectors.EVENT_READ or connection.socket.fileno() < 0:
            return
        try:
            if not connection.buffer and self._spoiled(connection):
                return
            piece = connection.socket.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._close(connection)
            return
        connection.buffer += piece
        while connection.socket.fileno() >= 0 and self._take(connection):
            pass

    def _spoiled(self, connection):
        if not self.spoil(connection.number, connection.seen + 1):
            return False
        if not connection.socket.recv(1, socket.MSG_PEEK):
            return False
        connection.seen += 1
        self._note(Got(wall=time.time(), mono=time.monotonic(), connection=connection.number,
                       nth=connection.seen, read=False))
        self._close(connection, reset=True)
        return True

    def _take(self, connection):
        """Takes one request off the buffer; False when it is not complete."""
        head, mark, rest = connection.buffer.partition(b"\r\n\r\n")
        if not mark:
            return False
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        length = next((int(v) for n, v in headers if n.lower() == "content-length"), 0)
        if len(rest) < length:
            return False
        connection.buffer = rest[length:]
        connection.seen += 1
        method, target, _ = lines[0].split(" ", 2)
        got = Got(method, target, headers, rest[:length], time.time(), time.monotonic(),
                  connection.number, connection.seen)
        answer = self.behave(got)
        self._note(got)
        if answer.hold and not self._released:
            self._held.append((connection, answer))
        elif answer.delay_s:
            self._defer(answer.delay_s, lambda: self._answer(connection, answer))
        else:
            self._answer(connection, answer)
        return True

    def _note(self, got):
        with self._changed:
            self.requests.append(got)
            self._changed.notify_all()

    def _answer(self, connection, answer):
        if answer.hang or connection.socket.fileno() < 0:
            return
        if answer.drop:
            self._close(connection)
            return
        lines = [f"HTTP/1.1 {answer.status} X", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.close:
            lines.append("Connection: close")
        connection.out += "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + answer.body
        connection.close_when_sent = answer.close
        self._flush(connection)

    def _flush(self, connection):
        try:
            sent = connection.socket.send(connection.out)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return
        connection.out = connection.out[sent:]
        if not connection.out and connection.close_when_sent:
            self._close(connection)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.out else 0)
        self._selector.modify(connection.socket, wanted, connection)
