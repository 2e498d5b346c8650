// backlog.h - what is late: a cursor over the part of `due` before the split.
//
// Loop thread only. What was due before the daemon was up, or has been due for so long that it no
// longer counts as on time, is not in the window: it is read here, in key order and a page at a
// time, straight to the line of its target. So it costs the window nothing, and timers that are due
// now do not stand behind it.
//
// Deadlines of leases have a cursor of their own, with a split of its own: they need no slot and
// no room, and do not stand behind timers that wait for them. What is said of timers here is, of
// each of the two, said of those that it is for.
//
// Invariants: (1) A live timer with a key in (cursor, split) is on disk, and in no line: the cursor
// will meet it. One at or below the cursor is in memory, or has an unfinished op. (2) The split
// only rises. (3) At most one Load is outstanding; one that was asked for before the cursor moved
// back is stale, and its page is thrown away.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "base/op.h"
#include "base/time.h"
#include "base/timer.h"

namespace belfry {

class Backlog {
 public:
  // No live timer has a key time below `low`. `reader`: kBacklog, or kLeases.
  Backlog(WallMs low, WallMs split, Reader reader);

  [[nodiscard]] Key cursor() const { return cursor_; }
  [[nodiscard]] Key split() const { return split_; }
  // Everything before the split was read.
  [[nodiscard]] bool ended() const { return cursor_ >= JustBelow(split_); }
  [[nodiscard]] bool WillMeet(const Key& key) const { return key > cursor_ && key < split_; }

  // The next page to ask for: at most `rows_max` rows and `bytes_max` bytes, both above 0. nullopt:
  // one is under way, everything was read or was less than kLoadIntervalMs ago, or what comes next
  // is not due before `now`.
  [[nodiscard]] std::optional<LoadOp> NextLoad(size_t rows_max, size_t bytes_max, WallMs now);
  // From when on NextLoad has one; nullopt: not before something changes.
  [[nodiscard]] std::optional<WallMs> NextLoadAt(WallMs now) const;
  // It asks for pages, one after the other.
  [[nodiscard]] bool Reads(WallMs now) const {
    return load_outstanding_ || (!ended() && std::max(cursor_.at, HeldOffUntil(now)) <= now);
  }
  // The timers of a page in key order; none when it is stale.
  [[nodiscard]] std::vector<TimerPtr> TakePage(LoadedPage page);

  // What lies in [first, split) and is not in memory is the backlog's from now on; `split` is not
  // below what it was, and `first` is below it. Everything between the old split and `first` is in
  // memory.
  void Take(const Key& first, const Key& split);

 private:
  [[nodiscard]] WallMs HeldOffUntil(WallMs now) const;

  const Reader reader_;
  Key cursor_;  // inclusive
  Key split_;   // exclusive
  Key load_end_;
  uint64_t generation_ = 0;
  bool load_outstanding_ = false;
  WallMs load_asked_;
  WallMs next_load_;  // after a page that ended: what comes next is read together
};

}  // namespace belfry
