"""The daemon under test: one data directory and the process on it."""

import os
import shutil
import signal
import socket
import time

from processes import BenchError, Process, free_port, next_notes

READY_LIMIT_S = 300
TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")


def config_text(per_target=None, budget_mib=None, connections=None, tokens_file=None):
    """YAML: the defaults, but webhooks may go to loopback."""
    lines = ["delivery:", "  targets:", "    allow: [public, private, loopback]"]
    if per_target:
        lines.append(f"  per_target_in_flight: {per_target}")
    if budget_mib:
        lines += ["memory:", f"  budget: {budget_mib}MiB", f"  window: {budget_mib // 4}MiB",
                  f"  id_cache: {budget_mib // 8}MiB"]
    if connections:
        lines += ["http:", f"  max_connections: {connections}"]
    if tokens_file:
        lines.append(f"auth: {{mode: token, tokens_file: {tokens_file}}}")
    return "\n".join(lines) + "\n"


def cpu_us_of(pid):
    """Processor time of a process, exact to the kernel's clock tick."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError as error:
        raise BenchError(f"the process {pid} is gone") from error
    return (int(fields[11]) + int(fields[12])) * TICK_US


class Belfry:
    """Started on a free port of loopback; `folder` is removed by whoever made it."""

    def __init__(self, binary, folder, data=None, **config):
        self.binary = binary
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = data or folder / "data"
        self.config = folder / "belfry.yaml"
        self.configure(**config)
        self.port = free_port()
        self.process = None
        self.started_ns = 0   # UTC, just before exec
        self.ready_s = 0.0    # from exec to READY=1
        self.ready_ns = 0     # UTC, of READY=1

    def configure(self, **config):
        """From the next start on."""
        self.config.write_text(config_text(**config), encoding="ascii")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.end()

    def start(self):
        """Returns once it says READY=1; `ready_s` is how long that took."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            name = f"belfry-bench-{os.getpid()}-{self.port}"
            notify.bind("\0" + name)
            command = [self.binary, "serve", "--config", self.config, "--data", self.data,
                       "--listen", f"127.0.0.1:{self.port}"]
            self.started_ns = time.time_ns()
            begun = time.monotonic()
            self.process = Process("belfry", command, self.folder,
                                   env={"NOTIFY_SOCKET": "@" + name})
            self._wait_ready(notify, begun)
        return self

    def _wait_ready(self, notify, begun):
        notes = []
        while "READY=1" not in notes:
            try:
                notes = next_notes(notify, self.process.popen, begun + READY_LIMIT_S)
            except TimeoutError:
                raise BenchError(f"belfry is not ready after {READY_LIMIT_S} s:\n"
                                 f"{self.process.log_end()}") from None
            if notes is None:
                return self.process.check_alive()
        self.ready_s = time.monotonic() - begun
        self.ready_ns = time.time_ns()

    def stop(self):
        code = self.process.stop()
        if code != 0:
            raise BenchError(f"belfry ended with {code} at SIGTERM:\n{self.process.log_end()}")

    def kill(self):
        self.process.stop(signal.SIGKILL)

    def cpu_us(self):
        return cpu_us_of(self.pid)

    def status_mib(self, name):
        """VmRSS or VmHWM (the greatest VmRSS so far) in MiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) / 1024
        raise BenchError(f"there is no {name} of process {self.pid}")

    def written_bytes(self):
        """What it caused to be written to the disk so far."""
        with open(f"/proc/{self.pid}/io", encoding="ascii") as file:
            for line in file:
                if line.startswith("write_bytes:"):
                    return int(line.split()[1])
        raise BenchError("there is no write_bytes in /proc")

    def forget_data(self):
        shutil.rmtree(self.data, ignore_errors=True)
