"""A client that keeps bytes exact: it sends what the test wrote and returns what came.

One Client is one connection. Nothing is repeated or followed by itself; a read that takes longer
than the client's time-out raises.
"""

import dataclasses
import json
import socket


class Closed(Exception):
    """The other side closed before a whole answer was read; `rest` is what had come."""

    def __init__(self, rest):
        super().__init__(f"closed after {len(rest)} bytes: {rest[:200]!r}")
        self.rest = rest


@dataclasses.dataclass
class Response:
    status: int
    head: bytes      # status line and headers, with the empty line
    headers: list    # [(lower-case name, value)]
    body: bytes

    def header(self, name):
        """The value; None when absent; an error when it is there twice."""
        values = [v for n, v in self.headers if n == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"header {name} is there {len(values)} times: {self.head!r}")
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


class Client:
    def __init__(self, address, timeout_s=20):
        """`address` is a (host, port) or the path of a Unix socket."""
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.host = "localhost" if isinstance(address, str) else f"{address[0]}:{address[1]}"
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.settimeout(timeout_s)
        try:
            self.socket.connect(address)
            if family == socket.AF_INET:
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            self.socket.close()
            raise
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, raw):
        self.socket.sendall(raw)

    def encode(self, method, target, body=None, headers=()):
        """The request as bytes. `headers`: (name, value). A body that is not bytes becomes JSON."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"]
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            if not any(name.lower() == "content-type" for name, _ in headers):
                lines.append("Content-Type: application/json")
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")

    def request(self, method, target, body=None, headers=()):
        self.send(self.encode(method, target, body, headers))
        return self.response(head_only=method == "HEAD")

    def response(self, head_only=False):
        """The next answer; a 100 Continue counts as one."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status, headers = parse_head(head)
        if dict(headers).get("transfer-encoding") == "chunked" and not head_only:
            return Response(status, head + b"\r\n\r\n", headers, b"".join(self.chunks()))
        length = int(dict(headers).get("content-length", "0"))
        if head_only or status in (100, 204):
            length = 0
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Response(status, head + b"\r\n\r\n", headers, body)

    def head(self):
        """The head of an answer whose body the caller reads with chunks()."""
        return self.response(head_only=True)

    def chunks(self):
        """The chunks of a streamed body as they come, up to the last."""
        while True:
            while b"\r\n" not in self.buffer:
                self._more()
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            size = int(line, 16)
            while len(self.buffer) < size + 2:
                self._more()
            chunk, self.buffer = self.buffer[:size], self.buffer[size + 2:]
            if size == 0:
                return
            yield chunk

    def is_closed(self):
        """Waits for the other side to say more or to close; True when it closed without a byte."""
        if self.buffer:
            return False
        try:
            self.buffer = self.socket.recv(65536)
        except ConnectionResetError:
            return True
        return not self.buffer

    def _more(self):
        try:
            piece = self.socket.recv(262144)
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Closed(self.buffer)
        self.buffer += piece


def parse_head(head):
    lines = head.split(b"\r\n")
    version, status, *_ = lines[0].split(b" ")
    if version != b"HTTP/1.1":
        raise AssertionError(f"not a status line: {lines[0]!r}")
    headers = []
    for line in lines[1:]:
        name, value = line.split(b":", 1)
        headers.append((name.decode("latin-1").lower(), value.strip().decode("latin-1")))
    return int(status), headers
