// Built with BELFRY_PLANTED_BUGS: switches on one bug at a time and wants the simulator to find it.
#include <gtest/gtest.h>

#include "base/planted.h"
#include "tests/sim/world.h"

namespace belfry::sim {
namespace {

constexpr uint64_t kSeedsMax = 5000;

struct Planting {
  const char* name;
  Bug bug;
};

void PrintTo(const Planting& planting, std::ostream* out) { *out << planting.name; }

class PlantedBug : public testing::TestWithParam<Planting> {
 protected:
  ~PlantedBug() override { planted_bug = Bug::kNone; }
};

// A seed that aborts on a CHECK counts as found: in this build CHECK throws.
std::optional<std::string> RunSeed(uint64_t seed) {
  try {
    World world(seed, false);
    const auto violation = world.Run();
    if (violation) return violation->what;
  } catch (const CheckFailure& failure) {
    return failure.what;
  }
  return std::nullopt;
}

TEST_P(PlantedBug, IsFoundByTheSimulator) {
  planted_bug = GetParam().bug;
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    if (const auto found = RunSeed(seed)) {
      std::printf("seed %lu: %s\n", seed, found->c_str());
      return;
    }
  }
  FAIL() << "not found in " << kSeedsMax << " seeds";
}

TEST(NoPlantedBug, IsFoundWhereThereIsNone) {
  planted_bug = Bug::kNone;
  for (uint64_t seed = 1; seed <= 200; ++seed) EXPECT_EQ(RunSeed(seed), std::nullopt) << seed;
}

INSTANTIATE_TEST_SUITE_P(
    All, PlantedBug,
    testing::Values(Planting{"AnswerBeforeCommit", Bug::kAnswerBeforeCommit},
                    Planting{"ArmBeforeCommit", Bug::kArmBeforeCommit},
                    Planting{"CancelOnlyInHeap", Bug::kCancelOnlyInHeap},
                    Planting{"ClockBackRefires", Bug::kClockBackRefires},
                    Planting{"WatermarkPastLiveTimer", Bug::kWatermarkPastLiveTimer},
                    Planting{"TiesLost", Bug::kTiesLost},
                    Planting{"StalePageAccepted", Bug::kStalePageAccepted},
                    Planting{"PageArmsQueuedCancel", Bug::kPageArmsQueuedCancel},
                    Planting{"OutcomeNotDurable", Bug::kOutcomeNotDurable},
                    Planting{"SetInsteadOfCount", Bug::kSetInsteadOfCount},
                    Planting{"HorizonInfiniteOnSkipped", Bug::kHorizonInfiniteOnSkipped},
                    Planting{"WakeForgotten", Bug::kWakeForgotten},
                    Planting{"WrongClockFires", Bug::kWrongClockFires},
                    Planting{"UpkeepDuringStop", Bug::kUpkeepDuringStop},
                    Planting{"StagedUncounted", Bug::kStagedUncounted},
                    Planting{"LookupTakesASlot", Bug::kLookupTakesASlot},
                    Planting{"LookupIgnored", Bug::kLookupIgnored},
                    Planting{"LookupEndForgotten", Bug::kLookupEndForgotten},
                    Planting{"ConnectsWithoutASlot", Bug::kConnectsWithoutASlot},
                    Planting{"UnsettledUnbounded", Bug::kUnsettledUnbounded},
                    Planting{"IdCacheNotRefreshed", Bug::kIdCacheNotRefreshed},
                    Planting{"StaleReadEntersIdCache", Bug::kStaleReadEntersIdCache},
                    Planting{"BreakerNeverCloses", Bug::kBreakerNeverCloses},
                    Planting{"HalfOpenLetsTwo", Bug::kHalfOpenLetsTwo},
                    Planting{"OpenWaitChargesAtOnce", Bug::kOpenWaitChargesAtOnce},
                    Planting{"OpenWaitNeverCharges", Bug::kOpenWaitNeverCharges},
                    Planting{"BlockedTargetForgotten", Bug::kBlockedTargetForgotten},
                    Planting{"OpenTargetNotKept", Bug::kOpenTargetNotKept},
                    Planting{"RetryAfterNotOfTarget", Bug::kRetryAfterNotOfTarget},
                    Planting{"LimitNeverHalved", Bug::kLimitNeverHalved},
                    Planting{"SlowTakeAllSlots", Bug::kSlowTakeAllSlots},
                    Planting{"ParkBelowCursorForgotten", Bug::kParkBelowCursorForgotten},
                    Planting{"BacklogSkipsDeferred", Bug::kBacklogSkipsDeferred},
                    Planting{"LeftRowForgotten", Bug::kLeftRowForgotten},
                    Planting{"LeftStalePageAccepted", Bug::kLeftStalePageAccepted},
                    Planting{"ResumedRowsStayLeft", Bug::kResumedRowsStayLeft},
                    Planting{"BacklogTakesAllSlots", Bug::kBacklogTakesAllSlots},
                    Planting{"PauseNotAskedOnStart", Bug::kPauseNotAskedOnStart},
                    Planting{"PausedAreCharged", Bug::kPausedAreCharged},
                    Planting{"StrangersOpHolds", Bug::kStrangersOpHolds},
                    Planting{"AcknowledgeBeforeSync", Bug::kAcknowledgeBeforeSync},
                    Planting{"RetryAsTwoBatches", Bug::kRetryAsTwoBatches},
                    Planting{"WatermarkNotLowered", Bug::kWatermarkNotLowered},
                    Planting{"FloorNotHonouredByPage", Bug::kFloorNotHonouredByPage},
                    Planting{"OpBlindToItsGroup", Bug::kOpBlindToItsGroup},
                    Planting{"DropRuleNotLowered", Bug::kDropRuleNotLowered},
                    Planting{"RetentionTakesTooMuch", Bug::kRetentionTakesTooMuch},
                    Planting{"LateOutcomeCountsBelowFloor", Bug::kLateOutcomeCountsBelowFloor},
                    Planting{"LatenessOfFirstAttemptOnly", Bug::kLatenessOfFirstAttemptOnly},
                    Planting{"ReplayKeepsBudget", Bug::kReplayKeepsBudget},
                    Planting{"ReplayNotResumed", Bug::kReplayNotResumed},
                    Planting{"ReplayLeavesDeadRow", Bug::kReplayLeavesDeadRow},
                    Planting{"StopwatchLeftByName", Bug::kStopwatchLeftByName},
                    Planting{"StopwatchNameUnended", Bug::kStopwatchNameUnended},
                    Planting{"StopwatchNegative", Bug::kStopwatchNegative},
                    Planting{"StopwatchAnsweredEarly", Bug::kStopwatchAnsweredEarly},
                    Planting{"StopwatchWrongClock", Bug::kStopwatchWrongClock},
                    Planting{"FeedGapHidden", Bug::kFeedGapHidden},
                    Planting{"FeedKeepsNameNotOwned", Bug::kFeedKeepsNameNotOwned},
                    Planting{"FeedForgetsTheLast", Bug::kFeedForgetsTheLast},
                    Planting{"FeedResumesOverOwning", Bug::kFeedResumesOverOwning},
                    Planting{"LapseNotRearmed", Bug::kLapseNotRearmed},
                    Planting{"LapseCallbackForgotten", Bug::kLapseCallbackForgotten},
                    Planting{"StreamDeadlineNotArmed", Bug::kStreamDeadlineNotArmed},
                    Planting{"RenewalAnswersEarly", Bug::kRenewalAnswersEarly},
                    Planting{"MovedDeadlineNotArmed", Bug::kMovedDeadlineNotArmed},
                    Planting{"LapseBeyondCapForgotten", Bug::kLapseBeyondCapForgotten},
                    Planting{"LapseCapSpins", Bug::kLapseCapSpins},
                    Planting{"LapseWaitsForBacklog", Bug::kLapseWaitsForBacklog},
                    Planting{"LateLeaseNotInLow", Bug::kLateLeaseNotInLow},
                    Planting{"StreamsBelieveWrongClock", Bug::kStreamsBelieveWrongClock},
                    Planting{"EndsBelieveWrongClock", Bug::kEndsBelieveWrongClock},
                    Planting{"RefusedStartForgotten", Bug::kRefusedStartForgotten},
                    Planting{"FullForEver", Bug::kFullForEver},
                    Planting{"LateRenewalSettlesNothing", Bug::kLateRenewalSettlesNothing},
                    Planting{"LeaseOutlastsItsTtl", Bug::kLeaseOutlastsItsTtl},
                    Planting{"LimitIgnoresItsGroup", Bug::kLimitIgnoresItsGroup},
                    Planting{"LapseIgnoresRenewal", Bug::kLapseIgnoresRenewal},
                    Planting{"RenewalRevives", Bug::kRenewalRevives},
                    Planting{"EndLeavesDeadline", Bug::kEndLeavesDeadline},
                    Planting{"LapseForgottenByStart", Bug::kLapseForgottenByStart},
                    Planting{"CallbackArmedEarly", Bug::kCallbackArmedEarly},
                    Planting{"CallbackInItsOwnBatch", Bug::kCallbackInItsOwnBatch}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace belfry::sim
