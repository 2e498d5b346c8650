// left_rows.h - rows of `due` that were passed over, because their targets may not start.
//
// Loop thread only. Nobody waits for them: the window and the backlog go on to those of other
// targets. When they are due they are read from here, in key order and a page at a time, to be
// parked, or to start when their targets have room by then. Rows of paused targets are passed over
// before they are due as well; when one of these targets is resumed the window has to read on from
// an earlier key, and says so with EndAt.
//
// Nothing of this is durable: the rows stay where they are, and a start reads them again.
//
// Invariants: (1) A live timer with a key in (begin, until] that is in no place in memory, and that
// neither the window nor the backlog will read, is met by the reading. (2) Nothing else is on disk
// only because it was passed over. (3) At most one Load is outstanding; a row that was passed over
// below what it begins with makes it stale. (4) A target is known while a row of it may be left.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/op.h"
#include "base/time.h"
#include "base/timer.h"

namespace belfry {

class LeftRows {
 public:
  [[nodiscard]] bool empty() const { return until_of_.empty(); }
  // Some of this target were passed over, and not read since.
  [[nodiscard]] bool Has(std::string_view target) const { return until_of_.contains(target); }
  // All such targets, and those in `more`.
  [[nodiscard]] TargetNames NamesAnd(const TargetNames& more) const;
  // Has of those with key times after `now`.
  [[nodiscard]] bool HasAfter(std::string_view target, WallMs now) const;
  [[nodiscard]] bool Covers(const Key& key) const {
    return !empty() && key > begin_ && key <= until_;
  }
  // Not empty: the smallest key that may be left.
  [[nodiscard]] Key first() const { return JustAbove(begin_); }

  // Rows of the target, from `first` to `last`, were passed over.
  void Leave(std::string_view target, const Key& first, const Key& last);
  // What has a key above `last` is somebody else's again.
  void EndAt(const Key& last);

  // The next page to ask for: rows that are due, at most `rows_max` and `bytes_max`. nullopt: one
  // is under way, there is none, or the end was reached less than kLoadIntervalMs ago;
  // kLeftIntervalMs, when nothing was there.
  [[nodiscard]] std::optional<LoadOp> NextLoad(size_t rows_max, size_t bytes_max, WallMs now);
  // From when on NextLoad has one; nullopt: not before something changes.
  [[nodiscard]] std::optional<WallMs> NextLoadAt(WallMs now) const;
  // The timers of a page in key order, also those that were not passed over; none when it is stale.
  [[nodiscard]] std::vector<TimerPtr> TakePage(LoadedPage page);

 private:
  [[nodiscard]] WallMs HeldOffUntil(WallMs now) const;

  Key begin_;  // exclusive
  Key until_;  // inclusive
  std::map<std::string, Key, std::less<>> until_of_;
  uint64_t generation_ = 0;
  bool load_outstanding_ = false;
  Key load_last_;
  WallMs load_asked_;
  WallMs next_load_;
};

}  // namespace belfry
