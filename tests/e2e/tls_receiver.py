"""An HTTPS receiver on threads of its own, and certificates made for the test by openssl."""

import http.server
import pathlib
import ssl
import subprocess
import threading


class Certificate:
    """A self-signed one and its key, each in a file."""

    def __init__(self, root, name, addresses="IP:127.0.0.1,DNS:localhost,DNS:a.localhost"):
        self.name = name
        self.cert = pathlib.Path(root, f"{name}.cert.pem")
        self.key = pathlib.Path(root, f"{name}.key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                        "-addext", f"subjectAltName={addresses}", "-keyout", self.key,
                        "-out", self.cert], check=True, capture_output=True)
        self.key.chmod(0o600)

    def encrypt_key(self):
        subprocess.run(["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", self.key,
                        "-out", self.key], check=True, capture_output=True)

    def become(self, other):
        """The same files, another certificate in them."""
        self.cert.write_bytes(other.cert.read_bytes())
        self.key.write_bytes(other.key.read_bytes())


class TlsReceiver:
    """Answers 200 and keeps, for each request, the headers and who showed a certificate.

    clients  certificates, one of which must be shown; none: not asked for.
    """

    def __init__(self, certificate, clients=()):
        self.requests = []
        self._changed = threading.Condition()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            for client in clients:
                context.load_verify_locations(client.cert)
        receiver = self

        class Hook(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                receiver._note(dict(self.headers), self.connection.getpeercert())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a handshake that fails is what some tests are about

        self._server = Server(("127.0.0.1", 0), Hook)
        # The handshake belongs to the connection's own thread.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True,
                                                  do_handshake_on_connect=False)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def url(self, host="127.0.0.1"):
        return f"https://{host}:{self.port}/hook"

    def wait(self, count, timeout_s=20):
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout_s):
                raise AssertionError(f"only {len(self.requests)} requests after {timeout_s} s")
            return list(self.requests)

    def clients(self):
        """The names on the certificates that were shown, one for each request."""
        with self._changed:
            return [client for _, client in self.requests]

    def stop(self):
        self._server.shutdown()
        self._server.socket.close()
        self._thread.join()

    def _note(self, headers, peer):
        names = [value for part in (peer or {}).get("subject", ()) for key, value in part
                 if key == "commonName"]
        with self._changed:
            self.requests.append((headers, names[0] if names else None))
            self._changed.notify_all()
