"""Runs the real binary: starts it, waits for READY=1, kills it, and leaves nothing behind.

Nothing here sleeps to wait for readiness: READY=1 arrives on a NOTIFY_SOCKET of ours, exits on a
pidfd, conditions of the API are polled. Every process started is ended by its own pid.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench"))

# pylint: disable=wrong-import-position
import processes
from http_client import Client, Closed
from processes import free_port, next_notes
from receiver import Answer, Receiver  # noqa: F401: for the tests

_PIPELINED = 64
BINARY = None  # set by main()
TOOLS = {}     # further programs, by name; set by main()


class _TimedResult(unittest.TextTestResult):
    """Says how long each test took."""

    def startTest(self, test):
        self.started = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        unittest.TestResult.addSuccess(self, test)
        self.stream.writeln(f"ok, {time.monotonic() - self.started:.1f} s")


def main(*tools):
    """`file.py BINARY [a path for each of `tools`] [unittest arguments]`"""
    names = ("belfry",) + tools
    if len(sys.argv) <= len(names):
        sys.exit(f"usage: {sys.argv[0]} {' '.join(names)} [unittest arguments]")
    use_binary(sys.argv[1])
    TOOLS.update(zip(tools, map(os.path.abspath, sys.argv[2:])))
    unittest.main(module="__main__", argv=[sys.argv[0]] + sys.argv[1 + len(names):],
                  testRunner=unittest.TextTestRunner(verbosity=2, resultclass=_TimedResult))


def use_binary(path):
    global BINARY
    BINARY = os.path.abspath(path)


def poll(condition, what, timeout_s=20, every_s=0.005):
    """Polls until `condition()` is true, and returns it."""
    return processes.poll(condition, what, timeout_s, every_s, AssertionError)


class Died(AssertionError):
    """The process ended while something was expected of it."""


class NoNote(AssertionError):
    """What was expected on NOTIFY_SOCKET did not come."""


class Daemon:
    """One data directory and the process on it, if any. The port stays over restarts.

    config   None runs with --data and --listen alone (the development profile); a string is the
             text of a YAML file, flags still name data and listen.
    wrap     words put before the command, e.g. strace -D: must keep the pid.
    """

    def __init__(self, root, config=None, args=(), wrap=(), data=None, listen=None, env=None):
        self.root = pathlib.Path(root)
        self.root.mkdir(parents=True, exist_ok=True)
        self.data = pathlib.Path(data) if data else self.root / "data"
        self.port = free_port()
        self.listen = listen or f"127.0.0.1:{self.port}"
        self.config = config
        self.args = list(args)
        self.wrap = list(wrap)
        self.env = dict(env or {})
        self.process = None
        self.notes = []          # what came on NOTIFY_SOCKET, one word each
        self.ready_mono = None
        self._client = None
        self._notify = None
        self.log_path = self.root / "stderr.log"

    # --- life ------------------------------------------------------------------------------------
    def spawn(self, args=()):
        """Starts the process without waiting for anything."""
        assert self.process is None or self.process.poll() is not None
        self.forget_client()
        self._open_notify()
        command = self.wrap + [BINARY, "serve", "--data", str(self.data), "--listen", self.listen]
        if self.config is not None:
            path = self.root / "config.yaml"
            path.write_text(self.config)
            command += ["--config", str(path)]
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL"] + command
        self.log_offset = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            self.process = processes.spawn(
                command + self.args + list(args), stdout=log, stderr=log, cwd=self.root,
                env={**os.environ, **self.env, "NOTIFY_SOCKET": self._notify.getsockname()})
        self.notes = []
        return self

    def start(self, args=(), timeout_s=30):
        """Starts it and waits for READY=1."""
        self.spawn(args)
        self.wait_note("READY=1", timeout_s)
        self.ready_mono = time.monotonic()
        return self

    def wait_note(self, word, timeout_s=30):
        until = time.monotonic() + timeout_s
        while word not in self.notes:
            try:
                notes = next_notes(self._notify, self.process, until)
            except TimeoutError:
                raise NoNote(f"no {word} within {timeout_s} s:\n{self.log()}") from None
            if notes is None:
                raise Died(f"exited with {self.process.returncode} before {word}:\n{self.log()}")
            self.notes += notes

    def kill(self):
        """kill -9, and waits until it is gone."""
        return self.end(signal.SIGKILL)

    def end(self, number, timeout_s=30):
        self.signal(number)
        return self.wait(timeout_s)

    def signal(self, number):
        if self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, timeout_s=30):
        """The exit code; negative for a signal."""
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s} s:\n{self.log()}") from None
        processes.forget(self.process)
        self.forget_client()
        return code

    def restart(self, args=()):
        self.kill()
        return self.start(args)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def close(self):
        if self.alive():
            self.kill()
        self.forget_client()
        if self._notify is not None:
            self._notify.close()
            self._notify = None

    @property
    def pid(self):
        return self.process.pid

    def log(self, whole=False):
        """What this run wrote; its end, unless `whole`."""
        text = self.log_path.read_bytes()[self.log_offset:].decode(errors="replace")
        return text if whole else text[-6000:]

    def _open_notify(self):
        if self._notify is None:
            self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            (self.root / "notify").unlink(missing_ok=True)
            self._notify.bind(str(self.root / "notify"))
        self.forget_notes()

    def forget_notes(self):
        """Those that came so far."""
        self.notes = []
        self._notify.setblocking(False)
        try:
            while self._notify.recv(4096):
                pass
        except BlockingIOError:
            pass
        self._notify.setblocking(True)

    # --- API -------------------------------------------------------------------------------------
    def client(self, timeout_s=20):
        """A new connection; the caller closes it."""
        socket_path = self.listen.removeprefix("unix:")
        address = ("127.0.0.1", self.port) if socket_path == self.listen else socket_path
        return Client(address, timeout_s)

    def forget_client(self):
        if self._client is not None:
            self._client.close()
            self._client = None

    def request(self, method, target, body=None, headers=()):
        """One request on a connection that is kept, and made again when the server closed it."""
        if self._client is None:
            self._client = self.client()
        try:
            response = self._client.request(method, target, body, headers)
        except Exception:
            self.forget_client()
            raise
        if response.header("connection") == "close":
            self.forget_client()
        return response

    def get(self, target, headers=()):
        return self.request("GET", target, headers=headers)

    def set(self, url, request_headers=(), **members):
        """POST /timers; the id. Without a time it is due at once."""
        if not {"hours", "minutes", "seconds", "delay", "at"} & members.keys():
            members["seconds"] = 0
        response = self.request("POST", "/timers", {"url": url, **members}, request_headers)
        if response.status != 201:
            raise AssertionError(f"{response.status} {response.body!r}\n{self.log()}")
        return response.json()["id"]

    def set_many(self, bodies):
        """POST /timers of each, many under way at once; the ids in order."""
        bodies, ids = list(bodies), []
        with self.client(timeout_s=60) as client:
            for first in range(0, len(bodies), _PIPELINED):
                some = bodies[first:first + _PIPELINED]
                client.send(b"".join(client.encode("POST", "/timers", body) for body in some))
                for _ in some:
                    answer = client.response()
                    if answer.status != 201:
                        raise AssertionError(f"{answer.status} {answer.body!r}\n{self.log()}")
                    ids.append(answer.json()["id"])
        return ids

    def target(self, url):
        """What GET /targets shows of the target of `url`; None when it does not."""
        name = "/".join(url.split("/")[:3])
        page = self.get("/targets?limit=1000")
        assert page.status == 200 and not page.header("link"), page.head
        return next((t for t in page.json()["targets"] if t["name"] == name), None)

    def pause(self, url=None, resume=False):
        """Or resumes; all when `url` is None."""
        body = {"target": "/".join(url.split("/")[:3])} if url else {"all": True}
        answer = self.request("POST", "/targets/" + ("resume" if resume else "pause"), body)
        if (answer.status, answer.json()) != (200, {**body, "paused": not resume}):
            raise AssertionError(f"{answer.status} {answer.body!r}\n{self.log()}")

    def resume(self, url=None):
        self.pause(url, resume=True)

    def view(self, timer_id):
        response = self.get(f"/timers/{timer_id}?view=full")
        if response.status != 200:
            raise AssertionError(f"timer {timer_id}: {response.status} {response.body!r}")
        return response.json()

    def wait_state(self, timer_id, state, timeout_s=20):
        def reached():
            view = self.view(timer_id)
            return view if view["state"] == state else None
        return poll(reached, f"timer {timer_id} {state}", timeout_s)

    def count(self, query=""):
        response = self.get("/timers/count" + query)
        if response.status != 200:
            raise AssertionError(f"{response.status} {response.body!r}")
        return response.json()["count"]

    def list_all(self, query=""):
        """Every timer, over all pages."""
        timers, target = [], "/timers?limit=1000" + query
        while target:
            page = self.get(target)
            assert page.status == 200, page.body
            timers += page.json()
            link = page.header("link")
            target = link[link.index("<") + 1:link.index(">")] if link else None
        return timers


class Case(unittest.TestCase):
    """A test with a directory of its own, and daemons and receivers that end with it."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="belfry-e2e-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def daemon(self, name="d", **options):
        daemon = Daemon(self.root / name, **options)
        self.addCleanup(daemon.close)
        return daemon

    def receiver(self, behave=None, **options):
        receiver = Receiver(behave, **options)
        self.addCleanup(receiver.stop)
        return receiver

    def unused_url(self, path="/hook"):
        """Nobody listens there."""
        return f"http://127.0.0.1:{free_port()}{path}"


class SharedCase(unittest.TestCase):
    """Tests that share one running daemon; `config` as for Daemon."""

    config = None

    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="belfry-e2e-"))
        cls.addClassCleanup(shutil.rmtree, cls.root, ignore_errors=True)
        cls.d = Daemon(cls.root / "d", config=cls.config)
        cls.addClassCleanup(cls.d.close)
        cls.d.start()

    def receiver(self, behave=None, **options):
        receiver = Receiver(behave, **options)
        self.addCleanup(receiver.stop)
        return receiver


def show(line):
    """A figure for the reader of the test's output."""
    print(f"    {line}", flush=True)


__all__ = ["Answer", "Case", "Client", "Closed", "Daemon", "Died", "NoNote", "Receiver",
           "SharedCase", "TOOLS", "free_port", "main", "poll", "show", "use_binary"]
