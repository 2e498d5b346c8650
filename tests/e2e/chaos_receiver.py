"""The chaos receiver: takes webhooks and misbehaves, one behaviour a path. One thread, one loop.

    chaos_receiver.py [PORT]     serves on 127.0.0.1 until it is interrupted, then says what came

The first part of a request's path names the behaviour, the next may be its argument:
`/hang/7`, `/late/900/7`. chaos_behaviours.py has them all. With the argument `once` only a timer's
first attempt meets the behaviour, the others an answer of 204.

Each request is counted for its timer as soon as its head is there, whatever becomes of it: "one
request on the wire = one recorded attempt" is `requests_of(id)` held against `view=full`. What goes
wrong before a path can be read has a port of its own, a door; there connections are counted too.
"""

import asyncio
import dataclasses
import socket
import struct
import sys
import threading
import time
import urllib.parse

from harness import free_port, poll

HEAD_MAX = 64 * 1024


class Gone(Exception):
    """The peer closed or reset the connection."""


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: dict                # by lower-case name
    connection: int              # which one, from 1
    nth: int                     # which request on it, from 1
    length: int = 0              # of its body
    read: int = 0                # bytes of the body that were read
    sent: int = 0                # bytes of an answer that the kernel took
    cut: bool = False            # the peer ended it before we were through

    def __post_init__(self):
        self.length = int(self.headers.get("content-length", 0))
        path, _, query = self.target.partition("?")
        self.parts = path.strip("/").split("/")
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))

    @property
    def behaviour(self):
        return self.parts[0]

    @property
    def argument(self):
        return self.parts[1] if len(self.parts) > 2 else ""

    @property
    def id(self):
        """The timer's id, from webhook-id."""
        return int(self.headers["webhook-id"].rsplit("-", 1)[1])

    @property
    def attempt(self):
        return int(self.headers["webhook-attempt"])


def parse_head(head, connection, nth):
    lines = head.decode("latin-1").split("\r\n")
    method, target, _ = lines[0].split(" ", 2)
    pairs = [line.split(":", 1) for line in lines[1:]]
    headers = {name.lower(): value.strip() for name, value in pairs}
    return Request(method, target, headers, connection, nth)


