"""The bare prototype of a durable set (bench/bare_accept.cc): what the same libraries can do."""

import shutil

from belfry import cpu_us_of
from processes import BenchError, Process, free_port


class BareAccept:
    """Started on a free port of loopback with an empty store in `folder`."""

    def __init__(self, build, folder):
        self.binary = build / "bare_accept"
        if not self.binary.exists():
            raise BenchError(f"there is no {self.binary.name} in the build directory: build "
                             "everything")
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.end()

    def start(self):
        command = [self.binary, "--zeroed-log", "--data", self.data, "--listen",
                   f"127.0.0.1:{self.port}"]
        self.process = Process("bare_accept", command, self.folder)
        self.process.wait_for_words("listening on")
        return self

    def stop(self):
        code = self.process.stop()
        if code != 0:
            raise BenchError(f"bare_accept ended with {code}:\n{self.process.log_end()}")

    def cpu_us(self):
        return cpu_us_of(self.process.pid)

    def forget_data(self):
        shutil.rmtree(self.data, ignore_errors=True)
