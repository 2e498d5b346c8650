#include "scheduler/timer_heap.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted.h"

namespace belfry {
namespace {

constexpr uint32_t kArity = 4;

bool Before(const Key& a, const Key& b) { return a < b; }

}  // namespace

Key TimerHeap::top() const {
  CHECK(!entries_.empty());
  return entries_[0].key;
}

size_t TimerHeap::top_bytes() const {
  CHECK(!entries_.empty());
  return slots_[entries_[0].slot].bytes;
}

const Timer& TimerHeap::top_timer() const {
  CHECK(!entries_.empty());
  return *slots_[entries_[0].slot].timer;
}

void TimerHeap::Insert(TimerPtr timer) {
  const Key key = KeyOf(*timer);
  Remove(key.id);
  if (Planted(Bug::kTiesLost) && !entries_.empty() && entries_[0].key.at == key.at) Pop();
  uint32_t slot;
  if (free_slots_.empty()) {
    slot = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  const size_t bytes = MemoryBytes(*timer);
  ++count_of_[timer->tenant];
  slots_[slot] = {std::move(timer), 0, static_cast<uint32_t>(bytes)};
  slot_of_.emplace(key.id, slot);
  bytes_ += bytes;
  entries_.push_back({});
  SiftUp(static_cast<uint32_t>(entries_.size() - 1), {key, slot});
}

TimerPtr TimerHeap::Pop() {
  CHECK(!entries_.empty());
  TimerPtr timer = TakeAt(0);
  if (!entries_.empty()) {
    // Most likely popped next, and not touched since it was loaded.
    __builtin_prefetch(slots_[entries_[0].slot].timer.get());
    slot_of_.prefetch(entries_[0].key.id);
  }
  return timer;
}

TimerPtr TimerHeap::Remove(TimerId id) {
  const auto found = slot_of_.find(id);
  if (found == slot_of_.end()) return nullptr;
  return TakeAt(slots_[found->second].position);
}

const Timer* TimerHeap::Find(TimerId id) const {
  const auto found = slot_of_.find(id);
  return found == slot_of_.end() ? nullptr : slots_[found->second].timer.get();
}

Key TimerHeap::DropLatest(size_t keep_bytes) {
  if (bytes_ <= keep_bytes || entries_.size() <= 1) return kKeyMax;
  size_t kept = entries_.size();
  size_t kept_bytes = bytes_;
  // A guess by the average size, then a little less until it fits: no order is needed within.
  while (kept > 1 && kept_bytes > keep_bytes) {
    const size_t guess =
        static_cast<size_t>(static_cast<double>(kept) * static_cast<double>(keep_bytes) /
                            static_cast<double>(kept_bytes));
    const size_t before = std::exchange(kept, std::clamp<size_t>(guess, 1, kept - 1));
    const auto first = entries_.begin();
    std::nth_element(first, first + static_cast<int64_t>(kept),
                     first + static_cast<int64_t>(before),
                     [](const Entry& a, const Entry& b) { return Before(a.key, b.key); });
    for (size_t i = kept; i < before; ++i) kept_bytes -= slots_[entries_[i].slot].bytes;
  }
  const Key first_dropped = entries_[kept].key;
  for (size_t i = kept; i < entries_.size(); ++i) {
    set_aside_.push_back(FreeSlot(entries_[i]));
  }
  entries_.resize(kept);
  Heapify();
  return first_dropped;
}

template <typename Drop>
void TimerHeap::DropEntriesIf(const Drop& drop) {
  const auto dropped = std::partition(entries_.begin(), entries_.end(),
                                      [&](const Entry& entry) { return !drop(entry); });
  if (dropped == entries_.begin()) {
    for (const Entry& entry : entries_) set_aside_.push_back(std::move(slots_[entry.slot].timer));
    entries_.clear();
    slots_.clear();
    free_slots_.clear();
    slot_of_.clear();
    count_of_.clear();
    bytes_ = 0;
    return;
  }
  for (auto entry = dropped; entry != entries_.end(); ++entry) {
    set_aside_.push_back(FreeSlot(*entry));
  }
  entries_.erase(dropped, entries_.end());
  Heapify();
}

void TimerHeap::DropIf(TenantId tenant, const std::function<bool(const Timer&)>& drop) {
  if (!count_of_.contains(tenant)) return;
  DropEntriesIf([&](const Entry& entry) {
    const Timer& timer = *slots_[entry.slot].timer;
    return timer.tenant == tenant && drop(timer);
  });
}

void TimerHeap::DropBelow(const Key& key) {
  constexpr size_t kPopsMax = 64;
  for (size_t popped = 0; popped < kPopsMax; ++popped) {
    if (entries_.empty() || !Before(entries_[0].key, key)) return;
    set_aside_.push_back(TakeAt(0));
  }
  DropEntriesIf([&](const Entry& entry) { return Before(entry.key, key); });
}

void TimerHeap::DropAbove(const Key& key) {
  DropEntriesIf([&](const Entry& entry) { return Before(key, entry.key); });
}

bool TimerHeap::FreeSome() {
  constexpr size_t kAtOnce = 2048;
  const size_t count = std::min(kAtOnce, set_aside_.size());
  set_aside_.resize(set_aside_.size() - count);
  if (set_aside_.empty()) set_aside_.shrink_to_fit();
  return count > 0;
}

void TimerHeap::CheckInvariants() const {
  size_t bytes = 0;
  absl::flat_hash_map<TenantId, size_t> counted;
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    const Slot& slot = slots_[entries_[i].slot];
    CHECK(slot.position == i);
    CHECK(KeyOf(*slot.timer) == entries_[i].key);
    CHECK(i == 0 || Before(entries_[(i - 1) / kArity].key, entries_[i].key));
    CHECK(slot_of_.at(entries_[i].key.id) == entries_[i].slot);
    bytes += slot.bytes;
    ++counted[slot.timer->tenant];
  }
  CHECK(slot_of_.size() == entries_.size());
  CHECK(bytes == bytes_);
  CHECK(counted == count_of_);
}

void TimerHeap::Place(uint32_t position, const Entry& entry) {
  entries_[position] = entry;
  slots_[entry.slot].position = position;
}

void TimerHeap::SiftUp(uint32_t position, Entry entry) {
  while (position > 0) {
    const uint32_t parent = (position - 1) / kArity;
    if (!Before(entry.key, entries_[parent].key)) break;
    Place(position, entries_[parent]);
    position = parent;
  }
  Place(position, entry);
}

void TimerHeap::SiftDown(uint32_t position, Entry entry) {
  const auto size = static_cast<uint32_t>(entries_.size());
  for (;;) {
    const uint32_t first = position * kArity + 1;
    if (first >= size) break;
    uint32_t least = first;
    const uint32_t last = std::min(first + kArity, size);
    for (uint32_t child = first + 1; child < last; ++child) {
      if (Before(entries_[child].key, entries_[least].key)) least = child;
    }
    if (!Before(entries_[least].key, entry.key)) break;
    Place(position, entries_[least]);
    position = least;
  }
  Place(position, entry);
}

TimerPtr TimerHeap::TakeAt(uint32_t position) {
  const Entry taken = entries_[position];
  const Entry last = entries_.back();
  entries_.pop_back();
  if (position < entries_.size()) {
    // The last entry may belong above or below the hole; only one of the two moves it.
    const Key hole_parent = position > 0 ? entries_[(position - 1) / kArity].key : last.key;
    if (Before(last.key, hole_parent)) {
      SiftUp(position, last);
    } else {
      SiftDown(position, last);
    }
  }
  return FreeSlot(taken);
}

void TimerHeap::Heapify() {
  for (uint32_t i = 0; i < entries_.size(); ++i) slots_[entries_[i].slot].position = i;
  if (entries_.size() <= 1) return;
  const auto last_parent = static_cast<uint32_t>((entries_.size() - 2) / kArity);
  for (uint32_t i = last_parent + 1; i-- > 0;) SiftDown(i, entries_[i]);
}

TimerPtr TimerHeap::FreeSlot(const Entry& entry) {
  Slot& s = slots_[entry.slot];
  bytes_ -= s.bytes;
  slot_of_.erase(entry.key.id);
  free_slots_.push_back(entry.slot);
  Uncount(s.timer->tenant);
  return std::move(s.timer);
}

void TimerHeap::Uncount(TenantId tenant) {
  const auto found = count_of_.find(tenant);
  if (--found->second == 0) count_of_.erase(found);
}

}  // namespace belfry
