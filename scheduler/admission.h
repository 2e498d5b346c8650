// admission.h - who may start: due timers wait here for a slot of their target and of the whole.
//
// Loop thread only. Owns the timers staged in it.
// Invariants: (1) in_flight() <= max_in_flight, and per target <= per_target_in_flight. (2) Of one
// target the earliest key starts first; targets with room take turns. (3) A target without staged
// or started timers takes no memory; every other has one Target, which holds its name once.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/timer.h"
#include "scheduler/waiting_line.h"

namespace belfry {

class Admission {
 public:
  Admission(size_t max_in_flight, size_t per_target_in_flight)
      : max_in_flight_(max_in_flight), per_target_in_flight_(per_target_in_flight) {}

  [[nodiscard]] size_t in_flight() const { return in_flight_; }
  [[nodiscard]] size_t staged() const { return staged_.size(); }
  [[nodiscard]] size_t staged_bytes() const { return staged_bytes_; }
  // With timers staged or started, for tests.
  [[nodiscard]] size_t targets() const { return targets_.size(); }
  [[nodiscard]] bool CanStart() const { return in_flight_ < max_in_flight_ && !runnable_.empty(); }
  // The smallest key staged; kKeyMax when none is. Walks the staged timers.
  [[nodiscard]] Key FirstStaged() const;

  struct Target;
  struct Started {
    TimerPtr timer;            // null: nothing may start
    Target* target = nullptr;  // for Free; valid until then
    size_t bytes = 0;          // as given to Stage
  };

  // Takes a due timer; `bytes` is its MemoryBytes.
  void Stage(TimerPtr timer, size_t bytes);
  // Takes out the next timer to start and occupies its slot.
  Started Next();
  // Frees the slot of a timer that Next() gave out.
  void Free(Target* target);

  // Staged timers by id: as in TimerHeap.
  TimerPtr Remove(TimerId id);
  [[nodiscard]] const Timer* Find(TimerId id) const;
  void DropIf(const std::function<bool(const Timer&)>& drop);
  // Takes out all whose key time is after `now`.
  std::vector<TimerPtr> TakeLaterThan(WallMs now);

 private:
  struct Place {
    Target* target;
    Key key;
  };

  // Takes out all that `wanted(const WaitingLine::Place&)` names.
  template <typename Wanted>
  std::vector<TimerPtr> TakeIf(const Wanted& wanted);
  void ForgetEmptied(const std::vector<Target*>& targets);
  void MakeRunnable(Target* target);
  void Forget(Target* target);

  size_t max_in_flight_;
  size_t per_target_in_flight_;
  size_t in_flight_ = 0;
  size_t staged_bytes_ = 0;
  absl::flat_hash_map<std::string_view, std::unique_ptr<Target>> targets_;  // by Target::name
  absl::flat_hash_map<TimerId, Place> staged_;
  std::deque<Target*> runnable_;  // targets with staged timers and room, in turn
};

struct Admission::Target {
  explicit Target(std::string_view of) : name(of) {}

  const std::string name;
  WaitingLine waiting;
  size_t in_flight = 0;
  bool runnable = false;  // stands in runnable_
};

}  // namespace belfry
