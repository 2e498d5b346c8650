#include "scheduler/backlog.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/planted.h"

namespace belfry {

Backlog::Backlog(WallMs low, WallMs split, Reader reader)
    : reader_(reader), cursor_(JustBelow({std::min(low, split), 0})), split_({split, 0}) {}

std::optional<LoadOp> Backlog::NextLoad(size_t rows_max, size_t bytes_max, WallMs now) {
  if (load_outstanding_ || ended() || cursor_.at > now) return std::nullopt;
  if (now < HeldOffUntil(now)) return std::nullopt;
  load_outstanding_ = true;
  load_asked_ = now;
  load_end_ = split_;
  LoadOp load;
  load.reader = reader_;
  load.leases_only = reader_ == Reader::kLeases;
  load.generation = generation_;
  load.after = cursor_;
  load.end = load_end_;
  load.rows_max = rows_max;
  load.bytes_max = bytes_max;
  return load;
}

// A clock that stepped back does not hold it off.
WallMs Backlog::HeldOffUntil(WallMs now) const {
  return next_load_ - now <= kLoadIntervalMs ? next_load_ : now;
}

std::optional<WallMs> Backlog::NextLoadAt(WallMs now) const {
  if (load_outstanding_ || ended()) return std::nullopt;
  return std::max(cursor_.at, HeldOffUntil(now));
}

std::vector<TimerPtr> Backlog::TakePage(LoadedPage page) {
  CHECK(load_outstanding_);
  load_outstanding_ = false;
  if (page.generation != generation_) return {};
  if (page.ended) next_load_ = load_asked_ + kLoadIntervalMs;
  cursor_ = page.ended ? JustBelow(load_end_) : std::max(cursor_, page.last_examined);
  return std::move(page.timers);
}

void Backlog::Take(const Key& first, const Key& split) {
  CHECK(split >= split_ && first < split);
  const Key before = JustBelow(first);
  if (before < cursor_) ++generation_;
  cursor_ = ended() ? before : std::min(cursor_, before);
  if (Planted(Bug::kBacklogSkipsDeferred)) cursor_ = std::max(cursor_, first);
  split_ = split;
}

}  // namespace belfry
