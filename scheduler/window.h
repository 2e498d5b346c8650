// window.h - the part of `due` that is in memory: a heap over the nearest deadlines, its horizon,
// and when to page in more.
//
// Loop thread only.
// Invariants: (1) Every timer in the heap has a key at or below the horizon. (2) What lies above
// the horizon is on disk only; the horizon is kKeyMax when everything is in memory. (3) The heap is
// pulled back below its bound at every Trim, but never loses the earliest timer. (4) At most one
// Load is outstanding; an eviction makes it stale.
//
// `outside_bytes` are timers that left the heap and count against the same bound: those staged and
// those in flight. Their owner keeps each of the two below a quarter of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/op.h"
#include "scheduler/timer_heap.h"

namespace belfry {

class Window {
 public:
  // Nothing at or above `first` is in memory yet.
  Window(size_t bytes_max, WallMs first);

  [[nodiscard]] const TimerHeap& heap() const { return heap_; }
  [[nodiscard]] TimerHeap& heap() { return heap_; }
  [[nodiscard]] Key horizon() const { return horizon_; }
  [[nodiscard]] bool first_page_loaded() const { return first_page_loaded_; }
  [[nodiscard]] bool Covers(const Key& key) const { return key <= horizon_; }

  // Keeps a durable timer if the horizon covers it; drops it otherwise: it is on disk.
  void Arm(TimerPtr timer);

  // Takes a page, except the timers that `claims` says go elsewhere (it may take them). A page from
  // before an eviction is thrown away.
  void TakePage(LoadedPage page, const std::function<bool(TimerPtr&)>& claims);

  // Drops the latest timers when the heap and `outside_bytes` exceed the bound. Of those dropped
  // the smallest key; kKeyMax when none was.
  Key Trim(size_t outside_bytes);

  // What lies before `split` is not the window's any more: drops what the heap has of it, and
  // begins there.
  struct Left {
    Key first;        // below `split`, may be on disk only now: none is smaller; kKeyMax: none
    Key first_lease;  // the same of deadlines of leases
  };
  [[nodiscard]] Left LeaveBelow(const Key& split);

  // What has a key above `last` is to be read again.
  void ReadAgainAbove(const Key& last);
  [[nodiscard]] bool load_outstanding() const { return load_outstanding_; }

  // The Load to queue now, if the window runs low.
  [[nodiscard]] std::optional<LoadOp> NextLoad(size_t outside_bytes, WallMs now);

  // When NextLoad may have one, though it had none now; nullopt: not before something changes.
  [[nodiscard]] std::optional<WallMs> NextLoadAt(size_t outside_bytes) const;

 private:
  [[nodiscard]] bool RunsLow(size_t outside_bytes) const;

  TimerHeap heap_;
  size_t bytes_max_;
  // Bytes in the heap; an eviction lowers it, so that it does not page in again at once.
  size_t load_below_;
  Key horizon_;
  uint64_t generation_ = 0;
  bool load_outstanding_ = false;
  bool first_page_loaded_ = false;
  std::optional<WallMs> last_load_;
};

}  // namespace belfry
