"""Programs that the benchmarks and the tests start: each is ended by its own pid, and none outlives
whoever started it. Used by bench/suite, bench/peers and tests/e2e."""

import atexit
import os
import pwd
import random
import select
import signal
import socket
import subprocess
import time

LOOPBACK = "127.0.0.1"
START_LIMIT_S = 60
STOP_LIMIT_S = 60
POLL_S = 0.02

_running = set()


class BenchError(Exception):
    """Something a person has to know; what was being measured has no figures."""


def spawn(command, **options):
    """A subprocess.Popen that is killed at our end, unless `forget` was called with it."""
    child = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, **options)
    _running.add(child)
    return child


def forget(child):
    """For one that ended."""
    _running.discard(child)


def end(child):
    if child.poll() is None:
        child.kill()
        child.wait()
    forget(child)


def end_all():
    for child in list(_running):
        end(child)


atexit.register(end_all)


def as_user(name):
    """Options of subprocess that make it run as somebody else; None: as ourselves."""
    if name is None:
        return {}
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}


class Process:
    """One program with its output in files of `folder`: `log_path` is its stderr, `output_path` its
    stdout. Another one of that name begins them anew. A Ctrl-C at the terminal reaches us alone.

    `env` is added to ours; `user` runs it; `stop_signal` asks it to end.
    """

    def __init__(self, name, command, folder, *, env=None, user=None, cwd=None,
                 stop_signal=signal.SIGTERM):
        self.name = name
        self.stop_signal = stop_signal
        self.log_path = folder / f"{name}.log"
        self.output_path = folder / f"{name}.out"
        try:
            with open(self.log_path, "wb") as log, open(self.output_path, "wb") as out:
                self.popen = spawn(command, stdout=out, stderr=log, start_new_session=True,
                                   env={**os.environ, **(env or {})}, cwd=cwd, **as_user(user))
        except OSError as error:
            raise BenchError(f"cannot start {name}: {error}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def output(self):
        return self.output_path.read_text(errors="replace")

    def log_end(self):
        """Its last words."""
        lines = (self.log().strip() or self.output().strip()).splitlines()
        return "\n".join(lines[-5:]) or "(it wrote nothing)"

    def check_alive(self):
        if self.alive():
            return
        code = self.popen.returncode
        how = f"ended with {code}" if code >= 0 else f"was ended by signal {-code}"
        raise BenchError(f"{self.name} {how}:\n{self.log_end()}")

    def wait_until(self, what, ready, limit_s=START_LIMIT_S):
        """Asks `ready` again and again. A BenchError when it ends, or takes too long."""
        def ready_while_alive():
            # In this order: what it wrote before it ended counts.
            if ready():
                return True
            self.check_alive()
            return False
        try:
            poll(ready_while_alive, f"{self.name} {what}", limit_s, POLL_S, TimeoutError)
        except TimeoutError as error:
            raise BenchError(f"{error}:\n{self.log_end()}") from None

    def wait_for_port(self, port):
        def connects():
            try:
                socket.create_connection((LOOPBACK, port), 1).close()
            except OSError:
                return False
            return True
        self.wait_until(f"accepts connections on port {port}", connects)

    def wait_for_words(self, words):
        """In what it writes, to stderr or stdout."""
        self.wait_until(f"says {words!r}", lambda: words in self.log() or words in self.output())

    def stop(self, number=None):
        """Asks it to end, and kills it when it does not. Its exit code."""
        if self.alive():
            self.popen.send_signal(number or self.stop_signal)
        return self.wait(STOP_LIMIT_S)

    def wait(self, limit_s, watched=()):
        """Until it ended by itself. A BenchError when it, or one that is watched, does not do."""
        until = time.monotonic() + limit_s
        try:
            while True:
                try:
                    return self.popen.wait(0.05)
                except subprocess.TimeoutExpired:
                    for other in watched:
                        other.check_alive()
                    if time.monotonic() > until:
                        raise BenchError(f"{self.name} is not done after {limit_s:.0f} s:\n"
                                         f"{self.log_end()}") from None
        finally:
            self.end()

    def end(self):
        end(self.popen)


def run_to_end(name, command, *, env=None, user=None, limit_s=120):
    """Starts a program and waits for its end: its stdout; a BenchError with its last words when it
    does not exit with 0."""
    try:
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=limit_s,
                              env={**os.environ, **(env or {})}, check=False,
                              **as_user(user))
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{name} is not done after {limit_s} s") from error
    except OSError as error:
        raise BenchError(f"cannot start {name}: {error}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise BenchError(f"{name} failed:\n" + "\n".join(words[-5:]))
    return done.stdout


def free_port():
    """Below the range of ports that connections take, so that no client can sit on it."""
    for _ in range(1000):
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
                return port
            except OSError:
                continue
    raise BenchError(f"there is no free port on {LOOPBACK} between 20000 and 32000")


def poll(condition, what, limit_s=30, every_s=0.01, error=BenchError):
    """Until `condition()` is true; returns it. `error` says what did not come in time."""
    until = time.monotonic() + limit_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise error(f"not within {limit_s} s: {what}")
        time.sleep(every_s)


def next_notes(notify, child, until):
    """The words that come next on the socket of a NOTIFY_SOCKET; None: the child ended without any.
    A TimeoutError when it is `until` (monotonic) and neither came."""
    pidfd = os.pidfd_open(child.pid)
    try:
        ready, _, _ = select.select([notify, pidfd], [], [], max(0, until - time.monotonic()))
    finally:
        os.close(pidfd)
    if notify in ready:
        return notify.recv(4096).decode().split("\n")
    if not ready:
        raise TimeoutError
    child.wait()
    return None
