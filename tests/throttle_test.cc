#include "scheduler/throttle.h"

#include <gtest/gtest.h>

#include <random>

#include "base/limits.h"
#include "tests/support/outcomes.h"

namespace belfry {
namespace {

constexpr WallMs kNow{1'000'000'000'000};

TEST(Throttle, StartsAtItsMaximum) {
  const ThrottleOptions options{100, 0};
  const Throttle throttle(options);
  EXPECT_EQ(throttle.limit(), 100u);
  EXPECT_EQ(throttle.Room(0, kNow), 100u);
  EXPECT_EQ(throttle.Room(99, kNow), 1u);
  EXPECT_EQ(throttle.Room(100, kNow), 0u);
  EXPECT_EQ(throttle.OpenAt(kNow), kNow);
  EXPECT_FALSE(throttle.WorthKeeping(kNow));
}

TEST(Throttle, AnswersThatAskForLessAndTimeOutsHalveTheLimitOnceASecond) {
  const ThrottleOptions options{100, 0};
  for (const int status : {408, 425, 429, 502, 503, 504}) {
    Throttle throttle(options);
    throttle.Ended(Answered(status), kNow);
    EXPECT_EQ(throttle.limit(), 50u) << status;
    throttle.Ended(Answered(status), kNow + 999);
    EXPECT_EQ(throttle.limit(), 50u);
    throttle.Ended(Unanswered(OutcomeKind::kTimeout), kNow + 1000);
    EXPECT_EQ(throttle.limit(), 25u);
    EXPECT_EQ(throttle.Room(25, kNow + 1000), 0u);
    EXPECT_TRUE(throttle.WorthKeeping(kNow));
  }
}

TEST(Throttle, OtherOutcomesLeaveTheLimit) {
  const ThrottleOptions options{100, 0};
  Throttle throttle(options);
  for (const int status : {200, 301, 400, 404, 410, 500, 501, 505}) {
    throttle.Ended(Answered(status), kNow);
  }
  for (const OutcomeKind kind : {OutcomeKind::kFailed, OutcomeKind::kForbidden,
                                 OutcomeKind::kLocalFault, OutcomeKind::kInterrupted}) {
    throttle.Ended(Unanswered(kind), kNow);
  }
  EXPECT_EQ(throttle.limit(), 100u);
}

TEST(Throttle, TheLimitIsNeverBelowOne) {
  const ThrottleOptions options{3, 0};
  Throttle throttle(options);
  for (int64_t second = 0; second < 10; ++second) {
    throttle.Ended(Answered(503), kNow + second * 1000);
  }
  EXPECT_EQ(throttle.limit(), 1u);
  EXPECT_EQ(throttle.Room(0, kNow), 1u);
}

TEST(Throttle, SoManyGoodAnswersAsTheLimitRaiseItByOne) {
  const ThrottleOptions options{6, 0};
  Throttle throttle(options);
  throttle.Ended(Answered(503), kNow);
  ASSERT_EQ(throttle.limit(), 3u);
  const auto answer = [&](int status, int times) {
    for (int i = 0; i < times; ++i) throttle.Ended(Answered(status), kNow);
  };
  answer(200, 2);
  answer(500, 10);
  EXPECT_EQ(throttle.limit(), 3u);
  answer(404, 1);
  EXPECT_EQ(throttle.limit(), 4u);
  answer(200, 3);
  throttle.Ended(Answered(503), kNow);  // within the second: it starts over, and is not halved
  answer(200, 3);
  EXPECT_EQ(throttle.limit(), 4u);
  answer(200, 1 + 5 + 100);
  EXPECT_EQ(throttle.limit(), 6u);
  EXPECT_FALSE(throttle.WorthKeeping(kNow));
}

TEST(Throttle, RetryAfterOf429And503KeepsTheTargetFromStarting) {
  const ThrottleOptions options{10, 0};
  for (const int status : {429, 503}) {
    Throttle throttle(options);
    throttle.Ended(Answered(status, 1, {}, 20'000), kNow);
    EXPECT_EQ(throttle.Room(0, kNow + 19'999), 0u);
    EXPECT_EQ(throttle.OpenAt(kNow), kNow + 20'000);
    EXPECT_EQ(throttle.Room(0, kNow + 20'000), 5u);
    EXPECT_EQ(throttle.OpenAt(kNow + 20'001), kNow + 20'001);
    throttle.Ended(Answered(status, 1, {}, 1000), kNow + 1);  // an earlier one takes nothing back
    EXPECT_EQ(throttle.OpenAt(kNow + 1), kNow + 20'000);
    throttle.Ended(Answered(status, 1, {}, kRetryAfterMsMax), kNow);
    EXPECT_EQ(throttle.OpenAt(kNow), kNow + kTargetPauseMsMax);
  }
  Throttle throttle(options);
  for (const int status : {200, 301, 408, 502}) {
    throttle.Ended(Answered(status, 1, {}, 20'000), kNow);
    EXPECT_EQ(throttle.OpenAt(kNow), kNow) << status;
  }
}

TEST(Throttle, ARateLetsSoManyStartASecondAndATenthOfThatAtOnce) {
  for (const uint32_t rate : {1u, 3u, 7u, 10u, 99u, 1000u, 7777u, 100'000u}) {
    const ThrottleOptions options{1'000'000, rate};
    Throttle throttle(options);
    const uint64_t burst = std::max(1u, rate / 10);
    EXPECT_EQ(throttle.Room(0, kNow), burst);
    uint64_t started = 0;
    for (int64_t ms = 0; ms <= 5000; ++ms) {
      while (throttle.Room(0, kNow + ms) > 0) {
        throttle.Started(kNow + ms);
        ++started;
      }
      ASSERT_LE(started, burst + rate * static_cast<uint64_t>(ms) / 1000) << rate;
    }
    EXPECT_GE(started, burst + 5 * rate - 1) << rate;
  }
}

TEST(Throttle, AnAttemptThatFoundNoSlotGivesItsTokenBack) {
  const ThrottleOptions options{1000, 10};
  Throttle throttle(options);
  throttle.Started(kNow);
  EXPECT_EQ(throttle.Room(0, kNow), 0u);
  throttle.Ended(Unanswered(OutcomeKind::kInterrupted), kNow);
  EXPECT_EQ(throttle.Room(0, kNow), 0u);
  throttle.Ended(Unanswered(OutcomeKind::kNoSlot), kNow);
  EXPECT_EQ(throttle.Room(0, kNow), 1u);
  throttle.Ended(Unanswered(OutcomeKind::kNoSlot), kNow);
  EXPECT_EQ(throttle.Room(0, kNow), 1u);
}

TEST(Throttle, SaysToTheMillisecondWhenTheNextMayStart) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    const ThrottleOptions options{1000, static_cast<uint32_t>(1 + random() % 3000)};
    Throttle throttle(options);
    WallMs now = kNow;
    for (int i = 0; i < 100; ++i) {
      while (throttle.Room(0, now) > 0) throttle.Started(now);
      const WallMs next = throttle.OpenAt(now);
      ASSERT_GT(next, now);
      ASSERT_EQ(throttle.Room(0, next + -1), 0u);
      ASSERT_GT(throttle.Room(0, next), 0u);
      now = next + static_cast<int64_t>(random() % 3 * (random() % 400));
    }
  }
}

TEST(Throttle, AClockSetBackMakesNothingWaitLonger) {
  const ThrottleOptions options{8, 2};
  Throttle throttle(options);
  throttle.Ended(Answered(503, 1, {}, 200'000), kNow);
  throttle.Started(kNow);
  const WallMs before = kNow + -kDayMs;
  throttle.ClockWentBack(before);
  EXPECT_EQ(throttle.OpenAt(before), before + kTargetPauseMsMax);
  EXPECT_EQ(throttle.Room(0, before + kTargetPauseMsMax), 1u);
  throttle.Ended(Answered(503), before + 1000);
  EXPECT_EQ(throttle.limit(), 2u);
}

}  // namespace
}  // namespace belfry
