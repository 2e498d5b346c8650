#include "scheduler/timer_heap.h"

#include <algorithm>

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
  slots_[slot] = {std::move(timer), 0, static_cast<uint32_t>(bytes)};
  slot_of_.emplace(key.id, slot);
  bytes_ += bytes;
  entries_.push_back({});
  SiftUp(static_cast<uint32_t>(entries_.size() - 1), {key, slot});
}

TimerPtr TimerHeap::Pop() {
  CHECK(!entries_.empty());
  return TakeAt(0);
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
  std::vector<Entry> entries = std::move(entries_);
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return Before(a.key, b.key); });
  size_t kept = 0;
  size_t kept_bytes = 0;
  while (kept < entries.size()) {
    kept_bytes += slots_[entries[kept].slot].bytes;
    if (kept_bytes > keep_bytes && kept > 0) break;
    ++kept;
  }
  const Key first_dropped = kept < entries.size() ? entries[kept].key : kKeyMax;
  for (size_t i = kept; i < entries.size(); ++i) FreeSlot(entries[i].slot);
  entries.resize(kept);
  Rebuild(std::move(entries));
  return first_dropped;
}

void TimerHeap::DropIf(const std::function<bool(const Timer&)>& drop) {
  std::vector<Entry> kept;
  const auto dropped = [&](const Entry& entry) { return drop(*slots_[entry.slot].timer); };
  if (set_aside_.empty() && std::all_of(entries_.begin(), entries_.end(), dropped)) {
    set_aside_.swap(slots_);
    entries_.clear();
    free_slots_.clear();
    slot_of_.clear();
    bytes_ = 0;
    return;
  }
  for (const Entry& entry : entries_) {
    if (dropped(entry)) {
      FreeSlot(entry.slot);
    } else {
      kept.push_back(entry);
    }
  }
  std::sort(kept.begin(), kept.end(),
            [](const Entry& a, const Entry& b) { return Before(a.key, b.key); });
  Rebuild(std::move(kept));
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
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    const Slot& slot = slots_[entries_[i].slot];
    CHECK(slot.position == i);
    CHECK(KeyOf(*slot.timer) == entries_[i].key);
    CHECK(i == 0 || Before(entries_[(i - 1) / kArity].key, entries_[i].key));
    CHECK(slot_of_.at(entries_[i].key.id) == entries_[i].slot);
    bytes += slot.bytes;
  }
  CHECK(slot_of_.size() == entries_.size());
  CHECK(bytes == bytes_);
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
  const uint32_t slot = entries_[position].slot;
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
  return FreeSlot(slot);
}

// A sorted array is a valid heap, so nothing is sifted.
void TimerHeap::Rebuild(std::vector<Entry> kept) {
  entries_ = std::move(kept);
  for (uint32_t i = 0; i < entries_.size(); ++i) slots_[entries_[i].slot].position = i;
}

TimerPtr TimerHeap::FreeSlot(uint32_t slot) {
  Slot& s = slots_[slot];
  bytes_ -= s.bytes;
  slot_of_.erase(s.timer->id);
  free_slots_.push_back(slot);
  return std::move(s.timer);
}

}  // namespace belfry
