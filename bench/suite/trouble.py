"""Hosts that make trouble, each on a thread of this process; and a count of the sockets to one."""

import collections
import re
import selectors
import socket
import threading
import time

SYN_SENT_TO_LAST_ACK = b"0[1-57-9B]"  # all states of a socket with a peer but TIME_WAIT


class BlackHole:
    """A port that takes no connection: its queue is full, and further SYNs are dropped."""

    def __init__(self, host):
        self._sockets = [socket.create_server((host, 0), backlog=0)]
        self.address = self._sockets[0].getsockname()
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.address)
            self._sockets.append(filler)

    @property
    def url(self):
        return f"http://{self.address[0]}:{self.address[1]}/"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self._sockets:
            one.close()


class SlowHosts:
    """Answers whatever comes to its port, to any address, `delay_s` after it came."""

    ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

    def __init__(self, delay_s):
        self.most = 0               # connections at once
        self._delay_s = delay_s
        self._open = set()
        self._due = collections.deque()
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("0.0.0.0", 0), backlog=4096)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._thread.join()
        for one in [self._listener, *self._open]:
            one.close()

    def _run(self):
        while not self._stopping:
            for key, _ in self._selector.select(0.1):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._read(key.fileobj)
            while self._due and self._due[0][0] < time.monotonic():
                self._answer(self._due.popleft()[1])

    def _accept(self):
        try:
            while True:
                one, _ = self._listener.accept()
                one.setblocking(False)
                self._open.add(one)
                self.most = max(self.most, len(self._open))
                self._selector.register(one, selectors.EVENT_READ)
        except BlockingIOError:
            pass

    def _read(self, one):
        try:
            data = one.recv(65536)
        except OSError:
            data = b""
        if data:
            self._due.append((time.monotonic() + self._delay_s, one))
        else:
            self._close(one)

    def _answer(self, one):
        if one not in self._open:
            return
        try:
            one.send(self.ANSWER)
        except OSError:
            pass
        self._close(one)

    def _close(self, one):
        self._selector.unregister(one)
        self._open.discard(one)
        one.close()


class SocketCount:
    """The most sockets to an address that were there at any look; those that are there now not
    counted."""

    def __init__(self, address, every_s=0.1):
        host = "".join(f"{int(part):02X}" for part in reversed(address[0].split(".")))
        self._row = re.compile(rb" %s:%04X %s " % (host.encode(), address[1],
                                                    SYN_SENT_TO_LAST_ACK))
        self._every_s = every_s
        self._before = self._count()
        self.most = self.looks = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stopping.set()
        self._thread.join()

    def _count(self):
        with open("/proc/self/net/tcp", "rb") as table:
            return len(self._row.findall(table.read()))

    def _run(self):
        while not self._stopping.wait(self._every_s):
            self.most = max(self.most, self._count() - self._before)
            self.looks += 1
