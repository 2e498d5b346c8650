#include "scheduler/replays.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr WallMs kNow{1'000'000};

TEST(Replays, OneIsDoneAfterTheOtherInStepsThatKeepTheirDistance) {
  Replays replays({});
  EXPECT_EQ(replays.NextStep(kNow), std::nullopt);
  EXPECT_EQ(replays.NextStepAt(), std::nullopt);
  EXPECT_EQ(replays.Accept(), 1u);
  EXPECT_EQ(replays.Accept(), 2u);
  EXPECT_EQ(replays.NextStep(kNow), 1u);
  EXPECT_EQ(replays.NextStep(kNow + kHourMs), std::nullopt) << "one step is outstanding";
  EXPECT_EQ(replays.NextStepAt(), std::nullopt);
  replays.StepDone(true);
  EXPECT_EQ(replays.NextStepAt(), kNow + kReplayIntervalMs);
  EXPECT_EQ(replays.NextStep(kNow + (kReplayIntervalMs - 1)), std::nullopt);
  EXPECT_EQ(replays.NextStep(kNow + kReplayIntervalMs), 1u);
  replays.StepDone(false);
  EXPECT_EQ(replays.NextStep(kNow + 2 * kReplayIntervalMs), 2u);
  EXPECT_FALSE(replays.empty());
  replays.StepDone(false);
  EXPECT_TRUE(replays.empty());
}

TEST(Replays, ThoseOfTheStoreGoOnAndNumbersRiseAboveThem) {
  Replays replays({4, 7});
  EXPECT_EQ(replays.Accept(), 8u);
  for (const uint64_t number : {4, 7, 8}) {
    EXPECT_EQ(replays.NextStep(kNow + static_cast<int64_t>(number) * kSecondMs), number);
    replays.StepDone(false);
  }
}

TEST(Replays, AClockThatStepsBackHoldsNothingOff) {
  Replays replays({1});
  EXPECT_EQ(replays.NextStep(kNow), 1u);
  replays.StepDone(true);
  EXPECT_EQ(replays.NextStep(kNow + -kHourMs), 1u);
}

TEST(Replays, TheyAreBounded) {
  Replays replays({});
  for (size_t i = 0; i < kReplaysMax; ++i) {
    EXPECT_FALSE(replays.full());
    EXPECT_EQ(replays.Accept(), i + 1);
  }
  EXPECT_TRUE(replays.full());
  EXPECT_EQ(replays.NextStep(kNow), 1u);
  replays.StepDone(false);
  EXPECT_FALSE(replays.full());
}

}  // namespace
}  // namespace belfry
