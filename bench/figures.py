"""What belfry-bench, or a script of wrk, says with --json."""

import json

from processes import BenchError


def parse_figures(name, text):
    """The last line that is a JSON object; a BenchError when there is none."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except ValueError:
                break
    raise BenchError(f"{name} printed no figures")
