// target.h - all that is known of one target (scheme://host:port), and who waits for it.
//
// Loop thread only. A Target is shared by all tenants, so that its limit, rate and breaker hold for
// the host; each tenant with timers staged for it has a Line of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "base/lane.h"
#include "base/time.h"
#include "scheduler/breaker.h"
#include "scheduler/linked_list.h"
#include "scheduler/target_stats.h"
#include "scheduler/throttle.h"
#include "scheduler/waiting_line.h"
#include "scheduler/wake_heap.h"

namespace belfry {

struct TargetOptions {
  ThrottleOptions throttle;
  BreakerOptions breaker;
};

struct Target;
struct Tenant;

// Who takes turns with whom: those of one lane, and of these prompt targets apart from the others,
// which may have a part of the slots only.
constexpr size_t kTurnClasses = 2 * kLanes;
[[nodiscard]] constexpr size_t TurnClass(Lane lane, bool prompt) {
  return 2 * static_cast<size_t>(lane) + (prompt ? 0 : 1);
}

// The staged timers of one tenant for one target in one lane. With timers it is in one list of its
// target: `in_turn` when the next start may be its, and then also among its tenant's turns, or
// `behind`.
struct Line {
  WaitingLine waiting;
  Target* target = nullptr;
  Tenant* tenant = nullptr;  // null: nobody's, free to be taken
  Lane lane = Lane::kOnTime;
  Link<Line> of_target;
  Link<Line> of_tenant;
  bool in_turn = false;
  size_t turn_class = 0;  // while it is in turn
};

// Of one tenant in one class.
struct TenantTurns {
  LinkedList<Line, &Line::of_tenant> lines;  // that may start, next first
  Link<TenantTurns> link;
  bool in_turn = false;  // among the tenants whose turn comes
};

struct Tenant {
  TenantId id = 0;
  size_t lines = 0;  // its own, with timers
  std::array<TenantTurns, kTurnClasses> turns;
};

struct Target {
  using Lines = LinkedList<Line, &Line::of_target>;

  // `options` outlive this.
  Target(std::string_view name, const TargetOptions& options);
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  // How many attempts may start now.
  [[nodiscard]] size_t Room(WallMs now) const;
  // How many of them may be the backlog's.
  [[nodiscard]] size_t LateRoom(size_t room) const;
  // When time alone will make room. `now`: it is not time that is waited for.
  [[nodiscard]] WallMs BlockedUntil(WallMs now) const;
  [[nodiscard]] size_t slots_taken() const { return in_flight - lookups; }
  // Must not be forgotten.
  [[nodiscard]] bool busy() const {
    return in_flight > 0 || staged > 0 || paused || parked_as != 0;
  }
  // Forgetting it would let through what it holds back.
  [[nodiscard]] bool Troubled(WallMs now) const;

  const std::string name;
  Breaker breaker;
  Throttle throttle;
  TargetStats stats;
  uint32_t in_flight = 0;       // started and not ended
  uint32_t lookups = 0;         // of these, those that look its name up: they have no slot
  uint32_t late_in_flight = 0;  // of those in flight, the backlog's
  uint32_t staged = 0;          // timers in its lines
  uint32_t staged_late = 0;     // of these, in the backlog's
  uint32_t held = 0;            // of those on time, counted by Admission as held
  size_t held_bytes = 0;        // of these
  std::array<size_t, kLanes> staged_bytes{};  // of its timers in each lane
  uint32_t in_turn = 0;                       // of its lines; never more than Room
  uint32_t late_in_turn = 0;                  // of these, the backlog's; never more than LateRoom
  WallMs resumed_at;                          // what was due by then keeps to the order of its lot
  TargetNumber parked_as = 0;                 // timers of it are parked under this number
  bool prompt = false;                        // its last answer came within kPromptMs
  bool paused = false;                        // held by an operator
  bool waits_on_disk = false;                 // its timers were put away until it has room
  bool tried = false;                         // something was ever started
  std::array<Lines, kLanes> turns;
  // The others with timers, in the order in which they get room.
  std::array<Lines, kLanes> behind;
  Line home;  // the first, which nearly always is the only one
  uint32_t lines_elsewhere = 0;
  // None of its timers is charged for its wait before; later is possible.
  WallMs charge_at = kNever;
  WallMs wake_at;
  size_t wake_place = kNoPlace;
  Link<Target> idle;
  enum class Idle : uint8_t { kNo, kHealthy, kTroubled } idle_as = Idle::kNo;

  static constexpr WallMs kNever = kKeyMax.at;
};

// A target as an operator sees it.
struct TargetView {
  std::string name;
  BreakerState state = BreakerState::kClosed;
  bool paused = false;
  bool parked = false;  // some of its timers wait on disk
  size_t in_flight = 0;
  size_t limit = 0;   // attempts under way it may have, see Throttle
  size_t staged = 0;  // due timers that wait for it
  Counts recent;      // see TargetStats
  std::optional<int64_t> p50_ms;
  std::optional<int64_t> p99_ms;
  std::optional<WallMs> blocked_until;
  std::string last_error;  // "": none
};

struct TargetPage {
  std::vector<TargetView> targets;  // by name
  bool more = false;                // there is one behind the last
};

[[nodiscard]] TargetView ViewOf(const Target& target, WallMs now);

}  // namespace belfry
