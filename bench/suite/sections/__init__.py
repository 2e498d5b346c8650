"""The sections, in the order they run. Each has TITLE, estimate_s(plan) and run(bench)."""

from sections import (accept, bulk, burst, disk, fired, firing, growth, isolation, lateness,
                      open_loop, overdue, paused, reads, stopwatches, streams, sync, tokens)

SECTIONS = {
    "sync": sync,
    "accept": accept,
    "reads": reads,
    "open_loop": open_loop,
    "bulk": bulk,
    "firing": firing,
    "lateness": lateness,
    "burst": burst,
    "overdue": overdue,
    "paused": paused,
    "isolation": isolation,
    "disk": disk,
    "fired": fired,
    "tokens": tokens,
    "stopwatches": stopwatches,
    "streams": streams,
    "growth": growth,
}
