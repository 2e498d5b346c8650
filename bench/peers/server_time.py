"""Processor time of servers, with that of the processes they started."""

import contextlib
import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


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


def cpu_us_of(processes):
    stat_of = read_stats()
    ticks = sum(cpu_ticks(stat_of, process.pid) for process in processes)
    return ticks * 1_000_000 // TICKS_PER_S
