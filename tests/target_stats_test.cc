#include "scheduler/target_stats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/outcomes.h"

namespace belfry {
namespace {

constexpr WallMs kNow{1'000'000'020'000};

Outcome Lasting(int64_t duration_ms, int32_t status = 200) {
  Outcome o = Answered(status);
  o.duration_ms = duration_ms;
  return o;
}

TEST(TargetStats, NothingIsKnownOfATargetThatWasNotTried) {
  TargetStats stats;
  EXPECT_EQ(stats.Recent(kNow).attempts, 0u);
  EXPECT_EQ(stats.DurationMs(0.5, kNow), std::nullopt);
  EXPECT_EQ(stats.last_error(), "");
  for (const OutcomeKind kind :
       {OutcomeKind::kLocalFault, OutcomeKind::kInterrupted, OutcomeKind::kForbidden}) {
    stats.Add(Unanswered(kind), kNow);
  }
  EXPECT_EQ(stats.Recent(kNow).attempts, 0u);
  EXPECT_EQ(stats.last_error(), "");
}

TEST(TargetStats, CountsAttemptsAndFailuresOfFiveMinutes) {
  TargetStats stats;
  for (int64_t minute = 0; minute < 10; ++minute) {
    const WallMs now = kNow + minute * kMinuteMs;
    stats.Add(Answered(204), now);
    stats.Add(Answered(404), now);
    stats.Add(Unanswered(OutcomeKind::kTimeout), now);
  }
  const WallMs last = kNow + 9 * kMinuteMs;
  EXPECT_EQ(stats.Recent(last).attempts, 15u);
  EXPECT_EQ(stats.Recent(last).failures, 10u);
  EXPECT_EQ(stats.Recent(last + 4 * kMinuteMs).attempts, 3u);
  EXPECT_EQ(stats.Recent(last + 5 * kMinuteMs).attempts, 0u);
}

TEST(TargetStats, RemembersTheLastErrorInAWord) {
  TargetStats stats;
  stats.Add(Unanswered(OutcomeKind::kFailed, 1, {}, "refused"), kNow);
  EXPECT_EQ(stats.last_error(), "refused");
  stats.Add(Answered(503), kNow);
  EXPECT_EQ(stats.last_error(), "status 503");
  stats.Add(Answered(200), kNow);
  EXPECT_EQ(stats.last_error(), "status 503");
  stats.Add(Unanswered(OutcomeKind::kFailed, 1, {}, std::string(100, 'x')), kNow);
  EXPECT_EQ(stats.last_error(), std::string(22, 'x'));
}

TEST(TargetStats, SharesOfDurationsAreWithinThirteenPercent) {
  std::mt19937_64 random(5);
  for (const int64_t longest_ms : {3, 10, 100, 3000, 60'000}) {
    TargetStats stats;
    std::vector<int64_t> durations_ms;
    for (int i = 0; i < 5000; ++i) {
      durations_ms.push_back(static_cast<int64_t>(random() % static_cast<uint64_t>(longest_ms)));
      stats.Add(Lasting(durations_ms.back()), kNow);
    }
    std::sort(durations_ms.begin(), durations_ms.end());
    for (const double share : {0.5, 0.99}) {
      const auto exact = static_cast<double>(durations_ms[static_cast<size_t>(share * 5000) - 1]);
      const auto told = static_cast<double>(stats.DurationMs(share, kNow).value_or(-1));
      EXPECT_NEAR(told, exact, 0.13 * exact + 1) << longest_ms << " " << share;
    }
  }
}

TEST(TargetStats, EveryDurationHasItsPlace) {
  for (const int64_t ms : {int64_t{-5}, int64_t{0}, int64_t{1}, int64_t{131'071},
                           int64_t{10'000'000}, int64_t{1} << 62}) {
    TargetStats stats;
    stats.Add(Lasting(ms), kNow);
    EXPECT_EQ(stats.DurationMs(0.5, kNow), stats.DurationMs(0.99, kNow)) << ms;
    EXPECT_LE(*stats.DurationMs(0.5, kNow), 131'071);
    EXPECT_GE(*stats.DurationMs(0.5, kNow), 0);
  }
}

TEST(TargetStats, OldDurationsCountLessAndLess) {
  TargetStats stats;
  for (int i = 0; i < 100; ++i) stats.Add(Lasting(1000), kNow);
  for (int64_t minute = 1; minute <= 4; ++minute) {
    for (int i = 0; i < 20; ++i) stats.Add(Lasting(2), kNow + minute * kMinuteMs);
  }
  const WallMs now = kNow + 4 * kMinuteMs;
  EXPECT_EQ(stats.DurationMs(0.5, now), 2);
  EXPECT_GT(*stats.DurationMs(0.99, now), 800);
  EXPECT_EQ(stats.DurationMs(0.5, now + kHourMs), std::nullopt);
}

TEST(TargetStats, VeryManyAttemptsOverflowNothing) {
  TargetStats stats;
  for (int i = 0; i < 1'000'000; ++i) stats.Add(Lasting(i % 50 == 0 ? 1000 : 10), kNow);
  EXPECT_EQ(stats.Recent(kNow).attempts, 1'000'000u);
  EXPECT_EQ(stats.DurationMs(0.5, kNow), 11);
  EXPECT_GT(*stats.DurationMs(0.99, kNow), 800);
}

}  // namespace
}  // namespace belfry
