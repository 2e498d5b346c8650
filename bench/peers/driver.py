"""Runs a load driver and reads its figures.

A driver prints one JSON object a line: {"event":"begin"} when its measuring begins, and at the end
{"event":"end", "requests", "seconds", "p50_ms", "p99_ms", "client_cpu_us"}. Processor time of the
servers is read at these two moments.
"""

import json
import os
import subprocess
import tempfile

from processes import BenchError
from server_time import cpu_us_of


def figures_of_events(lines, read_cpu_us):
    """The figures of one run from the lines of a driver, taken while it runs."""
    began_us = None
    for line in lines:
        if not line.startswith("{"):
            continue
        event = json.loads(line)
        if event.get("event") == "begin":
            began_us = read_cpu_us()
        elif event.get("event") == "end":
            if began_us is None or event["requests"] == 0:
                break
            used_us = read_cpu_us() - began_us
            requests = event["requests"]
            return {
                "rate": requests / event["seconds"],
                "p50_ms": event["p50_ms"],
                "p99_ms": event["p99_ms"],
                "server_us": used_us / requests,
                "client_us": event["client_cpu_us"] / requests,
                "client_busy": event["client_cpu_us"] / event["seconds"] / 1e6,
            }
    return None


def measure(name, command, servers, env=None):
    """The figures of a driver; `servers` are the processes whose time counts as the server's."""
    with tempfile.TemporaryFile("w+") as errors:
        try:
            child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=errors, text=True,
                                     env={**os.environ, **(env or {})})
        except OSError as error:
            raise BenchError(f"{name}: the driver does not start: {error}") from error
        try:
            figures = figures_of_events(child.stdout, lambda: cpu_us_of(servers))
            child.stdout.read()
            child.wait()
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            child.stdout.close()
        if child.returncode != 0 or figures is None:
            errors.seek(0)
            words = errors.read().strip().splitlines() or ["it gave no figures"]
            raise BenchError(f"{name}: the driver failed:\n" + "\n".join(words[-5:]))
    return figures


def figures_of_set(figures):
    """The same of what `belfry-bench set --pid --json` says."""
    if not figures["answered"]:
        raise BenchError("belfry-bench had no answer")
    return {
        "rate": figures["per_second"],
        "p50_ms": figures["latency"]["p50_ms"],
        "p99_ms": figures["latency"]["p99_ms"],
        "server_us": figures["daemon_us"],
        "client_us": figures["client_us"],
        "client_busy": figures["client_us"] * figures["per_second"] / 1e6,
    }
