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
// There are two lanes. On-time timers start before those of the backlog, three to one while both
// wait; the backlog may have half of the slots while on-time timers start, what its ramp allows at
// most. In each lane targets that answer within kPromptMs take turns with the others, which may
// have half of the slots, and of what the ramp allows: however many hang, they leave room, and one
// has kSlowLateMax of the backlog's at most. Of one target's room the on-time timers have the first
// choice.
//
// A target may be paused: nothing of it starts or is charged until it is resumed.
//
// While a target's breaker is not closed its timers wait, but not for ever: one that waited for its
// open wait from its key time on is taken out by Advance, to be charged an attempt. The one that is
// about to be the probe is not.
//
// Invariants: (1) slots_taken() <= max_in_flight. (2) A target has no more lines in turn than room,
// none only while it has no room or nobody waits, and none of the backlog while one on time is
// behind. (3) A tenant is in turn in a class while one of its lines of that class is. (4) A target
// is in wakes_ only with timers staged or parked. (5) At most targets_kept targets take memory
// besides those that are busy.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/lane.h"
#include "base/limits.h"
#include "base/timer.h"
#include "scheduler/ramp.h"
#include "scheduler/target.h"
#include "scheduler/target_table.h"

namespace belfry {

struct AdmissionOptions {
  size_t max_in_flight = 1000;
  TargetOptions target;
  size_t targets_kept = kTargetsKept;
  size_t unpark_below = kUnparkBelow;  // staged timers of a target that has room for parked ones
  // Of the timers under way; the backlog, and targets that hang, may have half of it each.
  size_t flight_bytes_max = SIZE_MAX;
};

class Admission {
 public:
  explicit Admission(const AdmissionOptions& options)
      : max_in_flight_(options.max_in_flight),
        unpark_below_(options.unpark_below),
        flight_bytes_max_(options.flight_bytes_max),
        ramp_(options.max_in_flight),
        targets_(options.target, options.targets_kept) {}

  // Started and not ended; of these, those with a slot.
  [[nodiscard]] size_t in_flight() const { return in_flight_; }
  [[nodiscard]] size_t slots_taken() const { return slots_taken_; }
  [[nodiscard]] size_t staged() const { return staged_.size(); }
  [[nodiscard]] size_t staged(Lane lane) const { return staged_in_[static_cast<size_t>(lane)]; }
  [[nodiscard]] size_t staged_bytes() const { return staged_bytes_[0] + staged_bytes_[1]; }
  [[nodiscard]] size_t staged_bytes(Lane lane) const {
    return staged_bytes_[static_cast<size_t>(lane)];
  }
  // Remembered, for tests.
  [[nodiscard]] size_t targets() const { return targets_.size(); }
  [[nodiscard]] bool CanStart(WallMs now) const { return NextClass(now).has_value(); }
  // When Advance has something to do, or CanStart may change; nullopt: not before something else
  // does.
  [[nodiscard]] std::optional<WallMs> NextUnblockAt() const;
  // What is known of a target; null when nothing is.
  [[nodiscard]] const Target* Peek(std::string_view name) const { return targets_.Find(name); }
  // The smallest key staged; kKeyMax when none is. Walks the staged timers.
  [[nodiscard]] Key FirstStaged() const;

  // What an attempt occupies. Valid until Ended.
  struct Slot {
    Target* target = nullptr;
    Lane lane = Lane::kOnTime;
    bool prompt = false;  // as the target was
    size_t bytes = 0;     // of the timer
  };
  struct Started {
    TimerPtr timer;  // null: nothing may start
    Slot slot;
  };
  struct Waited {
    TimerPtr timer;
    size_t bytes = 0;
  };

  // Takes a due timer; `bytes` is its MemoryBytes, `open_wait_ms` its OpenWaitMs.
  void Stage(TimerPtr timer, size_t bytes, int64_t open_wait_ms, Lane lane, WallMs now);
  // What Next() would give out; null: nothing may start. Borrowed until the next change.
  [[nodiscard]] const Timer* PeekNext(WallMs now) const;
  // Takes out the next timer to start and occupies its slot.
  Started Next(WallMs now);
  // One that Next() gave out waits for the addresses of its target's name: its slot is free.
  void BeginLookup(const Slot& slot, WallMs now);
  // It does not any more, and takes a slot again. There is one, or it ends next.
  void EndLookup(const Slot& slot, WallMs now);
  // Who has looked the name of its target up may take the slot that it had.
  [[nodiscard]] bool HasSlotFor(const Slot& slot) const;
  // The attempt of a timer that Next() gave out ended: frees its slot and tells the target. It
  // looks nothing up any more.
  void Ended(const Slot& slot, const Outcome& outcome, WallMs now);

  // Holds a target, or lets it go on.
  void SetPaused(std::string_view name, bool paused, WallMs now);
  // Timers of it are parked under `number`; 0: none any more.
  void SetParked(std::string_view name, TargetNumber number, WallMs now);
  // The numbers of targets with parked timers that have room for more, some of them twice; each is
  // told again after it had room.
  [[nodiscard]] std::vector<TargetNumber> TakeRoomy() { return std::exchange(roomy_, {}); }
  [[nodiscard]] bool AnyRoomy() const { return !roomy_.empty(); }

