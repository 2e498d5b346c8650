// timer_heap.h - the nearest deadlines: a 4-ary min-heap of timers with an id -> slot map.
//
// Loop thread only. Owns the timers in it.
// Invariants: (1) slots_[entries_[i].slot].position == i. (2) No entry is before its parent, by
// (key time, id): a total order. (3) A key changes only outside the heap. (4) bytes() is the sum of
// MemoryBytes over the timers held. (5) count_of_ has the tenants of the timers held, and how many
// each has.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/timer.h"

namespace belfry {

class TimerHeap {
 public:
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }
  // It holds timers of the tenant.
  [[nodiscard]] bool HasOf(TenantId tenant) const { return count_of_.contains(tenant); }
  // The smallest key. The heap is not empty.
  [[nodiscard]] Key top() const;
  // MemoryBytes of its timer, which is not looked at. The heap is not empty.
  [[nodiscard]] size_t top_bytes() const;

  // Its timer, borrowed until the next change. The heap is not empty.
  [[nodiscard]] const Timer& top_timer() const;

  // Inserts, or replaces what is held under the same id.
  void Insert(TimerPtr timer);
  // Takes out the timer with the smallest key. The heap is not empty.
  TimerPtr Pop();
  // Takes out a timer by id; null when it is not here.
  TimerPtr Remove(TimerId id);
  // Borrowed until the next change; null when it is not here.
  [[nodiscard]] const Timer* Find(TimerId id) const;

  // What is dropped is set aside, and its memory freed by FreeSome: hundreds of thousands must not
  // hold up the loop.
  //
  // Drops the latest timers until at most `keep_bytes` are held, but never the earliest one.
  // Returns the smallest key dropped, or kKeyMax when nothing was.
  Key DropLatest(size_t keep_bytes);
  // Drops every timer of the tenant for which `drop` says so. Nothing is looked at when none of
  // the tenant's is here, whatever others have.
  void DropIf(TenantId tenant, const std::function<bool(const Timer&)>& drop);
  // Drops every timer with a key before `key`.
  void DropBelow(const Key& key);
  // The same with those after it.
  void DropAbove(const Key& key);
  // Frees some of what was set aside; false when nothing was left to free.
  bool FreeSome();

  // For tests: aborts when an invariant does not hold.
  void CheckInvariants() const;

 private:
  struct Entry {
    Key key;
    uint32_t slot;
  };
  struct Slot {
    TimerPtr timer;
    uint32_t position = 0;
    uint32_t bytes = 0;
  };

  void Place(uint32_t position, const Entry& entry);
  void SiftUp(uint32_t position, Entry entry);
  void SiftDown(uint32_t position, Entry entry);
  TimerPtr TakeAt(uint32_t position);
  void Heapify();
  template <typename Drop>
  void DropEntriesIf(const Drop& drop);
  TimerPtr FreeSlot(const Entry& entry);
  void Uncount(TenantId tenant);

  std::vector<Entry> entries_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_slots_;
  absl::flat_hash_map<TimerId, uint32_t> slot_of_;
  absl::flat_hash_map<TenantId, size_t> count_of_;
  std::vector<TimerPtr> set_aside_;
  size_t bytes_ = 0;
};

}  // namespace belfry
