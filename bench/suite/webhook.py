"""A receiver for a few webhooks that remembers when each arrived."""

import socket
import threading
import time

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class WebhookReceiver:
    """Listens on loopback once `listen` is called; the address is known before."""

    def __init__(self, port):
        self.port = port
        self.first_ns = None  # UTC, when the first request was complete
        self._arrived = threading.Event()
        self._socket = None
        self._thread = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook"

    def listen(self):
        self._socket = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __enter__(self):
        return self.listen()

    def __exit__(self, *_):
        # A thread in accept() does not notice close() alone.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def wait(self, limit_s):
        return self._arrived.wait(limit_s)

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection:
            buffer = b""
            try:
                while data := connection.recv(65536):
                    buffer += data
                    while b"\r\n\r\n" in buffer:
                        if self.first_ns is None:
                            self.first_ns = time.time_ns()
                            self._arrived.set()
                        buffer = buffer.split(b"\r\n\r\n", 1)[1]
                        connection.sendall(ANSWER)
            except OSError:
                pass
