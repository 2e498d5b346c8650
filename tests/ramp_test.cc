#include "scheduler/ramp.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr WallMs kNow{1'000'000};

TEST(RampTest, NeverMayHaveMoreThanThereIs) {
  EXPECT_EQ(Ramp(10).limit(), 10u);
  EXPECT_EQ(Ramp(1000).limit(), kRampStart);
}

TEST(RampTest, DoublesWithEachStepThatGoesWell) {
  Ramp ramp(1000);
  ramp.Started(kNow);
  ramp.Ended(false, kNow + (kRampStepMs - 1));
  EXPECT_EQ(ramp.limit(), kRampStart);
  ramp.Ended(false, kNow + kRampStepMs);
  EXPECT_EQ(ramp.limit(), 2 * kRampStart);
  for (int step = 2; step < 10; ++step) ramp.Ended(false, kNow + step * kRampStepMs);
  EXPECT_EQ(ramp.limit(), 1000u);
}

TEST(RampTest, HalvesWhenOneInTwentyFails) {
  Ramp ramp(1000);
  ramp.Started(kNow);
  for (int step = 1; step < 5; ++step) ramp.Ended(false, kNow + step * kRampStepMs);
  EXPECT_EQ(ramp.limit(), 1000u);
  for (int i = 0; i < 18; ++i) ramp.Ended(false, kNow + 4 * kRampStepMs + 1);
  ramp.Ended(true, kNow + 4 * kRampStepMs + 1);
  ramp.Ended(false, kNow + 5 * kRampStepMs);
  EXPECT_EQ(ramp.limit(), 500u);
}

TEST(RampTest, NeverFallsBelowItsStart) {
  Ramp ramp(1000);
  ramp.Started(kNow);
  for (int step = 1; step < 10; ++step) ramp.Ended(true, kNow + step * kRampStepMs);
  EXPECT_EQ(ramp.limit(), kRampStart);
}

TEST(RampTest, StartsOverAfterAPauseAndAfterAClockStepBack) {
  Ramp ramp(1000);
  ramp.Started(kNow);
  ramp.Ended(false, kNow + kRampStepMs);
  ramp.Started(kNow + kRampStepMs + kRampForgetMs);
  EXPECT_EQ(ramp.limit(), kRampStart);
  ramp.Ended(false, kNow + 2 * kRampStepMs + kRampForgetMs);
  EXPECT_EQ(ramp.limit(), 2 * kRampStart);
  ramp.Started(kNow);
  EXPECT_EQ(ramp.limit(), kRampStart);
}

}  // namespace
}  // namespace belfry