class Connection:
    """One socket, for a behaviour to play with. Methods raise Gone when the peer has ended it."""

    def __init__(self, chaos, sock, number):
        self.chaos = chaos
        self.socket = sock
        self.number = number
        self.requests = 0
        self.request = None
        self._buffer = b""

    @property
    def closed(self):
        return self.socket.fileno() < 0

    async def head(self):
        """The next request, its body unread; None: the peer has ended."""
        head = await self.take_head()
        return None if head is None else self._note(head)

    async def take_head(self):
        while b"\r\n\r\n" not in self._buffer:
            piece = await self._receive()
            if not piece or len(self._buffer) > HEAD_MAX:
                return None
            self._buffer += piece
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        return head

    async def peek(self):
        """As head(), but it stays unread in the socket, so that a close becomes a reset."""
        while True:
            await self._readable()
            seen = self.socket.recv(HEAD_MAX, socket.MSG_PEEK)
            if not seen:
                return None
            if b"\r\n\r\n" in seen:
                return self._note(seen.split(b"\r\n\r\n", 1)[0])

    def _note(self, head):
        self.requests += 1
        self.request = parse_head(head, self.number, self.requests)
        self.chaos.note(self.request)
        return self.request

    async def body(self, most=None):
        """Reads the body of the request, or `most` bytes of it."""
        wanted = self.request.length if most is None else most
        while self.request.read < wanted:
            piece = self._buffer or await self._receive()
            if not piece:
                raise Gone
            taken = min(len(piece), wanted - self.request.read)
            self._buffer = piece[taken:]
            self.request.read += taken

    async def send(self, data):
        try:
            await self.chaos.loop.sock_sendall(self.socket, data)
        except OSError:
            self._cut()
        self.request.sent += len(data)

    async def until_gone(self):
        """Keeps the connection, without a word, until the peer ends it."""
        while await self._receive():
            pass
        raise Gone

    async def hold(self):
        """Until release() or the end of the peer; counted as held meanwhile."""
        chaos = self.chaos
        chaos.held += 1
        chaos.held_most = max(chaos.held_most, chaos.held)
        gone = asyncio.ensure_future(self._receive())
        released = asyncio.ensure_future(chaos.released.wait())
        try:
            await asyncio.wait((gone, released), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                gone.exception()
                raise Gone
        finally:
            chaos.held -= 1
            for future in (gone, released):
                future.cancel()

    def end_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()

    async def _receive(self):
        try:
            return await self.chaos.loop.sock_recv(self.socket, 65536)
        except OSError:
            return self._cut()

    async def _readable(self):
        ready = self.chaos.loop.create_future()
        descriptor = self.socket.fileno()
        self.chaos.loop.add_reader(descriptor, lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            self.chaos.loop.remove_reader(descriptor)

    def _cut(self):
        if self.request is not None:
            self.request.cut = True
        raise Gone


class ChaosReceiver:
    def __init__(self, host="127.0.0.1", port=None):
        # It serves what this file defines.
        from chaos_behaviours import BEHAVIOURS, DOORS  # pylint: disable=import-outside-toplevel
        self._behaviours = BEHAVIOURS
        self._doors = DOORS
        self.requests = []
        self.connections = 0     # accepted at the main port
        self.errors = []         # of the behaviours themselves; must stay empty
        self.held = 0            # requests in Connection.hold() now, and the most there were
        self.held_most = 0
        self.loop = asyncio.new_event_loop()
        self.released = asyncio.Event()
        self._by_id = {}
        self._at_door = {}       # name -> [port, connections]
        self._tasks = set()
        self._sockets = []
        self.port = port or free_port()
        self._listener = self._listen(host, self.port, 4096)
        self.loop.create_task(self._accept(self._listener, self._serve, None))
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    # --- for the test, on its thread -------------------------------------------------------------
    def url(self, behaviour, argument="", host="127.0.0.1", **query):
        path = f"/{behaviour}/{argument}" if argument != "" else f"/{behaviour}"
        tail = "?" + urllib.parse.urlencode(query) if query else ""
        return f"http://{host}:{self.port}{path}{tail}"

    def door(self, name, path="/ok"):
        """A URL whose connections misbehave from the start."""
        if name not in self._at_door:
            self._at_door[name] = [None, 0]
            asyncio.run_coroutine_threadsafe(self._open_door(name), self.loop).result()
        return f"http://127.0.0.1:{self._at_door[name][0]}{path}"

    def connections_at(self, door):
        return self._at_door[door][1]

    def requests_of(self, timer_id):
        return list(self._by_id.get(timer_id, ()))

    def wait(self, condition, what, timeout_s=20):
        poll(condition, what, timeout_s)

    def release(self):
        """Those that hold, and from now on all that would."""
        self.loop.call_soon_threadsafe(self.released.set)

    def stop(self):
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    # --- on the loop -----------------------------------------------------------------------------
    def note(self, request):
        self.requests.append(request)
        if "webhook-id" in request.headers:
            self._by_id.setdefault(request.id, []).append(request)

    def _listen(self, host, port, backlog):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(backlog)
        sock.setblocking(False)
        self._sockets.append(sock)
        return sock

    async def _open_door(self, name):
        if name == "full":
            # The kernel drops what it cannot queue: nobody answers a SYN.
            listener = self._listen("127.0.0.1", 0, 0)
            filler = socket.create_connection(listener.getsockname())
            self._sockets.append(filler)
        else:
            listener = self._listen("127.0.0.1", 0, 1024)
            self._start(self._accept(listener, self._doors[name], name))
        self._at_door[name][0] = listener.getsockname()[1]

    def _start(self, coroutine):
        task = self.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener, serve, door):
        while True:
            sock, _ = await self.loop.sock_accept(listener)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += door is None
            if door is not None:
                self._at_door[door][1] += 1
            self._start(self._guard(serve, Connection(self, sock, self.connections)))

    async def _guard(self, serve, connection):
        try:
            await serve(connection)
        except Gone:
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(repr(error))
        finally:
            connection.close()

    async def _serve(self, connection):
        """Requests until the peer ends or a behaviour closes the connection."""
        peeks = False
        while not connection.closed:
            request = await (connection.peek() if peeks else connection.head())
            if request is None:
                return
            behaviour = self._behaviours[request.behaviour]
            if request.argument == "once" and request.attempt > 1:
                behaviour = self._behaviours["ok"]
            if peeks and not behaviour.peeks_next:
                await connection.take_head()
            if behaviour.reads_body and not (peeks and behaviour.peeks_next):
                await connection.body()
            await behaviour(connection, request)
            peeks = behaviour.peeks_next

    async def _end(self):
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        for sock in self._sockets:
            sock.close()


def main():
    chaos = ChaosReceiver(port=int(sys.argv[1]) if len(sys.argv) > 1 else None)
    print(f"http://127.0.0.1:{chaos.port}", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        chaos.stop()
    for request in chaos.requests:
        print(request.headers.get("webhook-id"), request.headers.get("webhook-attempt"),
              request.target)


if __name__ == "__main__":
    main()
