// target_rules.h - what must be true of the attempts at each target and of those who wait for it: a
// second, plainer account of what scheduler/breaker.h and throttle.h promise. Single-threaded.
// Every check returns what is wrong; nullopt: nothing is.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "scheduler/target.h"

namespace belfry::sim {

class TargetRules {
 public:
  using Wrong = std::optional<std::string>;

  explicit TargetRules(const TargetOptions& options) : options_(options) {}

  // A new process knows nothing.
  void Forget() { targets_.clear(); }
  // Before anything else is told of the new time.
  void ClockWentBack(WallMs now);

  [[nodiscard]] Wrong Started(const std::string& name, TimerId id, WallMs now);
  // One that was started waits for an address and has no slot; then it has one, and a slot again.
  void LooksUp(const std::string& name, TimerId id) { At(name).looking_up.insert(id); }
  [[nodiscard]] Wrong Connects(const std::string& name, TimerId id);
  void Ended(const std::string& name, const Outcome& outcome, WallMs now);
  // An attempt was charged without a request, after a wait that should have ended at `charge_at`.
  [[nodiscard]] Wrong Charged(const std::string& name, WallMs charge_at, WallMs now) const;
  // All that the scheduler shows of its targets.
  [[nodiscard]] Wrong Shown(const TargetPage& page, WallMs now) const;

  [[nodiscard]] bool Open(const std::string& name) const;
  [[nodiscard]] bool HasSlot(const std::string& name) const;
  // Until when, at the latest, nothing may start; kNever: until an attempt ends. nullopt: it may.
  [[nodiscard]] std::optional<WallMs> BlockedUntil(const std::string& name, WallMs now) const;

 private:
  struct State {
    size_t in_flight = 0;
    std::set<TimerId> looking_up;  // of those
    // The breaker.
    bool open = false;
    uint32_t in_a_row = 0;
    std::deque<std::pair<WallMs, bool>> recent;  // when, and whether it failed
    WallMs closed_since;
    uint32_t failed_probes = 0;
    TimerId probe = 0;
    WallMs probe_from;  // the jitter decides when between these two
    WallMs probe_by;
    // The throttle.
    size_t limit = 0;
    size_t good = 0;
    std::optional<WallMs> halved;
    WallMs paused_until;
    int64_t tokens = 0;  // thousandths
    WallMs filled;
  };

  State& At(const std::string& name);
  [[nodiscard]] Wrong Compare(const TargetView& view, const State& state, WallMs now) const;
  void EndOfBreaker(State& state, const Outcome& outcome, WallMs now) const;
  void EndOfThrottle(State& state, const Outcome& outcome, WallMs now) const;
  void Break(State& state, WallMs now) const;
  [[nodiscard]] bool HalfFailed(const State& state, WallMs now) const;
  [[nodiscard]] int64_t ProbeDelayMs(const State& state) const;
  [[nodiscard]] int64_t Tokens(const State& state, WallMs now) const;

  TargetOptions options_;
  std::map<std::string, State> targets_;
};

}  // namespace belfry::sim
