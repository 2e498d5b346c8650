"""Receivers whose TLS is wrong: row O9 of the fault matrix, and what O15 comes down to, as HTTP/2
is never offered."""

import os
import signal
import ssl
import subprocess
import tempfile
import threading

from chaos_case import ONCE, RETRY, WITHOUT_BREAKER
from chaos_receiver import ChaosReceiver
from harness import SharedCase, free_port, main, poll
from tls_tricks import Authority, TlsReceiver, offered_protocols, server_context

HANDSHAKE = 0x16  # of a TLS record


class Tls(SharedCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.authority = Authority(f"{folder.name}/authority")
        cls.config = (f"delivery: {{targets: {{allow: [loopback]}}, {WITHOUT_BREAKER}, "
                      f"tls: {{ca: {cls.authority.file}}}}}\n")
        super().setUpClass()
        cls.good = cls.authority.certificate()

    def tls(self, files=None, **options):
        return self.keep(TlsReceiver(server_context(*(files or self.good), **options)))

    def keep(self, receiver):
        self.addCleanup(receiver.stop)
        return receiver

    def check_fails(self, receiver, errors=("tls",)):
        """Two attempts, two connections, not a byte in the clear, no request."""
        timer = self.d.set(receiver.url(), retry=RETRY, body="a secret")
        view = self.d.wait_state(timer, "dead")
        self.assertEqual([a["status"] for a in view["attempts"]], [None] * 2)
        for attempt in view["attempts"]:
            self.assertIn(attempt["error"], errors)
        poll(lambda: len(receiver.starts) == 2, "two connections")
        self.assertEqual({start[0] for start in receiver.starts}, {HANDSHAKE})
        self.assertEqual(receiver.requests, [])
        self.assertFalse(any(b"a secret" in start for start in receiver.starts))

    def test_o9_a_good_receiver_is_sent_to(self):
        # Else the tests below would show nothing.
        receiver = self.tls()
        for _ in range(3):
            self.d.wait_state(self.d.set(receiver.url(), retry=ONCE), "delivered")
        self.assertEqual((len(receiver.requests), len(receiver.starts)), (3, 1))

    def test_o9_a_certificate_out_of_time_fails(self):
        for start, end in (("20200101000000Z", "20200102000000Z"),
                           ("20400101000000Z", "20400102000000Z")):
            self.check_fails(self.tls(self.authority.certificate(start=start, end=end)))

    def test_o9_a_certificate_of_another_host_fails(self):
        for names in ("DNS:other.test", "IP:127.0.0.2", "DNS:127.0.0.1.other.test"):
            self.check_fails(self.tls(self.authority.certificate(names)))

    def test_o9_a_certificate_that_nobody_trusts_fails(self):
        self.check_fails(self.tls(self.authority.certificate(signed=False)))
        stranger = Authority(self.root / "stranger")
        self.check_fails(self.tls(stranger.certificate()))

    def test_o9_an_old_protocol_fails(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            self.check_fails(self.tls(version=version))

    def test_o9_a_huge_chain_fails(self):
        certificate, key = self.authority.certificate()
        chain = self.root / "chain.pem"
        with open(certificate, encoding="ascii") as leaf:
            chain.write_text(leaf.read() + self.authority.file.read_text() * 400)
        self.check_fails(self.tls((str(chain), key)))

    def test_o9_what_speaks_no_tls_gets_no_plain_text(self):
        def answer(sock):
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            while sock.recv(65536):
                pass
        self.check_fails(self.keep(TlsReceiver(play=answer)))
        self.check_fails(self.keep(TlsReceiver(play=lambda sock: sock.shutdown(2))))

    def test_o9_a_stalled_handshake_ends_at_the_connect_time_out(self):
        # Both may take a minute; only connecting has a limit of its own, and it is shorter.
        chaos = self.keep(ChaosReceiver())
        unanswered = self.d.set(chaos.url("hang"), timeout="60s", retry=ONCE)
        stop = threading.Event()
        self.addCleanup(stop.set)
        stalled = self.keep(TlsReceiver(play=lambda sock: stop.wait()))
        timer = self.d.set(stalled.url(), timeout="60s", retry=ONCE)
        view = self.d.wait_state(timer, "dead", 50)
        self.assertEqual([a["error"] for a in view["attempts"]], ["timeout"])
        self.assertEqual(self.d.view(unanswered)["state"], "firing")

    def test_o9_no_keys_are_logged(self):
        receiver = self.tls()
        keys = self.root / "keys.log"
        self.d.kill()
        self.d.env = {"SSLKEYLOGFILE": str(keys)}
        self.d.start()
        self.d.wait_state(self.d.set(receiver.url(), retry=ONCE), "delivered")
        self.assertFalse(keys.exists())

    def test_o9_renegotiation_is_one_attempt(self):
        port = free_port()
        server = subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-tls1_2", "-cert",
             self.good[0], "-key", self.good[1]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(server.communicate)
        self.addCleanup(server.send_signal, signal.SIGKILL)
        read_until(server.stdout, b"ACCEPT")
        timer = self.d.set(f"https://127.0.0.1:{port}/hook", retry=ONCE)
        read_until(server.stdout, b"webhook-due")
        # It is refused; the answer may come through or not.
        server.stdin.write(b"r\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        server.stdin.flush()
        poll(lambda: self.d.view(timer)["state"] in ("delivered", "dead"), "it ended")
        self.assertEqual(len(self.d.view(timer)["attempts"]), 1)

    def test_o15_http2_is_not_offered(self):
        receiver = self.tls(alpn=["h2", "http/1.1"])
        self.d.wait_state(self.d.set(receiver.url(), retry=ONCE), "delivered")
        self.assertEqual(offered_protocols(receiver.starts[0]), ["http/1.1"])
        self.assertEqual(receiver.protocols, ["http/1.1"])
        self.assertTrue(receiver.requests[0].startswith(b"POST /hook/"))


def read_until(stream, word):
    read = b""
    while word not in read:
        piece = os.read(stream.fileno(), 4096)
        if not piece:
            raise AssertionError(f"ended without {word}: {read}")
        read += piece
    return read


if __name__ == "__main__":
    main()
