#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/support/admission_rig.h"

namespace belfry {
namespace {

constexpr char kA[] = "http://a";
constexpr char kB[] = "http://b";

void StageLate(AdmissionRig& rig, TimerId id, const std::string& target) {
  rig.Stage(id, target, 0, kLocalTenant, 5000, Lane::kBacklog);
}

TEST(AdmissionLanesTest, OnTimeStartsBeforeTheBacklogThreeToOne) {
  AdmissionRig rig(100, 100);
  for (TimerId id = 1; id <= 8; ++id) StageLate(rig, id, kA);
  for (TimerId id = 11; id <= 18; ++id) rig.Stage(id, kB);
  const auto started = rig.StartAll();
  ASSERT_EQ(started.size(), 16u);
  const std::vector<TimerId> first(started.begin(), started.begin() + 8);
  EXPECT_EQ(first, (std::vector<TimerId>{11, 12, 13, 1, 14, 15, 16, 2}));
}

TEST(AdmissionLanesTest, TheBacklogLeavesHalfOfTheSlotsWhileOnTimeTimersStart) {
  AdmissionRig rig(10, 100);
  rig.MakePrompt(kA);
  rig.MakePrompt(kB);
  rig.Stage(100, kB);
  for (TimerId id = 1; id <= 20; ++id) StageLate(rig, id, kA);
  const auto started = rig.StartAll();
  EXPECT_EQ(started.size(), 6u);  // the one on time, and five
  EXPECT_FALSE(rig.admission.CanStart(rig.now));
}

TEST(AdmissionLanesTest, TheBacklogMayHaveAllSlotsWhenNothingElseIsDue) {
  AdmissionRig rig(10, 100);
  rig.MakePrompt(kA);
  for (TimerId id = 1; id <= 20; ++id) StageLate(rig, id, kA);
  EXPECT_EQ(rig.StartAll().size(), 5u);
  ASSERT_TRUE(rig.admission.NextUnblockAt());
  EXPECT_EQ(*rig.admission.NextUnblockAt(), rig.now + kOnTimeIdleMs);
  rig.Pass(kOnTimeIdleMs);
  EXPECT_EQ(rig.StartAll().size(), 5u);
}

TEST(AdmissionLanesTest, OfATargetsRoomOnTimeTimersHaveTheFirstChoice) {
  AdmissionRig rig(100, 1);
  for (TimerId id = 1; id <= 3; ++id) StageLate(rig, id, kA);
  rig.Stage(11, kA, 1);
  EXPECT_EQ(rig.StartAll(), (std::vector<TimerId>{11}));
  rig.End(11);
  EXPECT_EQ(rig.StartAll(), (std::vector<TimerId>{1}));
}

TEST(AdmissionLanesTest, TargetsThatAreNotPromptHaveHalfOfTheSlots) {
  AdmissionRig rig(10, 100);
  rig.MakePrompt(kB);
  for (TimerId id = 1; id <= 20; ++id) rig.Stage(id, "http://slow" + std::to_string(id));
  EXPECT_EQ(rig.StartAll().size(), 5u);
  for (TimerId id = 101; id <= 110; ++id) rig.Stage(id, kB);
  const auto prompt = rig.StartAll();
  EXPECT_EQ(prompt.size(), 5u);
  EXPECT_TRUE(std::all_of(prompt.begin(), prompt.end(), [](TimerId id) { return id > 100; }));
}

TEST(AdmissionLanesTest, ATargetThatTakesLongIsNotPromptAnyMore) {
  AdmissionRig rig(2, 100);
  rig.MakePrompt(kA);
  rig.Stage(1, kA);
  rig.Stage(2, kA);
  EXPECT_EQ(rig.StartAll().size(), 2u);
  Outcome slow = Answered(200, 1);
  slow.duration_ms = kPromptMs + 1;
  rig.End(2);
  rig.End(slow);
  rig.Stage(3, kA);
  rig.Stage(4, kA);
  EXPECT_EQ(rig.StartAll().size(), 1u);
}

TEST(AdmissionLanesTest, APausedTargetStartsNothingAndChargesNothing) {
  AdmissionRig rig(100, 100);
  rig.admission.SetPaused(kA, true, rig.now);
  rig.Stage(1, kA);
  rig.Stage(2, kB);
  EXPECT_EQ(rig.StartAll(), (std::vector<TimerId>{2}));
  EXPECT_TRUE(rig.Pass(kDayMs).empty());
  EXPECT_TRUE(rig.View(kA).paused);
  rig.admission.SetPaused(kA, false, rig.now);
  EXPECT_EQ(rig.StartAll(), (std::vector<TimerId>{1}));
}

TEST(AdmissionLanesTest, APausedTargetIsNotForgotten) {
  AdmissionOptions options = AdmissionRig::Limits(100, 100);
  options.targets_kept = 0;
  AdmissionRig rig(options);
  rig.admission.SetPaused(kA, true, rig.now);
  rig.Stage(2, kB);
  rig.StartAll();
  rig.End(2);
  EXPECT_EQ(rig.admission.targets(), 1u);
  rig.admission.SetPaused(kA, false, rig.now);
  EXPECT_EQ(rig.admission.targets(), 0u);
}

TEST(AdmissionLanesTest, TellsWhenATargetHasRoomForParkedTimers) {
  AdmissionOptions options = AdmissionRig::Limits(100, 1);
  options.unpark_below = 2;
  AdmissionRig rig(options);
  for (TimerId id = 1; id <= 4; ++id) rig.Stage(id, kA);
  rig.admission.SetParked(kA, 7, rig.now);
  EXPECT_FALSE(rig.admission.AnyRoomy());
  rig.Start();
  rig.End(1);
  rig.Start();
  EXPECT_FALSE(rig.admission.AnyRoomy());
  rig.End(2);
  rig.Start();
  EXPECT_EQ(rig.admission.TakeRoomy().front(), 7u);
  EXPECT_TRUE(rig.View(kA).parked);
}

TEST(AdmissionLanesTest, DropsOnTimeTimersOfTargetsWithoutRoom) {
  AdmissionRig rig(100, 1);
  rig.admission.SetPaused(kA, true, rig.now);
  rig.Stage(5, kA, 50);
  rig.Stage(6, kA, 60);
  StageLate(rig, 7, kA);
  rig.Stage(8, kB, 10);
  EXPECT_EQ(rig.admission.DropWithoutRoom(kKeyMax, rig.now), (Key{AdmissionRig::kStart + 50, 5}));
  EXPECT_EQ(rig.admission.Find(5), nullptr);
  EXPECT_NE(rig.admission.Find(7), nullptr);
  EXPECT_NE(rig.admission.Find(8), nullptr);
  EXPECT_EQ(rig.admission.staged(Lane::kOnTime), 1u);
  EXPECT_EQ(rig.admission.staged(Lane::kBacklog), 1u);
}

}  // namespace
}  // namespace belfry
