#include "scheduler/breaker.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/outcomes.h"

namespace belfry {
namespace {

constexpr TimerId kProbe = 77;

class BreakerTest : public testing::Test {
 protected:
  void Ended(Breaker& breaker, const Outcome& outcome) {
    breaker.Started(outcome.id);
    breaker.Ended(outcome, now_);
  }
  void Answer(Breaker& breaker, int status, int times = 1) {
    for (int i = 0; i < times; ++i) Ended(breaker, Answered(status, 1, now_));
  }
  void Fail(Breaker& breaker, int times = 1) {
    for (int i = 0; i < times; ++i) Ended(breaker, Unanswered(OutcomeKind::kFailed, 1, now_));
  }
  // Lets the probe start as soon as it may, and ends it.
  void Probe(Breaker& breaker, Outcome outcome) {
    now_ = std::max(now_, breaker.probe_at());
    ASSERT_TRUE(breaker.MayStart(now_));
    outcome.id = kProbe;
    outcome.started = now_;
    Ended(breaker, outcome);
  }

  BreakerOptions options_;
  WallMs now_{1'000'000'000'000};
};

TEST_F(BreakerTest, StaysClosedWhileThereAreAnswers) {
  Breaker breaker(options_, 1);
  for (const int status : {200, 301, 404, 410, 408}) Answer(breaker, status, 100);
  EXPECT_TRUE(breaker.closed());
  EXPECT_TRUE(breaker.MayStart(now_));
  EXPECT_EQ(breaker.state(now_), BreakerState::kClosed);
}

TEST_F(BreakerTest, OpensAfterFiveInARowWithoutAnAnswer) {
  for (const OutcomeKind kind : {OutcomeKind::kFailed, OutcomeKind::kTimeout}) {
    Breaker breaker(options_, 1);
    for (int i = 0; i < 4; ++i) Ended(breaker, Unanswered(kind, 1, now_));
    EXPECT_TRUE(breaker.closed());
    Ended(breaker, Unanswered(kind, 1, now_));
    EXPECT_EQ(breaker.state(now_), BreakerState::kOpen);
    EXPECT_FALSE(breaker.MayStart(now_));
  }
}

TEST_F(BreakerTest, AnyAnswerEndsTheRow) {
  Breaker breaker(options_, 1);
  Fail(breaker, 4);
  Answer(breaker, 500);
  Fail(breaker, 4);
  EXPECT_TRUE(breaker.closed());
  Fail(breaker);
  EXPECT_FALSE(breaker.closed());
}

TEST_F(BreakerTest, OpensWhenHalfOfTwentyFailed) {
  for (const int status : {429, 500, 503, 599}) {
    Breaker breaker(options_, 1);
    Answer(breaker, 200, 10);
    Answer(breaker, status, 9);
    EXPECT_TRUE(breaker.closed());
    Answer(breaker, status);
    EXPECT_FALSE(breaker.closed());
  }
  Breaker breaker(options_, 1);
  Answer(breaker, 200, 12);
  Answer(breaker, 500, 11);
  EXPECT_TRUE(breaker.closed());
}

TEST_F(BreakerTest, CountsOnlyWhatIsWithinItsWindow) {
  Breaker breaker(options_, 1);
  Answer(breaker, 500, 15);
  now_ = now_ + options_.window_ms + 1;
  Answer(breaker, 500, 19);
  EXPECT_TRUE(breaker.closed());
  now_ = now_ + options_.window_ms / 2;
  Answer(breaker, 500);
  EXPECT_FALSE(breaker.closed());
}

TEST_F(BreakerTest, WhatIsNoFaultOfTheTargetCountsForNothing) {
  Breaker breaker(options_, 1);
  Fail(breaker, 4);
  for (const OutcomeKind kind :
       {OutcomeKind::kLocalFault, OutcomeKind::kInterrupted, OutcomeKind::kForbidden}) {
    for (int i = 0; i < 50; ++i) Ended(breaker, Unanswered(kind, 1, now_));
  }
  EXPECT_TRUE(breaker.closed());
  Fail(breaker);
  EXPECT_FALSE(breaker.closed());
}

TEST_F(BreakerTest, TheTimeToAProbeHasJitterThatIsTheSameEachTime) {
  std::set<int64_t> delays_ms;
  for (uint64_t target = 0; target < 200; ++target) {
    Breaker breaker(options_, target);
    Fail(breaker, 5);
    const int64_t delay_ms = breaker.probe_at() - now_;
    EXPECT_GE(delay_ms, 800);
    EXPECT_LE(delay_ms, 1200);
    EXPECT_FALSE(breaker.MayStart(breaker.probe_at() + -1));
    EXPECT_TRUE(breaker.MayStart(breaker.probe_at()));
    EXPECT_EQ(breaker.state(breaker.probe_at()), BreakerState::kHalfOpen);
    delays_ms.insert(delay_ms);
    Breaker again(options_, target);
    Fail(again, 5);
    EXPECT_EQ(again.probe_at(), breaker.probe_at());
  }
  EXPECT_GT(delays_ms.size(), 100u);
}

TEST_F(BreakerTest, EachFailedProbeDoublesTheTimeToTheNextUpToTheMaximum) {
  Breaker breaker(options_, 1);
  Fail(breaker, 5);
  int64_t base_ms = options_.probe_min_ms;
  for (int i = 0; i < 20; ++i) {
    Probe(breaker, i % 2 == 0 ? Unanswered(OutcomeKind::kTimeout) : Answered(503));
    base_ms = std::min(2 * base_ms, options_.probe_max_ms);
    EXPECT_GE(breaker.probe_at() - now_, base_ms * 8 / 10);
    EXPECT_LE(breaker.probe_at() - now_, base_ms * 12 / 10);
  }
  EXPECT_EQ(base_ms, options_.probe_max_ms);
}

TEST_F(BreakerTest, HalfOpenLetsExactlyOneStart) {
  Breaker breaker(options_, 1);
  Fail(breaker, 5);
  now_ = breaker.probe_at();
  breaker.Started(kProbe);
  EXPECT_TRUE(breaker.probing());
  EXPECT_EQ(breaker.state(now_), BreakerState::kHalfOpen);
  EXPECT_FALSE(breaker.MayStart(now_ + kHourMs));
  breaker.Ended(Unanswered(OutcomeKind::kFailed, kProbe, now_), now_);
  EXPECT_FALSE(breaker.probing());
  EXPECT_FALSE(breaker.MayStart(now_));
}

TEST_F(BreakerTest, AProbeThatIsAnsweredWellClosesItAndTheNextTimeStartsFromTheBeginning) {
  for (const int status : {200, 404, 410}) {
    Breaker breaker(options_, 1);
    Fail(breaker, 5);
    Probe(breaker, Unanswered(OutcomeKind::kFailed));
    Probe(breaker, Answered(status));
    EXPECT_TRUE(breaker.closed());
    EXPECT_TRUE(breaker.MayStart(now_));
    now_ = now_ + 1;
    Fail(breaker, 4);
    EXPECT_TRUE(breaker.closed());
    Fail(breaker);
    EXPECT_LE(breaker.probe_at() - now_, 1200);
  }
}

TEST_F(BreakerTest, AProbeThatEndsByNoFaultOfTheTargetIsTriedAgain) {
  for (const OutcomeKind kind :
       {OutcomeKind::kLocalFault, OutcomeKind::kInterrupted, OutcomeKind::kForbidden}) {
    Breaker breaker(options_, 1);
    Fail(breaker, 5);
    const WallMs probe_at = breaker.probe_at();
    Probe(breaker, Unanswered(kind));
    EXPECT_FALSE(breaker.closed());
    EXPECT_TRUE(breaker.MayStart(now_));
    EXPECT_EQ(breaker.probe_at(), probe_at);
  }
}

TEST_F(BreakerTest, AttemptsFromBeforeItOpenedDecideNothing) {
  Breaker breaker(options_, 1);
  const WallMs before = now_;
  Fail(breaker, 5);
  const WallMs probe_at = breaker.probe_at();
  breaker.Ended(Answered(200, 5, before), now_);
  EXPECT_FALSE(breaker.closed());
  breaker.Ended(Unanswered(OutcomeKind::kTimeout, 6, before), now_);
  EXPECT_EQ(breaker.probe_at(), probe_at);
  now_ = probe_at;
  breaker.Started(kProbe);
  breaker.Ended(Unanswered(OutcomeKind::kTimeout, 7, before), now_);
  EXPECT_TRUE(breaker.probing());
  breaker.Ended(Answered(200, kProbe, now_), now_);
  ASSERT_TRUE(breaker.closed());
  // A hundred that hang since then do not open it again.
  for (TimerId id = 100; id < 200; ++id) {
    breaker.Ended(Unanswered(OutcomeKind::kTimeout, id, before), now_ + 1);
  }
  EXPECT_TRUE(breaker.closed());
}

TEST_F(BreakerTest, AClockSetBackPutsOffNoProbe) {
  Breaker breaker(options_, 1);
  Fail(breaker, 5);
  const int64_t delay_ms = breaker.probe_at() - now_;
  now_ = now_ + -kDayMs;
  breaker.ClockWentBack(now_);
  EXPECT_EQ(breaker.probe_at() - now_, delay_ms);
  Probe(breaker, Answered(200));
  now_ = now_ + -kDayMs;
  breaker.ClockWentBack(now_);
  Fail(breaker, 5);
  EXPECT_FALSE(breaker.closed());
}

TEST_F(BreakerTest, ItsOptionsAreHonoured) {
  options_.failures = 2;
  options_.ratio = 1;
  options_.min_attempts = 3;
  options_.probe_min_ms = 100;
  Breaker row(options_, 1);
  Fail(row, 2);
  EXPECT_LE(row.probe_at() - now_, 120);
  Breaker ratio(options_, 1);
  Answer(ratio, 500, 2);
  EXPECT_TRUE(ratio.closed());
  Answer(ratio, 500);
  EXPECT_FALSE(ratio.closed());
}

// A receiver may close its idle connections whenever it likes.
TEST_F(BreakerTest, AConnectionThatWasClosedWhileIdleSaysNothing) {
  Outcome outcome = Unanswered(OutcomeKind::kFailed, 1, now_, "connection lost");
  EXPECT_EQ(HealthOf(outcome), Health::kUnreachable);
  outcome.closed_while_idle = true;
  EXPECT_EQ(HealthOf(outcome), Health::kUnknown);
  Breaker breaker(options_, 1);
  for (int i = 0; i < 100; ++i) breaker.Ended(outcome, now_);
  EXPECT_TRUE(breaker.closed());
}

}  // namespace
}  // namespace belfry
