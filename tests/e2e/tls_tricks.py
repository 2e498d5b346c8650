"""Receivers behind TLS: certificates made with openssl(1), a server that plays tricks, and what a
ClientHello offers."""

import pathlib
import socket
import ssl
import subprocess
import threading
import warnings

CA_CONFIG = """
[ca]
default_ca = own
[own]
new_certs_dir = {0}
database = {0}/index.txt
serial = {0}/serial
certificate = {0}/ca.pem
private_key = {0}/ca.key
default_md = sha256
unique_subject = no
copy_extensions = copy
policy = any
[any]
commonName = optional
"""
EC_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A certificate authority in a directory of its own."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.file = self.directory / "ca.pem"
        self._made = 0
        (self.directory / "index.txt").touch()
        (self.directory / "serial").write_text("01\n", encoding="ascii")
        (self.directory / "ca.cnf").write_text(CA_CONFIG.format(self.directory), encoding="ascii")
        self._openssl("req", "-x509", *EC_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
                      "-subj", "/CN=belfry test authority")

    def certificate(self, names="IP:127.0.0.1", start=None, end=None, signed=True):
        """Files of the certificate and its key; `start` and `end` as YYYYMMDDHHMMSSZ."""
        self._made += 1
        key, request, made = (f"{self._made}.{end}" for end in ("key", "csr", "pem"))
        subject = ("-subj", "/CN=belfry test", "-addext", f"subjectAltName={names}")
        if not signed:
            self._openssl("req", "-x509", *EC_KEY, "-keyout", key, "-out", made, "-days", "2",
                          *subject)
        else:
            self._openssl("req", *EC_KEY, "-keyout", key, "-out", request, *subject)
            times = ("-startdate", start, "-enddate", end) if start else ("-days", "2")
            self._openssl("ca", "-config", "ca.cnf", "-batch", "-notext", "-in", request, "-out",
                          made, *times)
        return str(self.directory / made), str(self.directory / key)

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.directory, check=True, capture_output=True)


def server_context(certificate, key, version=None, alpn=None):
    """`version`: the only one that is spoken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if version is not None:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
    context.load_cert_chain(certificate, key)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


class TlsReceiver:
    """Answers 204 to each request; with `play(socket)` instead it does that on each connection. One
    thread a connection."""

    def __init__(self, context=None, play=None):
        self.context = context
        self.play = play
        self.starts = []         # the first bytes of each connection
        self.requests = []       # heads, as read
        self.protocols = []      # as chosen by ALPN, of each handshake
        self._open = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def url(self, scheme="https"):
        return f"{scheme}://127.0.0.1:{self.port}/hook"

    def stop(self):
        for sock in [self._listener] + self._open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join()
        self._listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with sock:
            try:
                self.starts.append(sock.recv(4096, socket.MSG_PEEK))
                if self.play:
                    self.play(sock)
                else:
                    self._answer(sock)
            except OSError:  # ssl.SSLError is one
                pass

    def _answer(self, sock):
        with self.context.wrap_socket(sock, server_side=True) as stream:
            self._open.append(stream)
            self.protocols.append(stream.selected_alpn_protocol())
            read = b""
            while piece := stream.recv(65536):
                read += piece
                if b"\r\n\r\n" in read:
                    self.requests.append(read)
                    read = b""
                    stream.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def offered_protocols(hello):
    """The ALPN names in the TLS record of a ClientHello; None: it has no such extension."""
    body = hello[5 + 4:]                     # record header, handshake header
    at = 2 + 32                              # version, random
    at += 1 + body[at]                       # session
    at += 2 + int.from_bytes(body[at:at + 2], "big")  # ciphers
    at += 1 + body[at]                       # compression
    end = at + 2 + int.from_bytes(body[at:at + 2], "big")
    at += 2
    while at < end:
        kind, size = (int.from_bytes(body[at + n:at + n + 2], "big") for n in (0, 2))
        at += 4
        if kind == 16:
            return _names(body[at + 2:at + size])
        at += size
    return None


def _names(data):
    names = []
    while data:
        names.append(data[1:1 + data[0]].decode())
        data = data[1 + data[0]:]
    return names