  // Looks at the targets whose time has come, kTargetsPerTickMax at most: some may start again.
  // Puts at most `charges_max` timers that waited long enough for an open one into `waited`.
  void Advance(WallMs now, size_t charges_max, std::vector<Waited>* waited);
  // The clock was set back to `now`.
  void ClockWentBack(WallMs now);

  // Staged timers by id: as in TimerHeap.
  TimerPtr Remove(TimerId id, WallMs now);
  [[nodiscard]] const Timer* Find(TimerId id) const;
  void DropIf(TenantId tenant, const std::function<bool(const Timer&)>& drop, WallMs now);
  // Drops the on-time timers with keys before `before` of targets that have no room. The smallest
  // of their keys; kKeyMax when there was none.
  [[nodiscard]] Key DropWithoutRoom(const Key& before, WallMs now);
  // Takes out the timers of a lane of the targets, none of which has room, that `wanted` says.
  // Their parked timers are not told of again before they have.
  [[nodiscard]] std::vector<TimerPtr> TakeWithoutRoom(
      Lane lane, const std::function<bool(const Target&)>& wanted, WallMs now);
  // Of the on-time timers staged, those of targets that are paused or whose breaker is not closed.
  [[nodiscard]] size_t staged_held() const { return staged_held_; }
  [[nodiscard]] size_t staged_held_bytes() const { return staged_held_bytes_; }
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
  using LineKey = std::tuple<const Target*, TenantId, Lane>;

  // The class whose turn it is; nullopt: nothing may start.
  [[nodiscard]] std::optional<size_t> NextClass(WallMs now) const;
  [[nodiscard]] std::optional<size_t> NextClassOf(Lane lane) const;
  [[nodiscard]] bool BacklogHasRoom(size_t limit) const;
  [[nodiscard]] bool BacklogMayStart(WallMs now) const;
  [[nodiscard]] bool SlowMayStart(Lane lane) const;
  [[nodiscard]] bool SlowHaveSlots() const;
  Line& LineFor(Target& target, TenantId tenant, Lane lane);
  [[nodiscard]] Tenant& TenantFor(TenantId id);
  void DropLine(Line& line);
  void GiveTurn(Line& line);
  void TakeTurn(Line& line, bool to_front);
  void Refresh(Target& target, WallMs now);
  void CountHeld(Target& target);
  void SetWake(Target& target, size_t room, WallMs now);
  void Settle(Target& target, WallMs now);
  void CheckLines(const Target& target, WallMs now) const;
  size_t TakeWaited(Target& target, size_t count_max, WallMs now, std::vector<Waited>* waited);
  void Unstaged(Target& target, Lane lane, size_t bytes);
  void Occupy(const Slot& slot, WallMs now);
  void CountSlot(const Slot& slot, int change);
  void NotePromptness(Target& target, const Outcome& outcome);
  // Takes out of `target` all that `wanted(const WaitingLine::Place&)` names.
  template <typename Wanted>
  void TakeFrom(Target& target, const Wanted& wanted, std::vector<WaitingLine::Place>* taken);
  template <typename Wanted>
  void TakeFromLane(Target& target, Lane lane, const Wanted& wanted,
                    std::vector<WaitingLine::Place>* taken);
  template <typename Wanted>
  std::vector<TimerPtr> TakeIf(const Wanted& wanted, WallMs now);

  const size_t max_in_flight_;
  const size_t unpark_below_;
  const size_t flight_bytes_max_;
  size_t in_flight_ = 0;
  size_t slots_taken_ = 0;      // by those of them that look nothing up
  size_t late_taken_ = 0;       // of these, by the backlog
  size_t slow_taken_ = 0;       // of these, by targets that were not prompt
  size_t slow_late_taken_ = 0;  // by both
  size_t late_lookups_ = 0;     // of the backlog, in flight and without a slot
  size_t late_bytes_ = 0;       // in flight, of the backlog
  size_t slow_bytes_ = 0;       // in flight, of targets that were not prompt
  std::array<size_t, kLanes> staged_bytes_{};
  std::array<size_t, kLanes> staged_in_{};
  size_t staged_held_ = 0;
  size_t staged_held_bytes_ = 0;
  size_t on_time_in_row_ = 0;                 // starts since the last of the backlog
  std::array<bool, kLanes> slow_had_turn_{};  // the last start of the lane was one of theirs
  WallMs on_time_until_;                      // till then the backlog has a part of the slots only
  Ramp ramp_;
  std::vector<TargetNumber> roomy_;
  TargetTable targets_;
  absl::flat_hash_map<TimerId, Place> staged_;
  absl::flat_hash_map<TenantId, std::unique_ptr<Tenant>> tenants_;
  absl::flat_hash_map<LineKey, std::unique_ptr<Line>> lines_;  // those that are no target's home
  std::array<LinkedList<TenantTurns, &TenantTurns::link>, kTurnClasses> turns_;  // who is next
  WakeHeap<Target> wakes_;
};

}  // namespace belfry
