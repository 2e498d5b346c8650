#include "base/timer.h"

#include <array>

#include "base/limits.h"

namespace belfry {
namespace {

template <typename Enum, size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<TimerState, 6> kStates{{{TimerState::kPending, "pending"},
                                        {TimerState::kRetrying, "retrying"},
                                        {TimerState::kDelivered, "delivered"},
                                        {TimerState::kDead, "dead"},
                                        {TimerState::kCancelled, "cancelled"},
                                        {TimerState::kFiring, "firing"}}};
constexpr Names<Method, 5> kMethods{{{Method::kPost, "POST"},
                                     {Method::kPut, "PUT"},
                                     {Method::kPatch, "PATCH"},
                                     {Method::kDelete, "DELETE"},
                                     {Method::kGet, "GET"}}};
constexpr Names<OnLate, 3> kOnLate{
    {{OnLate::kFire, "fire"}, {OnLate::kDrop, "drop"}, {OnLate::kDeadLetter, "deadletter"}}};
constexpr Names<DeadReason, 5> kReasons{{{DeadReason::kNone, ""},
                                         {DeadReason::kExhausted, "exhausted"},
                                         {DeadReason::kGone, "gone"},
                                         {DeadReason::kPolicy, "policy"},
                                         {DeadReason::kExpired, "expired"}}};

template <typename Enum, size_t N>
std::string_view NameOf(const Names<Enum, N>& names, Enum value) {
  for (const auto& [e, name] : names) {
    if (e == value) return name;
  }
  CHECK(false);
}

template <typename Enum, size_t N>
std::optional<Enum> ValueOf(const Names<Enum, N>& names, std::string_view wanted) {
  for (const auto& [e, name] : names) {
    if (name == wanted) return e;
  }
  return std::nullopt;
}

bool InWallRange(WallMs t) { return t.ms >= 0 && t <= kWallMax; }

Status ValidateRetry(const RetryPolicy& retry) {
  if (retry.max_attempts < 1 || retry.max_attempts > kAttemptsMax) {
    return Invalid("retry.max_attempts");
  }
  if (retry.schedule_ms.size() > kScheduleMax) return Invalid("retry.schedule");
  for (const int64_t ms : retry.schedule_ms) {
    if (ms < 0 || ms > kRetryDelayMsMax) return Invalid("retry.schedule");
  }
  if (!(retry.jitter >= 0.0 && retry.jitter <= 1.0)) return Invalid("retry.jitter");
  if (!(retry.factor >= 1.0 && retry.factor <= 100.0)) return Invalid("retry.factor");
  if (retry.min_ms < 0 || retry.max_ms < retry.min_ms || retry.max_ms > kRetryDelayMsMax) {
    return Invalid("retry.min");
  }
  return {};
}

Status ValidateLife(const Timer& t) {
  const bool alive = IsAlive(t.state);
  if (!alive && t.state != TimerState::kDelivered && t.state != TimerState::kDead &&
      t.state != TimerState::kCancelled) {
    return Invalid("state");
  }
  if (alive != (t.finished.ms == 0)) return Invalid("finished");
  const bool dropped = t.state == TimerState::kCancelled && t.reason == DeadReason::kExpired;
  if ((t.state == TimerState::kDead) != (t.reason != DeadReason::kNone) && !dropped) {
    return Invalid("reason");
  }
  // Of the budget that counts since the last replay.
  if (t.attempts < t.attempts_base) return Invalid("attempts_base");
  const uint32_t charged = t.attempts - t.attempts_base;
  if (charged > kAttemptsMax) return Invalid("attempts");
  if (t.state == TimerState::kPending && charged != 0) return Invalid("attempts");
  if (t.state == TimerState::kRetrying && charged == 0) return Invalid("attempts");
  if (!InWallRange(t.replayed_at)) return Invalid("replayed_at");
  if (t.attempts_base != 0 && t.replayed_at.ms == 0) return Invalid("replayed_at");
  return {};
}

Status ValidateWishes(const Timer& t) {
  if (t.max_lateness_ms < 0 || t.max_lateness_ms > kMaxLatenessMsMax) {
    return Invalid("max_lateness");
  }
  if (t.on_late > OnLate::kDeadLetter) return Invalid("on_late");
  if (t.on_late != OnLate::kFire && t.max_lateness_ms == 0) return Invalid("on_late");
  if (t.callbacks.size() > 2) return Invalid("callbacks");
  for (const Callback& callback : t.callbacks) {
    if (callback.on != CallbackOn::kSuccess && callback.on != CallbackOn::kFailure) {
      return Invalid("callbacks");
    }
    if (callback.url.empty() || callback.url.size() > kUrlBytesMax) return Invalid("callbacks");
  }
  if (t.callbacks.size() == 2 && t.callbacks[0].on == t.callbacks[1].on) {
    return Invalid("callbacks");
  }
  return {};
}

Status ValidateDeadline(const Timer& t) {
  if (t.state != TimerState::kPending || t.due != t.next_attempt) return Invalid("state");
  if (t.body.empty() || t.body.size() > kLeaseKeyBytesMax) return Invalid("body");
  Timer bare;
  bare.id = t.id;
  bare.tenant = t.tenant;
  bare.kind = t.kind;
  bare.due = bare.next_attempt = t.due;
  bare.created_at = t.created_at;
  bare.body = t.body;
  return t == bare ? Status() : Invalid("lease");
}

}  // namespace

std::string_view StateName(TimerState state) { return NameOf(kStates, state); }
std::optional<TimerState> StateFromName(std::string_view name) { return ValueOf(kStates, name); }
std::string_view ReasonName(DeadReason reason) { return NameOf(kReasons, reason); }
std::string_view MethodName(Method method) { return NameOf(kMethods, method); }
std::optional<Method> MethodFromName(std::string_view name) { return ValueOf(kMethods, name); }
std::string_view OnLateName(OnLate on_late) { return NameOf(kOnLate, on_late); }
std::optional<OnLate> OnLateFromName(std::string_view name) { return ValueOf(kOnLate, name); }

std::string_view CallbackUrl(const Timer& timer, CallbackOn on) {
  for (const Callback& callback : timer.callbacks) {
    if (callback.on == on) return callback.url;
  }
  return {};
}

std::string_view TargetOf(const Timer& timer) { return TargetOf(std::string_view(timer.url)); }

std::string_view TargetOf(std::string_view url) {
  const size_t authority = url.find("://");
  if (authority == std::string_view::npos) return url;
  return url.substr(0, url.find_first_of("/?#", authority + 3));
}

size_t MemoryBytes(const Timer& t) {
  size_t bytes = sizeof(Timer) + t.url.capacity() + t.body.capacity();
  for (const auto& [name, value] : t.headers) {
    bytes += sizeof(t.headers[0]) + name.capacity() + value.capacity();
  }
  for (const Attempt& a : t.history) bytes += sizeof(Attempt) + a.error.capacity();
  for (const Callback& c : t.callbacks) bytes += sizeof(Callback) + c.url.capacity();
  if (t.retry) bytes += t.retry->schedule_ms.capacity() * sizeof(int64_t);
  return bytes;
}

Status Validate(const Timer& t) {
  if (t.id == 0) return Invalid("id");
  if (t.tenant == 0) return Invalid("tenant");
  if (!InWallRange(t.due)) return Invalid("due");
  if (!InWallRange(t.next_attempt)) return Invalid("next_attempt");
  if (!InWallRange(t.created_at)) return Invalid("created_at");
  if (!InWallRange(t.finished)) return Invalid("finished");
  if (t.kind > TimerKind::kLease) return Invalid("kind");
  if ((t.kind == TimerKind::kLease) != (t.tenant == kLeaseTenant)) return Invalid("kind");
  if (t.kind == TimerKind::kLease) return ValidateDeadline(t);
  if (t.url.empty() || t.url.size() > kUrlBytesMax) return Invalid("url");
  if (t.headers.size() > kHeadersMax) return Invalid("headers");
  if (t.body.size() > kBodyBytesMax) return Invalid("body");
  if (t.timeout_ms < 0 || t.timeout_ms > kTimeoutMsMax) return Invalid("timeout");
  if (t.history.size() > kHistoryMax) return Invalid("history");
  if (t.retry) {
    if (Status s = ValidateRetry(*t.retry); !s.ok()) return s;
  }
  if (Status s = ValidateWishes(t); !s.ok()) return s;
  return ValidateLife(t);
}

}  // namespace belfry
