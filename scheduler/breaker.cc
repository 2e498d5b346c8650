#include "scheduler/breaker.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted.h"
#include "scheduler/jitter.h"

namespace belfry {
namespace {

constexpr double kProbeJitter = 0.2;
constexpr int32_t kTooManyRequests = 429;
constexpr int32_t kServerErrors = 500;

}  // namespace

Health HealthOf(const Outcome& outcome) {
  if (outcome.closed_while_idle) return Health::kUnknown;
  switch (outcome.kind) {
    case OutcomeKind::kAnswered:
      return outcome.status == kTooManyRequests || outcome.status >= kServerErrors ? Health::kBad
                                                                                   : Health::kGood;
    case OutcomeKind::kFailed:
    case OutcomeKind::kTimeout:
      return Health::kUnreachable;
    case OutcomeKind::kForbidden:
    case OutcomeKind::kLocalFault:
    case OutcomeKind::kInterrupted:
    case OutcomeKind::kNoSlot:
      return Health::kUnknown;
  }
  CHECK(false);
}

BreakerState Breaker::state(WallMs now) const {
  if (!open_) return BreakerState::kClosed;
  return probing() || now >= probe_at_ ? BreakerState::kHalfOpen : BreakerState::kOpen;
}

bool Breaker::MayStart(WallMs now) const {
  if (!open_) return true;
  return (!probing() || Planted(Bug::kHalfOpenLetsTwo)) && now >= probe_at_;
}

void Breaker::Started(TimerId id) {
  if (open_) probe_ = id;
}

void Breaker::Ended(const Outcome& outcome, WallMs now) {
  const Health health = HealthOf(outcome);
  const bool failed = health != Health::kGood;
  if (open_) {
    if (outcome.id != probe_) return;
    probe_ = 0;
    if (health == Health::kUnknown) return;
    if (failed) {
      ++failed_probes_;
      Open(now);
    } else if (!Planted(Bug::kBreakerNeverCloses)) {
      Close(now);
    }
    return;
  }
  if (health == Health::kUnknown || outcome.started < closed_since_) return;
  recent_.Add(failed, now, BucketMs());
  unreachable_in_a_row_ = health == Health::kUnreachable ? unreachable_in_a_row_ + 1 : 0;
  if (failed && Tripped(now)) Open(now);
}

bool Breaker::Tripped(WallMs now) const {
  if (unreachable_in_a_row_ >= options_->failures) return true;
  const Counts counts = recent_.Sum(now, BucketMs());
  return counts.attempts >= options_->min_attempts &&
         counts.failures >= options_->ratio * counts.attempts;
}

void Breaker::Open(WallMs now) {
  open_ = true;
  int64_t delay_ms = options_->probe_min_ms;
  for (uint32_t i = 0; i < failed_probes_ && delay_ms < options_->probe_max_ms; ++i) delay_ms *= 2;
  delay_ms = std::min(delay_ms, options_->probe_max_ms);
  const double shift = kProbeJitter * Jitter(options_->seed, jitter_key_, failed_probes_);
  delay_ms_ = delay_ms + static_cast<int64_t>(shift * static_cast<double>(delay_ms));
  probe_at_ = now + delay_ms_;
}

void Breaker::Close(WallMs now) {
  open_ = false;
  unreachable_in_a_row_ = 0;
  failed_probes_ = 0;
  closed_since_ = now;
  recent_.Clear();
}

void Breaker::ClockWentBack(WallMs now) {
  probe_at_ = std::min(probe_at_, now + delay_ms_);
  closed_since_ = std::min(closed_since_, now);
  recent_.Clear();
}

int64_t Breaker::BucketMs() const {
  return std::max<int64_t>(1, options_->window_ms / static_cast<int64_t>(kBuckets));
}

}  // namespace belfry
