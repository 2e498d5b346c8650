"""What the rounds gave: medians, ratios, one markdown table and one JSON object."""

import statistics

# Asked for: Belfry's rate at least so many times the peer's.
ASKED_RATIO = {"beanstalkd": 10.0, "redis": 1.0, "restate": 7.0}
# Asked for: the last of the burst arrives within this time.
ASKED_LAST_MS = 300.0
# A client that is busier than this may be what limits.
BUSY_LIMIT = 0.9
# More between the cheapest and the dearest sync, and the machine was doing something else.
UNQUIET = 2


def medians(rounds):
    """Of each figure over the rounds; and its smallest and greatest rate."""
    if not rounds:
        return None
    result = {key: statistics.median(figures[key] for figures in rounds) for key in rounds[0]}
    if "rate" in result:
        result["rate_min"] = min(figures["rate"] for figures in rounds)
        result["rate_max"] = max(figures["rate"] for figures in rounds)
    result["rounds"] = len(rounds)
    return result


def ratio_of(own_rounds, peer_rounds, key):
    """The median of Belfry / peer within each round: what drifts from round to round drops out."""
    return statistics.median(own[key] / peer[key]
                             for own, peer in zip(own_rounds, peer_rounds) if peer[key])


def verdict(asked, value, least):
    if asked is None:
        return ""
    met = value >= asked if least else value <= asked
    return "met" if met else "MISSED"


def accept_rows(results):
    own = results["belfry"]["rounds"]["accept"]
    for name, result in results.items():
        figures = result["accept"]
        if figures is None:
            continue
        row = {"name": name, "title": result["title"], "figures": figures}
        if name != "belfry" and own:
            row["ratio"] = ratio_of(own, result["rounds"]["accept"], "rate")
            row["asked"] = ASKED_RATIO.get(name)
            row["verdict"] = verdict(row["asked"], row["ratio"], least=True)
        row["client_bound"] = figures["client_busy"] > BUSY_LIMIT
        yield row


def fire_rows(results):
    own = results["belfry"]["rounds"]["fire"]
    for name, result in results.items():
        figures = result["fire"]
        if figures is None:
            continue
        row = {"name": name, "title": result["title"], "figures": figures}
        if name == "belfry":
            row["asked"] = ASKED_LAST_MS
            row["verdict"] = verdict(ASKED_LAST_MS, figures["last_ms"], least=False)
        elif own:
            row["ratio"] = ratio_of(own, result["rounds"]["fire"], "last_ms")
        yield row


def line(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def accept_table(rows):
    yield line("64 at a time, each on disk", "timers/s", "min to max", "p50 ms", "p99 ms",
               "server us", "client us", "client busy", "sync ms", "Belfry / peer", "asked for", "")
    yield line("---", *["---:"] * 10, "---")
    for row in rows:
        figures = row["figures"]
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        asked = f">= {row['asked']:g}" if row.get("asked") else ""
        busy = f"{figures['client_busy'] * 100:.0f} %" + (" (!)" if row["client_bound"] else "")
        yield line(row["title"], f"{figures['rate']:,.0f}",
                   f"{figures['rate_min']:,.0f} to {figures['rate_max']:,.0f}",
                   f"{figures['p50_ms']:.2f}", f"{figures['p99_ms']:.2f}",
                   f"{figures['server_us']:.1f}", f"{figures['client_us']:.1f}", busy,
                   f"{figures['sync_ms']:.2f}", ratio, asked, row.get("verdict", ""))


def fire_table(rows, count):
    yield line(f"{count:,} due in the same millisecond", "first ms", "p50 ms", "p99 ms", "last ms",
               "webhooks/s", "early", "doubled", "missing", "Belfry / peer (last)", "asked for",
               "")
    yield line("---", *["---:"] * 10, "---")
    for row in rows:
        figures = row["figures"]
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        asked = f"last <= {row['asked']:g}" if "asked" in row else ""
        yield line(row["title"], *(f"{figures[key]:,.0f}" for key in (
            "first_ms", "p50_ms", "p99_ms", "last_ms", "per_second", "early", "duplicates",
            "missing")), ratio, asked, row.get("verdict", ""))


def markdown(results, settings):
    """The whole report. `results`: name -> title, accept and fire medians or None, problem."""
    lines = [f"Belfry beside its peers: rounds: {settings['rounds']} (medians), each "
             f"{settings['duration_s']:g} s after {settings['warmup_s']:g} s of warm-up, "
             f"{settings['connections']} connections or calls at a time. Ratios are medians of the "
             "ratios within each round.",
             f"Load average before: {settings['load_average']:.1f}."]
    syncs = [figures["sync_ms"] for result in results.values()
             for figures in result["rounds"]["accept"]]
    if syncs:
        lines.append(f"A sync of this disk, p50 before each run: {min(syncs):.2f} to "
                     f"{max(syncs):.2f} ms, median {statistics.median(syncs):.2f} ms.")
    if syncs and max(syncs) > UNQUIET * min(syncs):
        lines.append("The disk was not quiet, so the runs had different chances: read no figure "
                     "without its range, and repeat.")
    accept = list(accept_rows(results))
    lines += ["", *accept_table(accept)]
    if any(row["client_bound"] for row in accept):
        lines += ["", "(!) The client used more than 90 % of a core: it may be what limits."]
    fire = list(fire_rows(results))
    if fire:
        lines += ["", *fire_table(fire, settings["burst"])]
    problems = [f"- {result['title']}: {result['problem']}" for result in results.values()
                if result["problem"]]
    if problems:
        lines += ["", "Not measured, or not wholly:", "", *problems]
    return "\n".join(lines) + "\n"
