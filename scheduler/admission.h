// admission.h - who may start: due timers wait here for a slot of their target and of the whole.
//
// Loop thread only. Owns the timers staged in it.
//
// Tenants take turns, and of each tenant its targets: a start costs one turn, and of one tenant and
// target the earliest key starts first. A target takes part while it has room (limit, rate,
// Retry-After, breaker). One that time keeps from starting leaves the turns and is looked at again
// when its time has come; what waits for it costs nothing until then. A start and an outcome cost
// the same however many targets and tenants there are, and allocate nothing for a target that is
// known. When more tenants want the same target than it has room, the room is kept for those who
// came first, one start each.
//
// Who looks its target's name up has no slot, of the target and of the whole; meanwhile nothing
// else of that target starts, and a probe remains the probe. So a name that nobody answers holds
// back nobody else. With an address it needs a slot again.
//
// While a target's breaker is not closed its timers wait, but not for ever: one that waited for its
// open wait from its key time on is taken out by Advance, to be charged an attempt. The one that is
// about to be the probe is not.
//
// Invariants: (1) slots_taken() <= max_in_flight. (2) A target has no more lines in turn than room,
// and none only while it has no room or nobody waits. (3) A tenant is in turn while one of its
// lines is. (4) A target is in wakes_ only with timers staged. (5) At most targets_kept targets
// take memory besides those with timers staged or started.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/limits.h"
#include "base/timer.h"
#include "scheduler/target.h"
#include "scheduler/target_table.h"

namespace belfry {

struct AdmissionOptions {
  size_t max_in_flight = 1000;
  TargetOptions target;
  size_t targets_kept = kTargetsKept;
};

class Admission {
 public:
  explicit Admission(const AdmissionOptions& options)
      : max_in_flight_(options.max_in_flight), targets_(options.target, options.targets_kept) {}

  // Started and not ended; of these, those with a slot.
  [[nodiscard]] size_t in_flight() const { return in_flight_; }
  [[nodiscard]] size_t slots_taken() const { return in_flight_ - lookups_; }
  [[nodiscard]] size_t staged() const { return staged_.size(); }
  [[nodiscard]] size_t staged_bytes() const { return staged_bytes_; }
  // Remembered, for tests.
  [[nodiscard]] size_t targets() const { return targets_.size(); }
  [[nodiscard]] bool CanStart() const;
  // When Advance has something to do; nullopt: not before something changes.
  [[nodiscard]] std::optional<WallMs> NextUnblockAt() const;
  // The smallest key staged; kKeyMax when none is. Walks the staged timers.
  [[nodiscard]] Key FirstStaged() const;

  struct Started {
    TimerPtr timer;            // null: nothing may start
    Target* target = nullptr;  // for Ended; valid until then
    size_t bytes = 0;          // as given to Stage
  };
  struct Waited {
    TimerPtr timer;
    size_t bytes = 0;
  };

  // Takes a due timer; `bytes` is its MemoryBytes, `open_wait_ms` its OpenWaitMs.
  void Stage(TimerPtr timer, size_t bytes, int64_t open_wait_ms, WallMs now);
  // What Next() would give out; null: nothing may start. Borrowed until the next change.
  [[nodiscard]] const Timer* PeekNext() const;
  // Takes out the next timer to start and occupies its slot.
  Started Next(WallMs now);
  // One that Next() gave out waits for the addresses of its target's name: its slot is free.
  void BeginLookup(Target& target, WallMs now);
  // It does not any more, and takes a slot again. There is one, or it ends next.
  void EndLookup(Target& target, WallMs now);
  // Who has looked the name of `target` up may take one.
  [[nodiscard]] bool HasSlotFor(const Target& target) const;
  // The attempt of a timer that Next() gave out ended: frees its slot and tells the target. It
  // looks nothing up any more.
  void Ended(Target& target, const Outcome& outcome, WallMs now);

  // Looks at the targets whose time has come, kTargetsPerTickMax at most: some may start again.
  // Puts at most `charges_max` timers that waited long enough for an open one into `waited`.
  void Advance(WallMs now, size_t charges_max, std::vector<Waited>* waited);
  // The clock was set back to `now`.
  void ClockWentBack(WallMs now);

  // Staged timers by id: as in TimerHeap.
  TimerPtr Remove(TimerId id, WallMs now);
  [[nodiscard]] const Timer* Find(TimerId id) const;
  void DropIf(const std::function<bool(const Timer&)>& drop, WallMs now);
  // Takes out all whose key time is after `now`.
  std::vector<TimerPtr> TakeLaterThan(WallMs now);

  [[nodiscard]] TargetPage Page(std::string_view after, size_t limit, WallMs now) const {
    return targets_.Page(after, limit, now);
  }
  // For tests: aborts when an invariant does not hold. Advance was called with this `now`.
  void CheckInvariants(WallMs now) const;

 private:
  friend class TimersInspector;  // tests/support/invariants.h

  struct Place {
    Line* line;
    Key key;
  };
  using LineKey = std::pair<const Target*, TenantId>;

  Line& LineFor(Target& target, TenantId tenant);
  [[nodiscard]] Tenant& TenantFor(TenantId id);
  void DropLine(Line& line);
  void GiveTurn(Line& line);
  void TakeTurn(Line& line, bool to_front);
  void Refresh(Target& target, WallMs now);
  void SetWake(Target& target, size_t room, WallMs now);
  void Settle(Target& target, WallMs now);
  size_t TakeWaited(Target& target, size_t count_max, WallMs now, std::vector<Waited>* waited);
  // Takes out of `target` all that `wanted(const WaitingLine::Place&)` names.
  template <typename Wanted>
  void TakeFrom(Target& target, const Wanted& wanted, std::vector<WaitingLine::Place>* taken);
  template <typename Wanted>
  std::vector<TimerPtr> TakeIf(const Wanted& wanted, WallMs now);

  const size_t max_in_flight_;
  size_t in_flight_ = 0;
  size_t lookups_ = 0;  // of these, those without a slot
  size_t staged_bytes_ = 0;
  TargetTable targets_;
  absl::flat_hash_map<TimerId, Place> staged_;
  absl::flat_hash_map<TenantId, std::unique_ptr<Tenant>> tenants_;
  absl::flat_hash_map<LineKey, std::unique_ptr<Line>> lines_;  // those that are no target's home
  LinkedList<Tenant, &Tenant::link> turns_;                    // who is next
  WakeHeap<Target> wakes_;
};

}  // namespace belfry
