"""Programs that the suite starts: each is ended by its own pid, and none outlives the suite."""

import atexit
import random
import resource
import signal
import socket
import subprocess
import time

STOP_LIMIT_S = 60

_running = set()


class BenchError(Exception):
    """Something a person has to know; the section it happened in has no figures."""


class Process:
    """One program with its output in files: `log_path` is its stderr, `output()` what it printed.
    A Ctrl-C at the terminal reaches us alone."""

    def __init__(self, name, command, folder, env=None):
        self.name = name
        self.log_path = folder / f"{name}.log"
        self.output_path = folder / f"{name}.out"
        try:
            with open(self.log_path, "wb") as log, open(self.output_path, "wb") as out:
                self.popen = subprocess.Popen([str(word) for word in command], stdout=out,
                                              stderr=log, stdin=subprocess.DEVNULL, env=env,
                                              start_new_session=True)
        except OSError as error:
            raise BenchError(f"cannot start {name}: {error}") from error
        _running.add(self)

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def output(self):
        return self.output_path.read_text(errors="replace")

    def log_end(self):
        lines = self.log_path.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-5:]) or "(it wrote nothing)"

    def check_alive(self):
        if self.alive():
            return
        code = self.popen.returncode
        how = f"ended with {code}" if code >= 0 else f"was ended by signal {-code}"
        raise BenchError(f"{self.name} {how}:\n{self.log_end()}")

    def stop(self, number=signal.SIGTERM):
        """Ends it, and kills it when it does not. Its exit code."""
        if self.alive():
            self.popen.send_signal(number)
        return self.wait(STOP_LIMIT_S)

    def wait(self, limit_s, watched=()):
        """Until it ended by itself. A BenchError when it, or one that is watched, does not do."""
        end = time.monotonic() + limit_s
        try:
            while True:
                try:
                    return self.popen.wait(0.05)
                except subprocess.TimeoutExpired:
                    for other in watched:
                        other.check_alive()
                    if time.monotonic() > end:
                        raise BenchError(f"{self.name} is not done after {limit_s:.0f} s:\n"
                                         f"{self.log_end()}") from None
        finally:
            self.end()

    def end(self):
        if self.alive():
            self.popen.kill()
            self.popen.wait()
        _running.discard(self)


def end_all():
    for process in list(_running):
        process.end()


atexit.register(end_all)


def ended_children_cpu_us():
    """Processor time of all children that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def free_port():
    """Below the range of ports that connections take, so that no client can sit on it."""
    for _ in range(1000):
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise BenchError("there is no free port on 127.0.0.1 between 20000 and 32000")


def poll(condition, what, limit_s=30, every_s=0.01):
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise BenchError(f"not within {limit_s} s: {what}")
        time.sleep(every_s)
