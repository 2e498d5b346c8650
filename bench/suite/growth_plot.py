"""The growth plot: one panel a cost, pending timers to the right on a logarithmic scale. Pure."""

import math
from xml.sax.saxutils import escape

from plan import count_text
from results import three_digits

PANEL_WIDTH, PANEL_HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 48, 44
# Legible on white and on black alike.
TEXT, GRID, LINES = "#7d8590", "#7d859055", ("#2f81f7", "#db6d28")


def nice_top(value):
    """The smallest of 1, 2, 4, 6, 8, 10 times a power of ten that is not below `value`."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value * 0.999999)


def text(x, y, words, anchor="middle", size=13, fill=TEXT, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
            f'font-weight="{weight}" fill="{fill}">{escape(words)}</text>')


def place_of(count, counts):
    low, high = math.log10(min(counts)), math.log10(max(counts))
    share = 0.5 if high == low else (math.log10(count) - low) / (high - low)
    return LEFT + 14 + share * (PANEL_WIDTH - LEFT - RIGHT - 28)


def panel(title, series):
    """`series`: {name: {count: value}}. Its corner is at 0, 0."""
    counts = sorted({count for points in series.values() for count in points})
    top = nice_top(max(value for points in series.values() for value in points.values()))
    height = PANEL_HEIGHT - TOP - BOTTOM

    def up(value):
        return TOP + height * (1 - value / top)

    parts = [text(LEFT, 20, title, "start", 15, weight="bold")]
    for step in range(5):
        value = top * step / 4
        parts.append(f'<line x1="{LEFT}" x2="{PANEL_WIDTH - RIGHT}" y1="{up(value):.1f}" '
                     f'y2="{up(value):.1f}" stroke="{GRID}"/>')
        parts.append(text(LEFT - 8, up(value) + 4, f"{value:g}", "end"))
    for count in counts:
        parts.append(text(place_of(count, counts), PANEL_HEIGHT - BOTTOM + 20,
                          count_text(count)))
    names_at = PANEL_WIDTH - RIGHT
    for colour, (name, points) in reversed(list(zip(LINES, series.items()))):
        spots = [(place_of(count, counts), up(value), value)
                 for count, value in sorted(points.items())]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in spots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                     'stroke-width="2.5"/>')
        for here, (x, y, value) in enumerate(spots):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
            # Out of the way of a line that rises to the right.
            rises = here + 1 < len(spots) and spots[here + 1][1] < y - 12
            aside = -14 if rises and here > 0 else 0
            parts.append(text(x + aside, y - 10, three_digits(value), size=12, fill=colour))
        if name:
            parts.append(text(names_at, 20, name, "end", 12, colour))
            names_at -= 7 * len(name) + 14
    return "\n".join(parts)


def svg(growth):
    """`growth`: {title: {series: {count: value}}}. Two panels a row."""
    rows = math.ceil(len(growth) / 2)
    width, height = 2 * PANEL_WIDTH, rows * PANEL_HEIGHT + 24
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             f'width="{width}" height="{height}" font-family="sans-serif">',
             "<title>Costs with more and more pending timers</title>"]
    for place, (title, series) in enumerate(growth.items()):
        x, y = place % 2 * PANEL_WIDTH, place // 2 * PANEL_HEIGHT
        parts += [f'<g transform="translate({x},{y})">', panel(title, series), "</g>"]
    parts += [text(width / 2, height - 10, "pending timers"), "</svg>"]
    return "\n".join(parts) + "\n"
