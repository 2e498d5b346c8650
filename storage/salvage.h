// salvage.h - what --accept-data-loss does about damage: every row that can still be read goes into
// a new store, whose entries, records and counts agree again. The old one is only read.
//
// One thread. An unreadable stretch may have hidden that a timer moved or ended, so an older row
// can come to light. What speaks for a record, in this order: its entry in `ids`; without one, that
// retention and `low` have not passed its key; an ended record before a live one; of two live ones
// the later, and at the same time the one that is not parked. So a timer is sent again rather than
// lost. Of a stopwatch either of its rows is enough.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "storage/kv.h"

namespace belfry {

struct Salvaged {
  uint64_t kept = 0;            // timers
  uint64_t streams = 0;         // that play
  uint64_t deadlines_made = 0;  // of streams, where theirs were lost
  uint64_t users_made = 0;      // of their streams, where their row was lost
  uint64_t streams_lost = 0;    // that a user or a deadline speaks of, without a lease
  uint64_t lost = 0;  // timers in `ids` without a record; those that nothing speaks of come on top
  uint64_t skipped_rows = 0;       // readable, but not what was written
  uint64_t skipped_stretches = 0;  // not readable at all
};

// OK: every row can be read, and entries, records and counts agree. kCorruption: the first that
// does not. Reads everything.
[[nodiscard]] Status CheckWhole(const Kv& kv);

// `to` is empty. kCorruption: the figures in `meta` cannot be read; without them it is not known
// what was removed, so nothing is guessed. `log` gets a line for what is lost.
[[nodiscard]] Result<Salvaged> Salvage(const Kv& from, Kv* to, const LogFn& log);

}  // namespace belfry
