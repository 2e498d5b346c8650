"""Servers and drivers as processes of their own: started, looked at and stopped by PID."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

LOOPBACK = "127.0.0.1"
START_LIMIT_S = 60
STOP_LIMIT_S = 20
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class RunFailed(Exception):
    """A server or a driver did not do what it should; the words are for the user."""


def free_port():
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return listener.getsockname()[1]


def cpu_ticks(stat_of, root):
    """Processor time of `root` and all below it, in ticks: that of the living, and of the dead that
    were waited for. `stat_of` maps a PID to the text of its /proc/PID/stat."""
    fields_of = {}
    children = {}
    for pid, text in stat_of.items():
        # The second field is a name in parentheses that may hold anything.
        fields = text[text.rindex(")") + 2:].split()
        fields_of[pid] = fields
        children.setdefault(int(fields[1]), []).append(pid)
    total = 0
    waiting = [root] if root in fields_of else []
    while waiting:
        pid = waiting.pop()
        total += sum(int(ticks) for ticks in fields_of[pid][11:15])
        waiting += children.get(pid, [])
    return total


def read_stats():
    stat_of = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                stat_of[int(folder.name)] = (folder / "stat").read_text(errors="replace")
    return stat_of


class Process:
    """A child of ours that writes to a log. A context manager that stops it."""

    def __init__(self, name, command, log, *, env=None, user=None, stop_signal=signal.SIGTERM,
                 cwd=None):
        self.name = name
        self.log = Path(log)
        self.stop_signal = stop_signal
        options = {"user": user, "group": user_group(user), "extra_groups": []} if user else {}
        with open(self.log, "ab") as out:
            try:
                self.child = subprocess.Popen(
                    [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out,
                    stderr=out, env={**os.environ, **(env or {})}, cwd=cwd,
                    start_new_session=True, **options)
            except OSError as error:
                raise RunFailed(f"{name} does not start: {error}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.child.pid

    def last_words(self):
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(lines[-4:])[-600:] or "it said nothing"

    def check(self):
        if self.child.poll() is not None:
            raise RunFailed(f"{self.name} ended with {self.child.returncode}: {self.last_words()}")

    def wait_until(self, what, ready):
        """Asks `ready` again and again; a RunFailed when the process ends or takes too long."""
        until = time.monotonic() + START_LIMIT_S
        while not ready():
            self.check()
            if time.monotonic() > until:
                raise RunFailed(f"{self.name}: not {what} after {START_LIMIT_S} s: "
                                f"{self.last_words()}")
            time.sleep(0.02)

    def wait_for_port(self, port):
        def connects():
            try:
                socket.create_connection((LOOPBACK, port), 1).close()
            except OSError:
                return False
            return True
        self.wait_until("listening", connects)

    def wait_for_line(self, word):
        self.wait_until(f"saying {word!r}",
                        lambda: word in self.log.read_text(errors="replace"))

    def stop(self):
        if self.child.poll() is not None:
            return
        self.child.send_signal(self.stop_signal)
        try:
            self.child.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def user_group(name):
    import pwd
    return pwd.getpwnam(name).pw_gid


def cpu_us_of(processes):
    stat_of = read_stats()
    ticks = sum(cpu_ticks(stat_of, process.pid) for process in processes)
    return ticks * 1_000_000 // TICKS_PER_S


def run_to_end(name, command, *, env=None, user=None, limit_s=120):
    """Its stdout; a RunFailed with its last words when it does not exit with 0."""
    options = {"user": user, "group": user_group(user), "extra_groups": []} if user else {}
    try:
        done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=limit_s,
                              env={**os.environ, **(env or {})}, check=False, **options)
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"{name} is not done after {limit_s} s") from error
    except OSError as error:
        raise RunFailed(f"{name} does not start: {error}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RunFailed(f"{name} failed: {' | '.join(words[-4:])[-600:]}")
    return done.stdout
