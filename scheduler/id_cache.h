// id_cache.h - what a short GET needs of timers that are not in memory, so that it asks nobody.
//
// Loop thread only. Bounded: id -> tenant, state, due, in a table of sets of four places; a new one
// takes the place of any of its set. Only timers that are alive are kept: what ended may be
// forgotten by retention, which names no ids.
//
// It never says anything older than an answer that was given before. An entry is what the latest
// completed op on the id left (the scheduler asks only when none is unfinished), or what a read
// found while no op on the id was unfinished or completed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/query.h"
#include "base/time.h"
#include "base/timer.h"

namespace belfry {

class IdCache {
 public:
  struct Entry {
    TenantId tenant = 0;
    TimerState state = TimerState::kPending;
    WallMs due;
  };

  // Its memory is taken as it fills. Less than one set: it keeps nothing.
  explicit IdCache(size_t bytes_max);

  [[nodiscard]] std::optional<Entry> Find(TimerId id) const;

  // An op on `id` completed; `alive` is the timer as it is stored now, null when it is not alive.
  // Deadlines of leases are not kept.
  void Completed(TimerId id, const Timer* alive);

  // A read of the store was asked for, and came back: each Asked has one Answered, with the same
  // id. `found`: null when there is no such timer. `quiet`: no op on the id is unfinished.
  void Asked(TimerId id);
  void Answered(TenantId tenant, TimerId id, const TimerView* found, bool quiet);

 private:
  struct Place {
    TimerId id;  // 0: empty
    int64_t due_ms;
    TenantId tenant;
    TimerState state;
  };
  struct Reads {
    size_t outstanding = 0;
    bool outdated = false;  // an op on the id completed meanwhile
  };
  struct Free {
    void operator()(Place* places) const { std::free(places); }
  };

  [[nodiscard]] Place* PlaceOf(TimerId id) const;
  void Keep(TimerId id, const Entry& entry);

  const size_t sets_;
  // From calloc: the system gives pages when they are first written.
  const std::unique_ptr<Place[], Free> places_;
  size_t next_victim_ = 0;
  absl::flat_hash_map<TimerId, Reads> reads_;
};

}  // namespace belfry
