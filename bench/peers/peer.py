"""What every system under comparison offers to bench/peers/run.py, and what it is given."""

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from processes import BenchError, Process, free_port

NUMBER = "{n}"  # what peer-load replaces by twelve digits
NUMBER_DIGITS = 12
HOUR_S = 3600
# The same for all: what a timer carries beside its due time.
TARGET = "http://127.0.0.1:9000/hook"


def payload(number=NUMBER):
    return json.dumps({"n": number, "url": TARGET}, separators=(",", ":"))


def filled(text):
    """Its length once peer-load has put the number in."""
    return len(text) + text.count(NUMBER) * (NUMBER_DIGITS - len(NUMBER))


def http_request(port, target, body):
    return (f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {filled(body)}\r\n\r\n{body}")


@dataclass
class Run:
    """One run of one system: its folder on the disk that is measured, and what the load is."""

    folder: Path
    build: Path
    npm: Path
    connections: int
    warmup_ms: int
    duration_ms: int
    port: int = field(default_factory=free_port)
    processes: list = field(default_factory=list)  # all that were started, the server first

    def server(self, name, command, **options):
        process = Process(name, command, self.folder, **options)
        self.processes.append(process)
        return process

    def stop(self):
        while self.processes:
            # One that had to be killed was measured all the same.
            with contextlib.suppress(BenchError):
                self.processes.pop().stop()

    def node(self, module, *arguments):
        return ["node", self.npm / module, *arguments]

    def node_worker(self, module, *arguments, **options):
        worker = self.server(f"{module} worker", self.node(module, *arguments), **options)
        worker.wait_for_words('"ready"')

    def request_file(self, text):
        path = self.folder / "request"
        path.write_bytes(text.encode())
        return path

    def peer_load(self, port, request, *arguments):
        """peer-load for the time of this run."""
        return [self.build / "peer-load", "--to", f"127.0.0.1:{port}",
                "--request", self.request_file(request), "--connections", self.connections,
                "--warmup-ms", self.warmup_ms, "--duration-ms", self.duration_ms, *arguments]

    def peer_load_burst(self, port, request, count, due_ms):
        """peer-load for so many requests."""
        return [self.build / "peer-load", "--to", f"127.0.0.1:{port}",
                "--request", self.request_file(request), "--connections", self.connections,
                "--count", count, "--due", due_ms]

    def loop_options(self, **more):
        """What closed_loop.mjs wants to know."""
        return json.dumps({"inFlight": self.connections, "warmupMs": self.warmup_ms,
                           "durationMs": self.duration_ms, "url": TARGET, **more})


class Peer:
    """A system. A new object for each run; `start` first, `stop` last whatever happened."""

    name = ""
    title = ""
    packages = None     # its part of bench/peers/packages
    needs_npm = False
    fires = True        # can send a webhook

    def __init__(self, run):
        self.run = run

    def start(self):
        """Starts the servers; returns when they answer."""
        raise NotImplementedError

    def servers(self):
        """The processes whose processor time is the server's."""
        return self.run.processes[:1]

    def load(self):
        """The command of a driver (see driver.py) that sets one timer a request, due in an hour."""
        raise NotImplementedError

    def environment(self):
        return {}

    def start_worker(self, origin):
        """Starts what does the POSTs to `origin`, when that is not the server itself."""

    def burst(self, count, due_ms, origin):
        """The command that sets `count` timers due at `due_ms`, each POSTing to a path of its own
        under `origin`."""
        raise NotImplementedError

    def stop(self):
        self.run.stop()
