"""The programs that put load on a server: belfry-bench and wrk. Both answer with a dictionary."""

import json
import resource
import signal
from pathlib import Path

from figures import parse_figures
from nginx import find
from processes import BenchError, Process

SCRIPT = Path(__file__).with_name("load.lua")
SLACK_S = 120


def seconds(value):
    """As belfry-bench reads durations."""
    return f"{round(value * 1000)}ms"


def ended_children_cpu_us():
    """Processor time of all children that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1e6


class Client:
    """A belfry-bench that runs while others do; `result()` waits for it."""

    def __init__(self, binary, folder, arguments, watched=(), name=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name or f"belfry-bench-{arguments[0]}"
        self.watched = watched
        self.process = Process(self.name, [binary, *arguments, "--json"], folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.end()

    def interrupt(self):
        """Ends the measuring; what was measured until then counts."""
        if self.process.alive():
            self.process.popen.send_signal(signal.SIGINT)

    def wait_listening(self):
        self.process.wait_for_words("listening on")

    def result(self, limit_s, may_fail=False):
        """`may_fail`: errors that were counted are the caller's to judge."""
        code = self.process.wait(limit_s + SLACK_S, self.watched)
        output = self.process.output()
        if code != 0 and not output.strip():
            raise BenchError(f"{self.name} ended with {code}:\n{self.process.log_end()}")
        figures = parse_figures(self.name, output)
        if code != 0 and not may_fail:
            raise BenchError(f"{self.name} found errors: {json.dumps(figures)}")
        return figures


def wrk(folder, server, connections, run_s, *arguments, token=None):
    """One measured run of load.lua. Adds server_us and client_us a request. `server` has url,
    process and cpu_us()."""
    command = [find("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(run_s))}s", "-s", SCRIPT,
               f"{server.url}/timers", "--", *arguments]
    before_us, client_before_us = server.cpu_us(), ended_children_cpu_us()
    process = Process("wrk", command, folder, env={"BELFRY_TOKEN": token} if token else None)
    code = process.wait(run_s + SLACK_S, [server.process])
    server_us = server.cpu_us() - before_us
    client_us = ended_children_cpu_us() - client_before_us
    if code != 0:
        raise BenchError(f"wrk ended with {code}:\n{process.output()}{process.log_end()}")
    figures = parse_figures("wrk", process.output())
    if figures["errors"] or not figures["answered"]:
        raise BenchError(f"wrk counted {figures['errors']} errors and {figures['answered']} "
                         f"answers from {server.url}")
    figures["server_us"] = server_us / figures["answered"]
    figures["client_us"] = client_us / figures["answered"]
    return figures
