#include "scheduler/retry_delay.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "scheduler/outcome_rules.h"

namespace belfry {
namespace {

RetryPolicy Ladder() {
  RetryPolicy p;
  p.max_attempts = 4;
  p.schedule_ms = {5000, 300'000};
  p.jitter = 0;
  return p;
}

Timer Alive() {
  Timer t;
  t.id = 1;
  t.url = "http://r/x";
  t.due = t.next_attempt = t.created_at = {1000};
  return t;
}

Outcome Answered(int32_t status) {
  Outcome o;
  o.id = 1;
  o.kind = OutcomeKind::kAnswered;
  o.status = status;
  return o;
}

TEST(RetryDelay, TheLastStepOfAScheduleRepeats) {
  const RetryPolicy p = Ladder();
  EXPECT_EQ(BaseDelayMs(p, 1), 5000);
  EXPECT_EQ(BaseDelayMs(p, 2), 300'000);
  EXPECT_EQ(BaseDelayMs(p, 9), 300'000);
}

TEST(RetryDelay, AGeometricRowStopsAtItsMaximum) {
  RetryPolicy p;
  p.min_ms = 100;
  p.max_ms = 1000;
  p.factor = 3;
  EXPECT_EQ(BaseDelayMs(p, 1), 100);
  EXPECT_EQ(BaseDelayMs(p, 3), 900);
  EXPECT_EQ(BaseDelayMs(p, 50), 1000);
}

TEST(RetryDelay, JitterStaysInItsBandAndIsTheSameEachTime) {
  RetryPolicy p = Ladder();
  p.jitter = 0.2;
  int64_t least = 1 << 20;
  int64_t most = 0;
  for (TimerId id = 1; id <= 1000; ++id) {
    const int64_t ms = RetryDelayMs(p, 1, id, 42, std::nullopt);
    EXPECT_EQ(ms, RetryDelayMs(p, 1, id, 42, std::nullopt));
    least = std::min(least, ms);
    most = std::max(most, ms);
  }
  EXPECT_GE(least, 4000);
  EXPECT_LE(most, 6000);
  EXPECT_LT(least, 4100);
  EXPECT_GT(most, 5900);
}

TEST(RetryDelay, RetryAfterOnlyEverWaitsLongerAndIsClamped) {
  const RetryPolicy p = Ladder();
  EXPECT_EQ(RetryDelayMs(p, 1, 1, 1, 1000), 5000);
  EXPECT_EQ(RetryDelayMs(p, 1, 1, 1, 60'000), 60'000);
  EXPECT_EQ(RetryDelayMs(p, 1, 1, 1, INT64_MAX), kRetryAfterMsMax);
}

TEST(OutcomeRules, AnyTwoHundredIsDelivered) {
  for (const int status : {200, 204, 299}) {
    Timer t = Alive();
    ApplyOutcome(t, Answered(status), Ladder(), 1, {2000});
    EXPECT_EQ(t.state, TimerState::kDelivered);
    EXPECT_EQ(t.finished, WallMs{2000});
    EXPECT_EQ(t.attempts, 1u);
    EXPECT_EQ(t.history.back().status, status);
    EXPECT_TRUE(Validate(t).ok());
  }
}

TEST(OutcomeRules, AFailureWaitsForTheNextStepAndTheLastOneIsDead) {
  Timer t = Alive();
  for (uint32_t attempt = 1; attempt <= 3; ++attempt) {
    ApplyOutcome(t, Answered(503), Ladder(), 1, {2000});
    EXPECT_EQ(t.state, TimerState::kRetrying);
    EXPECT_EQ(t.attempts, attempt);
    EXPECT_EQ(t.next_attempt, WallMs{2000} + (attempt == 1 ? 5000 : 300'000));
    EXPECT_TRUE(Validate(t).ok());
  }
  ApplyOutcome(t, Answered(302), Ladder(), 1, {9000});
  EXPECT_EQ(t.state, TimerState::kDead);
  EXPECT_EQ(t.reason, DeadReason::kExhausted);
  EXPECT_EQ(t.history.size(), 4u);
  EXPECT_EQ(t.due, WallMs{1000});
}

TEST(OutcomeRules, GoneAndForbiddenAreDeadAtOnce) {
  Timer gone = Alive();
  ApplyOutcome(gone, Answered(410), Ladder(), 1, {2000});
  EXPECT_EQ(gone.reason, DeadReason::kGone);
  Timer forbidden = Alive();
  Outcome o = Answered(0);
  o.kind = OutcomeKind::kForbidden;
  ApplyOutcome(forbidden, o, Ladder(), 1, {2000});
  EXPECT_EQ(forbidden.reason, DeadReason::kPolicy);
}

TEST(OutcomeRules, LocalFaultsAndInterruptionsChargeNoAttempt) {
  for (const OutcomeKind kind : {OutcomeKind::kLocalFault, OutcomeKind::kInterrupted}) {
    Timer t = Alive();
    Outcome o = Answered(0);
    o.kind = kind;
    ApplyOutcome(t, o, Ladder(), 1, {2000});
    EXPECT_EQ(t.state, TimerState::kPending);
    EXPECT_EQ(t.attempts, 0u);
    EXPECT_EQ(t.history.size(), 1u);
    EXPECT_TRUE(Validate(t).ok());
    EXPECT_EQ(t.next_attempt == WallMs{1000}, kind == OutcomeKind::kInterrupted);
  }
}

TEST(OutcomeRules, ARetryIsNeverBeforeTheDueTime) {
  Timer t = Alive();
  t.due = t.next_attempt = {10'000'000};
  ApplyOutcome(t, Answered(503), Ladder(), 1, {2000});  // the clock stepped back
  EXPECT_EQ(t.next_attempt, WallMs{10'000'000});
}

TEST(OutcomeRules, TheHistoryIsBounded) {
  Timer t = Alive();
  Outcome o = Answered(0);
  o.kind = OutcomeKind::kInterrupted;
  for (size_t i = 0; i < 2 * kHistoryMax; ++i) {
    o.started = {int64_t(i)};
    ApplyOutcome(t, o, Ladder(), 1, {2000});
  }
  EXPECT_EQ(t.history.size(), kHistoryMax);
  EXPECT_EQ(t.history.back().at.ms, int64_t(2 * kHistoryMax) - 1);
}

}  // namespace
}  // namespace belfry
