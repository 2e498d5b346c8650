"""What the suite found: one Row a figure, and the Markdown table of all of them. Pure."""

import dataclasses
import statistics
from typing import Optional


@dataclasses.dataclass
class Row:
    what: str
    value: Optional[float] = None
    unit: str = "/s"
    beside: str = ""                 # what `beside_value` is of
    beside_value: Optional[float] = None
    beside_unit: Optional[str] = None  # as `unit` when it is None
    ratio: Optional[float] = None
    asked: str = ""
    met: Optional[bool] = None       # None: nothing was asked
    p50_ms: Optional[float] = None
    p99_ms: Optional[float] = None
    cpu: str = ""                    # microseconds a request, by process
    samples: list = dataclasses.field(default_factory=list)  # `value` of each round
    failed: str = ""                 # why there is no figure


def median(values):
    return statistics.median(values)


def spread(values):
    """Half the distance from the smallest to the greatest, as a share of the median."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0


def median_of(runs, name):
    """Of one figure of several runs; None when a run lacks it."""
    values = [run.get(name) for run in runs]
    return None if any(value is None for value in values) else median(values)


def three_digits(value):
    """As short as three significant digits allow, thousands apart."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
        return f"{value:.2f}"
    return f"{value:.3g}"


def with_unit(value, unit):
    if value is None:
        return ""
    text = three_digits(value)
    return text + unit if unit.startswith("/") else f"{text} {unit}".strip()


def in_turn(number, competitors):
    """Who is first changes with the round's number."""
    return competitors if number % 2 == 0 else competitors[::-1]


def cpu_text(**us_by_process):
    """"belfry 14.4, wrk 5.6": microseconds a request."""
    return ", ".join(f"{name} {three_digits(us)}" for name, us in us_by_process.items()
                     if us is not None)


COLUMNS = ("", "measured", "beside it, same run", "ratio", "asked", "met", "p50 / p99",
           "CPU us/request")


def cells(row):
    if row.failed:
        first = row.failed.splitlines()[0].rstrip(":")
        return [row.what, f"failed: {first}", "", "", row.asked, "no", "", ""]
    unit = row.unit if row.beside_unit is None else row.beside_unit
    beside = f"{row.beside}: {with_unit(row.beside_value, unit)}" if row.beside else ""
    met = {None: "", True: "yes", False: "**no**"}[row.met]
    times = ""
    if row.p50_ms is not None and row.p99_ms is not None:
        times = f"{three_digits(row.p50_ms)} / {three_digits(row.p99_ms)} ms"
    measured = with_unit(row.value, row.unit)
    if len(row.samples) > 1:
        measured += f" ± {spread(row.samples):.0%}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}x"
    return [row.what, measured, beside, ratio, row.asked, met, times, row.cpu]


def line_of(texts):
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def table(rows):
    lines = [line_of(COLUMNS), "|---" * len(COLUMNS) + "|"]
    return "\n".join(lines + [line_of(cells(row)) for row in rows]) + "\n"


def pairs(facts):
    """A two-column table without a head."""
    return "| | |\n|---|---|\n" + "".join(line_of(fact) + "\n" for fact in facts)
