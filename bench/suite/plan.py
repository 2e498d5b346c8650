"""How much of everything a set runs."""

import dataclasses

MILLION = 1_000_000
FILL_BYTES = 160           # of disk, at most, that a filled timer needs while it is made
FILL_SPARE_BYTES = 2 << 30
FILL_PER_S = 700_000       # for estimates only, as the next two
FIRES_PER_S = 20_000
SETS_PER_S = 30_000


@dataclasses.dataclass
class Plan:
    rounds: int            # every figure is the median of so many
    seconds: float         # measured time of one round
    warmup: float          # before it, not measured
    syncs: int             # for one look at the disk
    window: int            # timers that all fit into memory
    pending: int           # timers for random reads, and for the space they take
    fire: int              # stored timers fired beside the ceiling
    together: int          # timers due in the same millisecond
    rates: tuple           # fires a second whose lateness is looked at; the first is the idle one
    fire_seconds: float    # how long each of them lasts
    burst: int             # timers due in the same second
    storm: int             # overdue at a start, and of a paused target
    dead: int              # timers due at once to one host that is dead
    hosts: int             # with dead DNS, and as many that are slow
    fired: int             # timers set and fired before a start
    sizes: tuple           # pending timers of the growth section
    starts: int            # starts of each kind at each size
    load_seconds: float    # standard load before memory is looked at
    bulk_seconds: float    # of each repetition
    strangers: int         # stopwatches of others
    streams: int           # clients of one event stream
    stream_users: int      # with three streams each
    beat_seconds: int      # between two heartbeats of one
    stream_seconds: float  # of heartbeats that are measured


STANDARD = Plan(rounds=3, seconds=4, warmup=1, syncs=2000, window=10_000, pending=MILLION,
                fire=100_000, together=10_000, rates=(10, 5000, 20_000), fire_seconds=4,
                burst=MILLION, storm=200_000, dead=10_000, hosts=1000, fired=MILLION,
                sizes=(100_000, MILLION), starts=3,
                load_seconds=6, bulk_seconds=2, strangers=MILLION, streams=10_000,
                stream_users=10_000, beat_seconds=5, stream_seconds=15)
FULL = Plan(rounds=5, seconds=30, warmup=10, syncs=5000, window=10_000, pending=MILLION,
            fire=MILLION, together=10_000, rates=(10, 5000, 20_000), fire_seconds=30,
            burst=MILLION, storm=MILLION, dead=10_000, hosts=1000, fired=10 * MILLION,
            sizes=(MILLION, 10 * MILLION, 100 * MILLION),
            starts=5, load_seconds=60, bulk_seconds=10, strangers=10 * MILLION,
            streams=10_000, stream_users=100_000, beat_seconds=30,
            stream_seconds=90)
SMOKE = Plan(rounds=1, seconds=0.2, warmup=0.1, syncs=20, window=500, pending=2000, fire=300,
             together=100, rates=(10, 200), fire_seconds=0.2, burst=500, storm=500, dead=200,
             hosts=20, fired=200, sizes=(500, 1000), starts=1, load_seconds=0.2,
             bulk_seconds=0.05, strangers=1000, streams=50, stream_users=50,
             beat_seconds=1, stream_seconds=0.3)
SETS = {"standard": STANDARD, "full": FULL, "smoke": SMOKE}


def fill_bytes(count):
    """Free disk that a store of so many timers needs while it is made."""
    return count * FILL_BYTES + FILL_SPARE_BYTES


def duration_text(seconds):
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def count_text(count):
    for unit, size in (("M", MILLION), ("k", 1000)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count:,}"
