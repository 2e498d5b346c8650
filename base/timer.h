// timer.h - one timer, as the API makes it, the store keeps it and the sender sends it.
//
// A plain value. Owned by exactly one TimerPtr, which moves: client -> op -> store -> completion ->
// window -> in flight -> op. Validate() holds for every timer that is written or read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/status.h"
#include "base/time.h"

namespace belfry {

// Stored as one byte: never renumber.
enum class TimerState : uint8_t {
  kPending = 1,    // set, no attempt charged yet
  kRetrying = 2,   // at least one attempt charged, waiting for the next
  kDelivered = 3,  // answered 2xx
  kDead = 4,       // given up, see `reason`
  kCancelled = 5,  // cancelled by its owner
  kFiring = 6,     // an attempt is under way. Never stored: an overlay of the loop on reads
};
constexpr int kStoredStates = 5;  // kPending .. kCancelled

[[nodiscard]] constexpr bool IsAlive(TimerState s) {
  return s == TimerState::kPending || s == TimerState::kRetrying;
}
[[nodiscard]] std::string_view StateName(TimerState state);
[[nodiscard]] std::optional<TimerState> StateFromName(std::string_view name);

// Why a timer is dead; a cancelled one has kExpired when it was dropped for being late. Stored as
// one byte: never renumber.
enum class DeadReason : uint8_t {
  kNone = 0,
  kExhausted = 1,
  kGone = 2,
  kPolicy = 3,
  kExpired = 4,  // later than max_lateness_ms when an attempt would have started
};
[[nodiscard]] std::string_view ReasonName(DeadReason reason);  // "" for kNone

// Stored as one byte: never renumber.
enum class Method : uint8_t { kPost = 1, kPut = 2, kPatch = 3, kDelete = 4, kGet = 5 };
[[nodiscard]] std::string_view MethodName(Method method);
[[nodiscard]] std::optional<Method> MethodFromName(std::string_view name);

// What happens when it is due. Stored as one byte: never renumber.
enum class TimerKind : uint8_t {
  kWebhook = 0,
  // The deadline of a lease: it is never sent. Of kLeaseTenant; `body` is the key of the lease in
  // family `stream` (storage/keys.h) and there is nothing else to it.
  kLease = 1,
};

// What becomes of a timer that is later than its max_lateness_ms. Stored as one byte: never
// renumber.
enum class OnLate : uint8_t { kFire = 0, kDrop = 1, kDeadLetter = 2 };
[[nodiscard]] std::string_view OnLateName(OnLate on_late);
[[nodiscard]] std::optional<OnLate> OnLateFromName(std::string_view name);

// Which end of a timer is told of. Stored as one byte: never renumber.
enum class CallbackOn : uint8_t { kSuccess = 1, kFailure = 2 };

struct Callback {
  CallbackOn on = CallbackOn::kSuccess;
  std::string url;  // as Timer::url
  friend bool operator==(const Callback&, const Callback&) = default;
};

// How often and how far apart. Either a schedule, or a geometric row min, min*factor, ... <= max.
struct RetryPolicy {
  uint32_t max_attempts = 10;        // the first included
  std::vector<int64_t> schedule_ms;  // before attempt 2, 3, ...; the last repeats. Empty: geometric
  int64_t min_ms = 0;                // geometric only
  int64_t max_ms = 0;                // geometric only
  double factor = 2.0;               // geometric only
  double jitter = 0.2;               // 0..1: a delay d becomes d * (1 +- jitter)
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

struct Attempt {
  WallMs at;           // when it was started
  int32_t status = 0;  // HTTP status, 0 when there was none
  int64_t duration_ms = 0;
  std::string error;  // "" when an answer came; else a short word: "timeout", "refused", ...
  friend bool operator==(const Attempt&, const Attempt&) = default;
};

struct Timer {
  TimerId id = 0;
  TenantId tenant = kLocalTenant;
  TimerKind kind = TimerKind::kWebhook;
  TimerState state = TimerState::kPending;
  DeadReason reason = DeadReason::kNone;
  WallMs due;           // as asked for; never changes
  WallMs next_attempt;  // the key time while alive
  WallMs created_at;
  WallMs finished;              // when it became delivered, dead or cancelled; 0 while alive
  uint32_t attempts = 0;        // attempts charged so far; the next one sent is attempts + 1
  uint32_t attempts_base = 0;   // of these, those before the last replay: the budget counts from it
  WallMs replayed_at;           // 0: never
  int64_t max_lateness_ms = 0;  // 0: none
  OnLate on_late = OnLate::kFire;
  Method method = Method::kPost;
  bool append_id = true;
  int64_t timeout_ms = 0;  // 0: the configured default
  std::string url;         // normalised, without the id: scheme://host[:port]/path[?query]
  std::vector<std::pair<std::string, std::string>> headers;  // as given
  std::string body;
  std::optional<RetryPolicy> retry;  // nullopt: the configured default
  std::vector<Attempt> history;      // oldest first, the last kHistoryMax; uncharged ones included
  std::vector<Callback> callbacks;   // at most one for each end
  friend bool operator==(const Timer&, const Timer&) = default;
};

using TimerPtr = std::unique_ptr<Timer>;

[[nodiscard]] inline Key KeyOf(const Timer& t) { return {t.next_attempt, t.id}; }

// The URL to call at this end; "" when nobody is.
[[nodiscard]] std::string_view CallbackUrl(const Timer& timer, CallbackOn on);

// "scheme://host:port-as-written", the part of the URL that admission counts by.
[[nodiscard]] std::string_view TargetOf(const Timer& timer);
[[nodiscard]] std::string_view TargetOf(std::string_view url);

// Bytes of memory a timer holds, itself included; what the window counts.
[[nodiscard]] size_t MemoryBytes(const Timer& timer);

// What must be true of every stored timer: id and tenant set, times in range, a terminal state has
// `finished`, sizes within limits.h. The message names the member that is wrong.
[[nodiscard]] Status Validate(const Timer& timer);

}  // namespace belfry
