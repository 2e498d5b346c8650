// admission.h - who may start: due timers wait here for a slot of their target and of the whole.
//
// Loop thread only. Owns the timers staged in it.
// Invariants: (1) in_flight() <= max_in_flight, and per target <= per_target_in_flight. (2) Of one
// target the earliest key starts first; targets with room take turns. (3) A target without staged
// or started timers takes no memory.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/timer.h"

namespace belfry {

class Admission {
 public:
  Admission(size_t max_in_flight, size_t per_target_in_flight)
      : max_in_flight_(max_in_flight), per_target_in_flight_(per_target_in_flight) {}

  [[nodiscard]] size_t in_flight() const { return in_flight_; }
  [[nodiscard]] size_t staged() const { return staged_.size(); }
  [[nodiscard]] size_t staged_bytes() const { return staged_bytes_; }
  [[nodiscard]] bool CanStart() const { return in_flight_ < max_in_flight_ && !runnable_.empty(); }
  // The smallest key staged; kKeyMax when none is. Walks the staged timers.
  [[nodiscard]] Key FirstStaged() const;

  // Takes a due timer.
  void Stage(TimerPtr timer);
  // Takes out the next timer to start and occupies its slot; null when nothing may start.
  TimerPtr Next();
  // Frees the slot of a timer that Next() gave out.
  void Free(const std::string& target);

  // Staged timers by id: as in TimerHeap.
  TimerPtr Remove(TimerId id);
  [[nodiscard]] const Timer* Find(TimerId id) const;
  void DropIf(const std::function<bool(const Timer&)>& drop);
  // Takes out all whose key time is after `now`.
  std::vector<TimerPtr> TakeLaterThan(WallMs now);

 private:
  struct Target {
    std::map<Key, TimerPtr> waiting;
    size_t in_flight = 0;
    bool runnable = false;  // stands in runnable_
  };
  struct Place {
    std::string target;
    Key key;
  };

  // Takes the timer out and leaves its target, empty perhaps, where it is.
  TimerPtr TakeOut(TimerId id, std::string* target);
  std::vector<TimerPtr> TakeAll(const std::vector<TimerId>& ids);
  void ForgetEmptied(const std::vector<std::string>& targets);
  void MakeRunnable(const std::string& name, Target& target);
  void Forget(const std::string& name);

  size_t max_in_flight_;
  size_t per_target_in_flight_;
  size_t in_flight_ = 0;
  size_t staged_bytes_ = 0;
  absl::flat_hash_map<std::string, std::unique_ptr<Target>> targets_;
  absl::flat_hash_map<TimerId, Place> staged_;
  std::deque<std::string> runnable_;  // targets with staged timers and room, in turn
};

}  // namespace belfry
