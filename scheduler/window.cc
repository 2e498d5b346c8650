#include "scheduler/window.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/planted.h"

namespace belfry {

Window::Window(size_t bytes_max, WallMs first)
    : bytes_max_(bytes_max), load_below_(bytes_max / 2), horizon_(JustBelow({first, 0})) {}

void Window::Arm(TimerPtr timer) {
  if (Covers(KeyOf(*timer))) heap_.Insert(std::move(timer));
}

void Window::TakePage(LoadedPage page, const std::function<bool(TimerPtr&)>& claims) {
  CHECK(load_outstanding_);
  load_outstanding_ = false;
  if (page.generation != generation_ && !Planted(Bug::kStalePageAccepted)) return;
  const size_t before = heap_.size();
  for (TimerPtr& timer : page.timers) {
    if (!claims(timer)) heap_.Insert(std::move(timer));
  }
  const bool all_skipped = Planted(Bug::kHorizonInfiniteOnSkipped) && heap_.size() == before;
  horizon_ = page.ended || all_skipped ? kKeyMax : std::max(horizon_, page.last_examined);
  first_page_loaded_ = true;
  load_below_ = bytes_max_ / 2;
}

Key Window::Trim(size_t outside_bytes) {
  if (heap_.bytes() + outside_bytes <= bytes_max_) return kKeyMax;
  const size_t keep = bytes_max_ - bytes_max_ / 4;
  const Key dropped = heap_.DropLatest(keep > outside_bytes ? keep - outside_bytes : 0);
  if (dropped == kKeyMax) return dropped;
  horizon_ = JustBelow(dropped);
  ++generation_;
  load_below_ = std::min(load_below_, heap_.bytes());
  return dropped;
}

Window::Left Window::LeaveBelow(const Key& split) {
  Left left{kKeyMax, kKeyMax};
  if (!heap_.empty() && heap_.top() < split) {
    left.first = heap_.top();
    if (heap_.HasOf(kLeaseTenant)) left.first_lease = left.first;
    heap_.DropBelow(split);
  }
  const Key begin = JustBelow(split);
  if (horizon_ < begin) {
    left.first = std::min(left.first, JustAbove(horizon_));
    left.first_lease = std::min(left.first_lease, JustAbove(horizon_));
    horizon_ = begin;
  }
  ++generation_;
  return left;
}

void Window::ReadAgainAbove(const Key& last) {
  if (horizon_ <= last) return;
  heap_.DropAbove(last);
  horizon_ = last;
  ++generation_;
  load_below_ = bytes_max_ / 2;
  last_load_.reset();
}

std::optional<LoadOp> Window::NextLoad(size_t outside_bytes, WallMs now) {
  if (!RunsLow(outside_bytes)) return std::nullopt;
  const bool far = horizon_.at - now >= kHorizonNearMs;
  // A clock that stepped back must not hold the next Load off.
  const bool recent = last_load_ && now >= *last_load_ && now - *last_load_ < kLoadIntervalMs;
  if (first_page_loaded_ && far && recent) return std::nullopt;
  last_load_ = now;
  load_outstanding_ = true;
  LoadOp load;
  load.generation = generation_;
  load.after = horizon_;
  load.rows_max = kLoadRowsMax;
  load.bytes_max = std::min(kLoadBytesMax, bytes_max_ / 4);
  return load;
}

std::optional<WallMs> Window::NextLoadAt(size_t outside_bytes) const {
  if (!RunsLow(outside_bytes) || !last_load_) return std::nullopt;
  return *last_load_ + kLoadIntervalMs;
}

bool Window::RunsLow(size_t outside_bytes) const {
  if (load_outstanding_ || horizon_ == kKeyMax) return false;
  // However much is outside, a quarter is for what comes next: a target that hangs must not keep
  // the timers of others on disk.
  const size_t low = bytes_max_ / 2 - std::min(outside_bytes, bytes_max_ / 4);
  return heap_.bytes() < std::min(load_below_, low);
}

}  // namespace belfry
