#include "scheduler/outcome_rules.h"

#include <algorithm>

#include "base/limits.h"
#include "base/planted.h"
#include "scheduler/retry_delay.h"

namespace belfry {
namespace {

constexpr int32_t kHttpGone = 410;

void Record(Timer& timer, const Outcome& outcome) {
  if (timer.history.size() == kHistoryMax) timer.history.erase(timer.history.begin());
  timer.history.push_back({outcome.started, outcome.status,
                           std::max<int64_t>(0, outcome.duration_ms),
                           outcome.error.substr(0, kErrorBytesMax)});
}

void Finish(Timer& timer, TimerState state, DeadReason reason, WallMs now) {
  timer.state = state;
  timer.reason = reason;
  timer.finished = now;
}

// Faults in a row share one entry, or they would push the attempts out of the history; each waits
// twice as long as the one before.
int64_t RecordLocalFault(Timer& timer, const Outcome& outcome) {
  int64_t delay_ms = kLocalFaultPauseMs;
  if (!timer.history.empty() && timer.history.back().error == outcome.error) {
    const int64_t waited_ms = outcome.started - timer.history.back().at;
    delay_ms = std::clamp(2 * waited_ms, kLocalFaultPauseMs, kLocalFaultDelayMsMax);
    timer.history.pop_back();
  }
  Record(timer, outcome);
  return delay_ms;
}

// Never before the asked-for due: the clock may have stepped back since the attempt started.
WallMs Later(const Timer& timer, WallMs now, int64_t delay_ms) {
  return std::clamp(now + delay_ms, timer.due, kWallMax);
}

bool Delivered(const Outcome& o) {
  return o.kind == OutcomeKind::kAnswered && o.status >= 200 && o.status <= 299;
}

}  // namespace

void ApplyOutcome(Timer& timer, const Outcome& outcome, const RetryPolicy& fallback,
                  uint64_t jitter_seed, WallMs now) {
  if (outcome.kind == OutcomeKind::kLocalFault) {
    timer.next_attempt = Later(timer, now, RecordLocalFault(timer, outcome));
    return;
  }
  Record(timer, outcome);
  if (outcome.kind == OutcomeKind::kInterrupted) return;
  ++timer.attempts;
  const RetryPolicy& policy = timer.retry ? *timer.retry : fallback;
  const bool all_count = Planted(Bug::kReplayKeepsBudget);
  const uint32_t charged = timer.attempts - (all_count ? 0 : timer.attempts_base);
  if (Delivered(outcome)) {
    Finish(timer, TimerState::kDelivered, DeadReason::kNone, now);
  } else if (outcome.kind == OutcomeKind::kAnswered && outcome.status == kHttpGone) {
    Finish(timer, TimerState::kDead, DeadReason::kGone, now);
  } else if (outcome.kind == OutcomeKind::kForbidden) {
    Finish(timer, TimerState::kDead, DeadReason::kPolicy, now);
  } else if (charged >= policy.max_attempts) {
    Finish(timer, TimerState::kDead, DeadReason::kExhausted, now);
  } else {
    timer.state = TimerState::kRetrying;
    const int64_t delay_ms =
        RetryDelayMs(policy, charged, timer.id, jitter_seed, outcome.retry_after_ms);
    timer.next_attempt = Later(timer, now, delay_ms);
  }
}

bool IsExpired(const Timer& timer, WallMs now) {
  if (timer.on_late == OnLate::kFire) return false;
  if (Planted(Bug::kLatenessOfFirstAttemptOnly) && timer.state != TimerState::kPending) {
    return false;
  }
  return now - std::max(timer.due, timer.replayed_at) > timer.max_lateness_ms;
}

void Expire(Timer& timer, WallMs now) {
  const bool dropped = timer.on_late == OnLate::kDrop;
  Finish(timer, dropped ? TimerState::kCancelled : TimerState::kDead, DeadReason::kExpired, now);
}

}  // namespace belfry
