"""Restate from its npm package: a delayed send over HTTP to a handler that POSTs in ctx.run."""

import json
import platform
import sys
import urllib.error
import urllib.request

from peer import Peer, http_request, payload
from processes import BenchError, free_port

ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}


class Restate(Peer):
    name = "restate"
    title = "Restate, POST /Hook/send/send?delay="
    needs_npm = True

    def __init__(self, run):
        super().__init__(run)
        self.admin_port = free_port()
        self.service_port = free_port()

    def start(self):
        # The package's own start script would be one more process between.
        architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
        program = (self.run.npm / "node_modules/@restatedev" /
                   f"restate-server-{sys.platform}-{architecture}" / "bin/restate-server")
        if not program.is_file():
            raise BenchError(f"its npm package has no program for {sys.platform}-{architecture}")
        folder = self.run.folder / "restate"
        settings = {
            "RESTATE_BASE_DIR": str(folder),
            "RESTATE_NODE_NAME": "bench",
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_BIND_IP": "127.0.0.1",
            "RESTATE_BIND_PORT": str(free_port()),
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{self.run.port}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{self.admin_port}",
            "RESTATE_DISABLE_TELEMETRY": "true",
            "RESTATE_LOG_FILTER": "warn",
        }
        server = self.run.server("restate", [program, "--no-logo"], env=settings,
                                 cwd=self.run.folder)
        server.wait_until("is healthy", lambda: self.get_health(self.admin_port) and
                          self.get_health(self.run.port, "/restate/health"))
        self.serve("http://127.0.0.1:9")
        self.register()

    @staticmethod
    def get_health(port, path="/health"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def serve(self, origin):
        """The handler that Restate calls, posting to `origin`."""
        self.run.node_worker(
            "restate.mjs", json.dumps({"port": self.service_port, "origin": origin}),
            env={"RESTATE_LOGGING": "ERROR"})

    def register(self):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin_port}/deployments", method="POST",
            data=json.dumps({"uri": f"http://127.0.0.1:{self.service_port}"}).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            raise BenchError(f"Restate refuses the service: {error.code} {said}") from error
        except OSError as error:
            raise BenchError(f"Restate does not take the service: {error}") from error

    def load(self):
        request = http_request(self.run.port, "/Hook/send/send?delay=1h", payload())
        return self.run.peer_load(self.run.port, request)

    def start_worker(self, origin):
        # The same service on the same port, now with the sink's address.
        self.run.processes.pop().stop()
        self.serve(origin)

    def burst(self, count, due_ms, origin):
        request = http_request(self.run.port, "/Hook/send/send?delay={left_ms}ms", payload())
        return self.run.peer_load_burst(self.run.port, request, count, due_ms)
