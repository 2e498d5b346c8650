// invariants.h - walks the scheduler's memory and compares it with what the store holds.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/id.h"
#include "scheduler/timers.h"

namespace belfry {

class TimersInspector {
 public:
  explicit TimersInspector(const Timers& timers) : timers_(timers) {}

  // What is wrong, given the live timers of the tenant that the store has made durable, and those
  // of them that are parked; nullopt when nothing is.
  [[nodiscard]] std::optional<std::string> Violation(const std::map<TimerId, Key>& live,
                                                     const std::set<TimerId>& parked,
                                                     TenantId tenant = kLocalTenant) const;

  // The same for what is parked: above its lot's cursor, or out of it and somewhere.
  [[nodiscard]] std::optional<std::string> LotViolation(const std::map<TimerId, Key>& live,
                                                        const std::set<TimerId>& parked) const;

  [[nodiscard]] Key horizon() const { return timers_.window_.horizon(); }
  [[nodiscard]] Key split() const { return timers_.Split(); }
  [[nodiscard]] size_t heap_size() const { return timers_.window_.heap().size(); }
  [[nodiscard]] size_t staged() const { return timers_.admission_.staged(); }
  // Borrowed until the next call that changes anything.
  [[nodiscard]] std::vector<const Timer*> Staged() const;
  [[nodiscard]] bool RoomToStage() const { return timers_.RoomToStage(); }
  [[nodiscard]] bool RoomForTop() const { return timers_.RoomForTop(); }
  [[nodiscard]] bool RoomToStart() const { return timers_.RoomToStart(); }
  [[nodiscard]] bool RoomInBacklog() const { return timers_.RoomInBacklog(); }
  // So much is under way at targets that hang, or of the backlog, that it may hold back more of it:
  // large timers, or names that are looked up.
  [[nodiscard]] bool KindIsFull() const;
  // In the heap, which is to stage what is due.
  [[nodiscard]] bool HeapHasDue(WallMs now) const;
  [[nodiscard]] bool WillMeet(const Key& key) const {
    return timers_.backlog_.WillMeet(key) || timers_.left_.Covers(key);
  }
  // Late deadlines are not asked for before; nullopt: they are being read, or there are none.
  [[nodiscard]] std::optional<WallMs> ReadsLeasesAt(WallMs now) const {
    return timers_.late_leases_.NextLoadAt(now);
  }
  [[nodiscard]] bool TooManyLapses() const {
    return timers_.lapses_ + timers_.leases_asked_ > timers_.options_.lapses_max;
  }
  // On disk, in no place in memory, and neither the window nor the backlog will read it.
  [[nodiscard]] bool WasPassedOver(TimerId id, const Key& key) const;
  // Of one in flight: it is of the backlog.
  [[nodiscard]] bool IsLate(TimerId id) const;
  [[nodiscard]] std::vector<TimerId> Held(TenantId tenant) const;
  [[nodiscard]] bool InHeap(TimerId id) const;
  [[nodiscard]] bool InFlight(TimerId id) const;

 private:
  [[nodiscard]] int Places(TimerId id) const;

  const Timers& timers_;
};

}  // namespace belfry
