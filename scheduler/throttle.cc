#include "scheduler/throttle.h"

#include <algorithm>

#include "base/limits.h"
#include "base/planted.h"
#include "scheduler/breaker.h"

namespace belfry {
namespace {

constexpr int64_t kOneAttempt = 1000;  // a rate in attempts a second is thousandths a millisecond

bool AsksForLess(const Outcome& outcome) {
  if (outcome.kind == OutcomeKind::kTimeout) return true;
  if (outcome.kind != OutcomeKind::kAnswered) return false;
  switch (outcome.status) {
    case 408:
    case 425:
    case 429:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return false;
  }
}

bool AsksToWait(const Outcome& outcome) {
  return outcome.kind == OutcomeKind::kAnswered && outcome.retry_after_ms &&
         (outcome.status == 429 || outcome.status == 503) && !Planted(Bug::kRetryAfterNotOfTarget);
}

int64_t Burst(const ThrottleOptions& options) {
  return std::max<int64_t>(1, options.rate / 10) * kOneAttempt;
}

}  // namespace

Throttle::Throttle(const ThrottleOptions& options)
    : options_(&options), limit_(options.limit_max), tokens_(Burst(options)) {}

size_t Throttle::Room(size_t in_flight, WallMs now) const {
  if (in_flight >= limit_ || now < paused_until_) return 0;
  const size_t slots = limit_ - in_flight;
  if (options_->rate == 0) return slots;
  return std::min(slots, static_cast<size_t>(TokensAt(now) / kOneAttempt));
}

WallMs Throttle::OpenAt(WallMs now) const {
  WallMs at = std::max(now, paused_until_);
  if (options_->rate == 0) return at;
  const int64_t missing = kOneAttempt - TokensAt(at);
  if (missing <= 0) return at;
  return std::max(at, filled_) + (missing + options_->rate - 1) / options_->rate;
}

bool Throttle::WorthKeeping(WallMs now) const {
  return limit_ < options_->limit_max || now < paused_until_;
}

void Throttle::Started(WallMs now) {
  if (options_->rate == 0) return;
  tokens_ = TokensAt(now) - kOneAttempt;
  filled_ = std::max(filled_, now);
}

void Throttle::Ended(const Outcome& outcome, WallMs now) {
  if (AsksToWait(outcome)) {
    const int64_t pause_ms = std::min(*outcome.retry_after_ms, kTargetPauseMsMax);
    paused_until_ = std::max(paused_until_, now + pause_ms);
  }
  if (outcome.kind == OutcomeKind::kNoSlot && options_->rate > 0) {
    // Nothing was sent.
    tokens_ = std::min(Burst(*options_), TokensAt(now) + kOneAttempt);
    filled_ = std::max(filled_, now);
  }
  if (AsksForLess(outcome)) return Halve(now);
  if (HealthOf(outcome) != Health::kGood || limit_ >= options_->limit_max) return;
  if (++answered_well_ < limit_) return;
  answered_well_ = 0;
  ++limit_;
}

void Throttle::Halve(WallMs now) {
  answered_well_ = 0;
  if (halved_.ms != 0 && now < halved_ + kHalvingIntervalMs) return;
  if (Planted(Bug::kLimitNeverHalved)) return;
  halved_ = now;
  limit_ = std::max<uint32_t>(1, limit_ / 2);
}

void Throttle::ClockWentBack(WallMs now) {
  halved_ = std::min(halved_, now);
  paused_until_ = std::min(paused_until_, now + kTargetPauseMsMax);
  filled_ = std::min(filled_, now);
}

int64_t Throttle::TokensAt(WallMs now) const {
  const int64_t full = Burst(*options_);
  // What a bucket takes to fill is less; a longer time would overflow.
  const int64_t passed_ms = std::clamp<int64_t>(now - filled_, 0, kMinuteMs);
  return std::min(full, tokens_ + passed_ms * options_->rate);
}

}  // namespace belfry
