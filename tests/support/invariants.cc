#include "tests/support/invariants.h"

#include "base/rfc3339.h"

namespace belfry {

std::optional<std::string> TimersInspector::Violation(const std::map<TimerId, Key>& live,
                                                      const std::set<TimerId>& parked) const {
  timers_.window_.heap().CheckInvariants();
  for (const auto& [id, key] : live) {
    const std::string name = "timer " + std::to_string(id);
    const int places = Places(id);
    if (places > 1) return name + " has two places in memory";
    if (timers_.unfinished_.CountFor(id) > 0) {
      if (InHeap(id)) return name + " is armed while an op on it is unfinished";
      continue;
    }
    if (!timers_.Exists(kLocalTenant, id)) {
      if (InHeap(id)) return name + " is armed though it is below the floor";
      continue;
    }
    if (InHeap(id) && KeyOf(*timers_.window_.heap().Find(id)) != key) {
      return name + " is armed under another key than the stored one";
    }
    const bool on_disk = timers_.backlog_.WillMeet(key) || parked.contains(id);
    if (key <= horizon() && places == 0 && !on_disk) {
      return name + " at " + FormatRfc3339(key.at) + " is below the horizon and not in memory";
    }
    if (key > horizon() && InHeap(id)) return name + " is in the heap above the horizon";
  }
  for (const auto& [id, held] : timers_.held_) {
    if (timers_.unfinished_.CountFor(id) == 0) return "timer held for no op";
  }
  if (timers_.flights_.size() != timers_.admission_.in_flight() + timers_.unsettled_) {
    return "slots leak";
  }
  return std::nullopt;
}

std::vector<const Timer*> TimersInspector::Staged() const {
  std::vector<const Timer*> staged;
  for (const auto& [id, place] : timers_.admission_.staged_) {
    staged.push_back(timers_.admission_.Find(id));
  }
  return staged;
}

bool TimersInspector::HeapHasDue(WallMs now) const {
  const TimerHeap& heap = timers_.window_.heap();
  return !heap.empty() && heap.top().at <= now;
}

bool TimersInspector::InHeap(TimerId id) const {
  return timers_.window_.heap().Find(id) != nullptr;
}

bool TimersInspector::InFlight(TimerId id) const { return timers_.flights_.contains(id); }

int TimersInspector::Places(TimerId id) const {
  return (InHeap(id) ? 1 : 0) + (timers_.held_.contains(id) ? 1 : 0) +
         (timers_.admission_.Find(id) != nullptr ? 1 : 0) + (InFlight(id) ? 1 : 0);
}

}  // namespace belfry
