"""Runs a load driver and reads its figures.

A driver prints one JSON object a line: {"event":"begin"} when its measuring begins, and at the end
{"event":"end", "requests", "seconds", "p50_ms", "p99_ms", "client_cpu_us"}. Processor time of the
servers is read at these two moments.
"""

import json
import os
import re
import subprocess
import tempfile

from process import RunFailed, cpu_us_of


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
            raise RunFailed(f"{name}: the driver does not start: {error}") from error
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
            raise RunFailed(f"{name}: the driver failed: {' | '.join(words[-4:])[-600:]}")
    return figures


def figures_of_set(text):
    """The figures that `belfry-bench set --pid` prints."""
    patterns = {
        "requests": r"^requests\s+(\d+), (\d+)/s$",
        "latency": r"^latency\s+p50 ([\d.]+) ms\s+p99 ([\d.]+) ms",
        "cpu": r"^cpu\s+driver ([\d.]+) us/request\s+daemon ([\d.]+) us/request$",
    }
    found = {name: re.search(pattern, text, re.M) for name, pattern in patterns.items()}
    if not all(found.values()):
        missing = ", ".join(name for name, match in found.items() if not match)
        raise RunFailed(f"belfry-bench gave no figures of {missing}")
    rate = float(found["requests"][2])
    client_us = float(found["cpu"][1])
    return {
        "rate": rate,
        "p50_ms": float(found["latency"][1]),
        "p99_ms": float(found["latency"][2]),
        "server_us": float(found["cpu"][2]),
        "client_us": client_us,
        "client_busy": client_us * rate / 1e6,
    }
