#include "scheduler/admission.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

class AdmissionTest : public testing::Test {
 protected:
  void Stage(Admission& admission, TimerId id, const std::string& target, int64_t at_ms = 1000) {
    auto timer = std::make_unique<Timer>();
    timer->id = id;
    timer->next_attempt = {at_ms};
    timer->url = target + "/hook";
    const size_t bytes = MemoryBytes(*timer);
    bytes_ += bytes;
    admission.Stage(std::move(timer), bytes);
  }

  static TimerId NextId(Admission& admission) {
    Admission::Started next = admission.Next();
    return next.timer ? next.timer->id : 0;
  }

  size_t bytes_ = 0;
};

TEST_F(AdmissionTest, TargetsTakeTurnsAndEachGivesItsEarliestKey) {
  Admission admission(10, 10);
  Stage(admission, 1, "http://a", 30);
  Stage(admission, 2, "http://a", 20);
  Stage(admission, 3, "http://b", 40);
  EXPECT_EQ(NextId(admission), 2u);
  EXPECT_EQ(NextId(admission), 3u);
  EXPECT_EQ(NextId(admission), 1u);
  EXPECT_EQ(NextId(admission), 0u);
  EXPECT_EQ(admission.in_flight(), 3u);
}

TEST_F(AdmissionTest, ATargetWaitsForItsOwnSlotAndNotForThatOfAnother) {
  Admission admission(10, 1);
  Stage(admission, 1, "http://a");
  Stage(admission, 2, "http://a");
  Stage(admission, 3, "http://a:81");
  const Admission::Started first = admission.Next();
  EXPECT_EQ(first.timer->id, 1u);
  EXPECT_EQ(NextId(admission), 3u);
  EXPECT_EQ(NextId(admission), 0u);
  admission.Free(first.target);
  EXPECT_EQ(NextId(admission), 2u);
}

TEST_F(AdmissionTest, NobodyStartsBeyondTheWhole) {
  Admission admission(1, 10);
  Stage(admission, 1, "http://a");
  Stage(admission, 2, "http://b");
  const Admission::Started first = admission.Next();
  EXPECT_FALSE(admission.CanStart());
  EXPECT_EQ(NextId(admission), 0u);
  admission.Free(first.target);
  EXPECT_EQ(NextId(admission), 2u);
}

TEST_F(AdmissionTest, ATargetIsKeptWhileItHasTimersStagedOrStartedAndNoLonger) {
  Admission admission(10, 10);
  EXPECT_EQ(admission.targets(), 0u);
  Stage(admission, 1, "http://a");
  Stage(admission, 2, "http://a");
  EXPECT_EQ(admission.targets(), 1u);
  const Admission::Started first = admission.Next();
  EXPECT_EQ(admission.Remove(2)->id, 2u);
  EXPECT_EQ(admission.targets(), 1u);
  admission.Free(first.target);
  EXPECT_EQ(admission.targets(), 0u);
  for (TimerId id = 10; id < 1000; ++id) Stage(admission, id, "http://h" + std::to_string(id));
  EXPECT_EQ(admission.targets(), 990u);
  admission.DropIf([](const Timer&) { return true; });
  EXPECT_EQ(admission.targets(), 0u);
  EXPECT_FALSE(admission.CanStart());
}

TEST_F(AdmissionTest, ATargetComesBackUnderItsNameAfterItWasForgotten) {
  Admission admission(10, 1);
  for (TimerId id = 1; id < 100; ++id) {
    Stage(admission, id, "http://a");
    const Admission::Started next = admission.Next();
    ASSERT_EQ(next.timer->id, id);
    Stage(admission, 1000 + id, "http://a");
    ASSERT_EQ(NextId(admission), 0u);
    ASSERT_NE(admission.Remove(1000 + id), nullptr);
    admission.Free(next.target);
    ASSERT_EQ(admission.targets(), 0u);
  }
}

TEST_F(AdmissionTest, WhatIsTakenOutIsNeitherFoundNorCountedNorStarted) {
  Admission admission(10, 10);
  Stage(admission, 1, "http://a", 10);
  Stage(admission, 2, "http://b", 20);
  Stage(admission, 3, "http://b", 30);
  EXPECT_EQ(admission.staged_bytes(), bytes_);
  EXPECT_EQ(admission.FirstStaged(), (Key{{10}, 1}));
  EXPECT_EQ(admission.Remove(9), nullptr);
  EXPECT_EQ(admission.Remove(1)->id, 1u);
  EXPECT_EQ(admission.Find(1), nullptr);
  const std::vector<TimerPtr> later = admission.TakeLaterThan({20});
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(later[0]->id, 3u);
  EXPECT_EQ(admission.Find(2)->id, 2u);
  EXPECT_EQ(admission.staged(), 1u);
  EXPECT_EQ(NextId(admission), 2u);
  EXPECT_EQ(NextId(admission), 0u);
  EXPECT_EQ(admission.staged_bytes(), 0u);
  EXPECT_EQ(admission.FirstStaged(), kKeyMax);
}

}  // namespace
}  // namespace belfry
