"""The sections, in the order they run. Each has TITLE, estimate_s(plan) and run(bench)."""

from sections import (accept, bulk, burst, disk, fired, firing, growth, lateness, open_loop, reads,
                      sync)

SECTIONS = {
    "sync": sync,
    "accept": accept,
    "reads": reads,
    "open_loop": open_loop,
    "bulk": bulk,
    "firing": firing,
    "lateness": lateness,
    "burst": burst,
    "disk": disk,
    "fired": fired,
    "growth": growth,
}
