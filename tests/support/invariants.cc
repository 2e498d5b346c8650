#include "tests/support/invariants.h"

#include <algorithm>

#include "base/rfc3339.h"

namespace belfry {

std::optional<std::string> TimersInspector::Violation(const std::map<TimerId, Key>& live,
                                                      const std::set<TimerId>& parked,
                                                      TenantId tenant) const {
  timers_.window_.heap().CheckInvariants();
  for (const auto& [id, key] : live) {
    const std::string name = "timer " + std::to_string(id);
    const int places = Places(id);
    if (places > 1) return name + " has two places in memory";
    if (timers_.unfinished_.CountFor(tenant, id) > 0) {
      if (InHeap(id)) return name + " is armed while an op on it is unfinished";
      continue;
    }
    if (!timers_.Exists(tenant, id)) {
      if (InHeap(id)) return name + " is armed though it is below the floor";
      continue;
    }
    if (InHeap(id) && KeyOf(*timers_.window_.heap().Find(id)) != key) {
      return name + " is armed under another key than the stored one";
    }
    const bool on_disk =
        tenant == kLeaseTenant
            ? timers_.late_leases_.WillMeet(key)
            : timers_.backlog_.WillMeet(key) || timers_.left_.Covers(key) || parked.contains(id);
    if (key <= horizon() && places == 0 && !on_disk) {
      return name + " at " + FormatRfc3339(key.at) + " is below the horizon and not in memory";
    }
    if (key > horizon() && InHeap(id)) return name + " is in the heap above the horizon";
  }
  for (const auto& [id, held] : timers_.held_) {
    if (timers_.unfinished_.CountFor(held->tenant, id) == 0) return "timer held for no op";
  }
  if (timers_.flights_.size() != timers_.admission_.in_flight() + timers_.unsettled_) {
    return "slots leak";
  }
  return std::nullopt;
}

std::optional<std::string> TimersInspector::LotViolation(const std::map<TimerId, Key>& live,
                                                         const std::set<TimerId>& parked) const {
  const auto& lots = timers_.parking_.lots_;
  for (const TimerId id : parked) {
    const auto found = live.find(id);
    if (found == live.end() || timers_.unfinished_.CountFor(kLocalTenant, id) > 0) continue;
    if (!timers_.Exists(kLocalTenant, id) || Places(id) > 0) continue;
    const bool ahead = std::any_of(lots.begin(), lots.end(), [&](const auto& lot) {
      return found->second > lot.second->cursor;
    });
    if (ahead && !timers_.parking_.IsOut(id)) continue;
    return "timer " + std::to_string(id) + " is parked behind its lot's cursor, and nowhere else";
  }
  for (const auto& [id, out] : timers_.parking_.out_) {
    if (timers_.unfinished_.CountFor(kLocalTenant, id) > 0 || Places(id) > 0) continue;
    return "timer " + std::to_string(id) + " is out of its lot, and nowhere";
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

bool TimersInspector::KindIsFull() const {
  const Admission& admission = timers_.admission_;
  const size_t share = admission.flight_bytes_max_ / (kSlowShare * kBacklogShare);
  const size_t late = admission.late_taken_ + admission.late_lookups_;
  const size_t half = std::max<size_t>(1, admission.max_in_flight_ / kBacklogShare);
  return admission.slow_bytes_ >= share || admission.late_bytes_ >= share ||
         late >= kLateLookups * std::min(half, admission.ramp_.limit());
}

bool TimersInspector::HeapHasDue(WallMs now) const {
  const TimerHeap& heap = timers_.window_.heap();
  return !heap.empty() && heap.top().at <= now;
}

bool TimersInspector::WasPassedOver(TimerId id, const Key& key) const {
  return timers_.left_.Covers(key) && !timers_.backlog_.WillMeet(key) && key <= horizon() &&
         timers_.unfinished_.CountFor(kLocalTenant, id) == 0 && Places(id) == 0;
}

bool TimersInspector::IsLate(TimerId id) const {
  return timers_.flights_.at(id).slot.lane == Lane::kBacklog;
}

std::vector<TimerId> TimersInspector::Held(TenantId tenant) const {
  std::vector<TimerId> ids;
  for (const auto& [id, timer] : timers_.held_) {
    if (timer->tenant == tenant) ids.push_back(id);
  }
  return ids;
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
