// What a target's state does to those who wait for it; admission_turns_test.cc has the turns.
#include "scheduler/admission.h"

#include <gtest/gtest.h>

#include "tests/support/admission_rig.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

TEST(Admission, WhatIsTakenOutIsNeitherFoundNorCountedNorStarted) {
  AdmissionRig rig(10, 10);
  Admission& admission = rig.admission;
  rig.Stage(1, "http://a", 10);
  rig.Stage(2, "http://b", 20);
  rig.Stage(3, "http://b", 30);
  EXPECT_EQ(admission.staged_bytes(), rig.bytes);
  EXPECT_EQ(admission.FirstStaged(), (Key{rig.kStart + 10, 1}));
  EXPECT_EQ(admission.Remove(9, rig.now), nullptr);
  EXPECT_EQ(admission.Remove(1, rig.now)->id, 1u);
  EXPECT_EQ(admission.Find(1), nullptr);
  const std::vector<TimerPtr> later = admission.TakeLaterThan(rig.kStart + 20);
  ASSERT_EQ(later.size(), 1u);
  EXPECT_EQ(later[0]->id, 3u);
  EXPECT_EQ(admission.Find(2)->id, 2u);
  EXPECT_EQ(admission.staged(), 1u);
  EXPECT_EQ(rig.StartAll(), (Ids{2}));
  EXPECT_EQ(admission.staged_bytes(), 0u);
  EXPECT_EQ(admission.FirstStaged(), kKeyMax);
}

TEST(Admission, ATenantsTimersAreDroppedAndThoseOfOthersStay) {
  AdmissionRig rig(100, 1);
  for (TimerId id = 1; id <= 9; ++id) {
    rig.Stage(id, "http://" + std::to_string(id % 2), 0, static_cast<TenantId>(1 + id % 3));
  }
  size_t looks = 0;
  const auto drop = [&looks](const Timer&) { return ++looks > 0; };
  rig.admission.DropIf(2, drop, rig.now);
  EXPECT_EQ(rig.admission.staged(), 6u);
  for (const TenantId without : {2, 7}) rig.admission.DropIf(without, drop, rig.now);
  EXPECT_EQ(looks, 3u) << "nobody else's are looked at";
  Ids all = rig.StartAll();
  for (size_t i = 0; i < all.size(); ++i) {
    rig.End(all[i]);
    for (const TimerId id : rig.StartAll()) all.push_back(id);
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (Ids{2, 3, 5, 6, 8, 9}));
}

TEST(Admission, AnOpenTargetIsLeftAloneUntilItsProbe) {
  AdmissionRig rig(10, 10);
  rig.Break("http://dead");
  for (TimerId id = 1; id <= 3; ++id) rig.Stage(id, "http://dead", 0, 1, kDayMs);
  rig.Stage(4, "http://alive");
  EXPECT_EQ(rig.StartAll(), (Ids{4}));
  EXPECT_FALSE(rig.admission.CanStart(rig.now));
  const WallMs probe_at = *rig.admission.NextUnblockAt();
  EXPECT_EQ(rig.View("http://dead").blocked_until, probe_at);
  EXPECT_EQ(rig.View("http://dead").state, BreakerState::kOpen);
  rig.Pass(probe_at - rig.now - 1);
  EXPECT_FALSE(rig.admission.CanStart(rig.now));
  rig.Pass(1);
  EXPECT_EQ(rig.View("http://dead").state, BreakerState::kHalfOpen);
  EXPECT_EQ(rig.StartAll(), (Ids{1}));
  EXPECT_EQ(rig.View("http://dead").blocked_until, std::nullopt);
  rig.Fail(1);
  EXPECT_GT(*rig.admission.NextUnblockAt() - rig.now, 1500);
  rig.PassToNext();
  EXPECT_EQ(rig.StartAll(), (Ids{2}));
  rig.Stage(5, "http://dead");
  rig.End(2);
  EXPECT_EQ(rig.View("http://dead").state, BreakerState::kClosed);
  EXPECT_EQ(rig.StartAll(), (Ids{3, 5}));
  EXPECT_EQ(rig.admission.NextUnblockAt(), std::nullopt);
}

TEST(Admission, WhatStagesForAnOpenTargetLaterWaitsForItsProbeToo) {
  AdmissionRig rig(10, 10);
  rig.Break("http://dead");
  EXPECT_EQ(rig.admission.NextUnblockAt(), std::nullopt);  // nobody waits
  rig.Stage(1, "http://dead", 0, 1, kDayMs);
  EXPECT_EQ(rig.Start(), 0u);
  ASSERT_NE(rig.admission.Remove(1, rig.now), nullptr);
  EXPECT_EQ(rig.admission.NextUnblockAt(), std::nullopt);
  rig.Pass(kMinuteMs);
  rig.Stage(2, "http://dead");
  EXPECT_EQ(rig.Start(), 2u);
}

TEST(Admission, HalfOpenLetsOneStartWhoeverItBelongsTo) {
  AdmissionRig rig(10, 10);
  rig.Break("http://dead");
  for (TenantId tenant = 1; tenant <= 3; ++tenant) {
    for (TimerId id = 1; id <= 3; ++id)
      rig.Stage(10 * tenant + id, "http://dead", 0, tenant, kDayMs);
  }
  rig.PassToNext();
  EXPECT_EQ(rig.StartAll(), (Ids{11}));
  rig.End(Unanswered(OutcomeKind::kLocalFault, 11));
  EXPECT_EQ(rig.StartAll(), (Ids{21}));
  rig.End(21);
  EXPECT_EQ(rig.StartAll().size(), 7u);
}

TEST(Admission, WhoHasWaitedLongEnoughForAnOpenTargetIsTakenOut) {
  AdmissionRig rig(10, 10);
  rig.Break("http://dead");
  rig.now = rig.View("http://dead").blocked_until.value();
  rig.Stage(1, "http://dead", rig.now - rig.kStart, 1, 1000);
  EXPECT_EQ(rig.Start(), 1u);  // the probe, which hangs
  const int64_t start_ms = rig.now - rig.kStart;
  rig.Stage(2, "http://dead", start_ms, 1, 3000);
  rig.Stage(3, "http://dead", start_ms, 2, 2000);
  rig.Stage(4, "http://dead", start_ms - 500, 1, 1000);
  rig.Stage(5, "http://alive", start_ms - 90'000, 1, 1000);
  EXPECT_EQ(rig.admission.NextUnblockAt(), rig.now + 500);
  EXPECT_EQ(rig.Pass(499), Ids{});
  EXPECT_EQ(rig.Pass(1), Ids{4});
  EXPECT_EQ(rig.admission.NextUnblockAt(), rig.now + 1500);
  EXPECT_EQ(rig.Pass(10'000), (Ids{2, 3}));
  EXPECT_EQ(rig.admission.staged(), 1u);
  EXPECT_EQ(rig.admission.NextUnblockAt(), std::nullopt);
  EXPECT_EQ(rig.Start(), 5u);
}

TEST(Admission, OnlySoManyAreTakenOutAtOnceAndTheOthersNext) {
  AdmissionRig rig(10, 10);
  rig.Break("http://dead");
  for (TimerId id = 1; id <= 10; ++id) rig.Stage(id, "http://dead", 0, 1 + id % 2, 100);
  EXPECT_EQ(rig.Pass(200, 4).size(), 4u);
  EXPECT_EQ(rig.admission.NextUnblockAt(), rig.now);
  EXPECT_EQ(rig.Pass(0, 4).size(), 4u);
  EXPECT_EQ(rig.Pass(0, 4).size(), 2u);
  EXPECT_EQ(rig.admission.staged(), 0u);
}

TEST(Admission, TheOneThatIsAboutToBeTheProbeIsNotCharged) {
  AdmissionRig rig(1, 10);
  rig.Break("http://dead");
  rig.Stage(1, "http://dead", 0, 1, 100);
  rig.Stage(2, "http://dead", 0, 1, 100);
  rig.now = *rig.View("http://dead").blocked_until;
  EXPECT_EQ(rig.Pass(0), Ids{});
  EXPECT_EQ(rig.Start(), 1u);
  EXPECT_EQ(rig.Pass(0), Ids{2});
}

TEST(Admission, AClosedTargetChargesNobodyHoweverLongItTakes) {
  AdmissionRig rig(10, 1);
  rig.Stage(1, "http://slow", 0, 1, 1000);
  rig.Stage(2, "http://slow", 0, 1, 1000);
  EXPECT_EQ(rig.StartAll(), Ids{1});
  EXPECT_EQ(rig.Pass(kDayMs), Ids{});
  EXPECT_EQ(rig.admission.NextUnblockAt(), std::nullopt);
}

TEST(Admission, RetryAfterHoldsTheTargetAndNobodyElse) {
  AdmissionRig rig(10, 10);
  for (TimerId id = 1; id <= 3; ++id) rig.Stage(id, "http://busy");
  ASSERT_EQ(rig.Start(), 1u);
  rig.End(Answered(429, 1, {}, 20'000));
  rig.Stage(4, "http://other");
  EXPECT_EQ(rig.StartAll(), Ids{4});
  EXPECT_EQ(rig.admission.NextUnblockAt(), rig.now + 20'000);
  EXPECT_EQ(rig.View("http://busy").limit, 5u);
  rig.Pass(19'999);
  EXPECT_EQ(rig.Start(), 0u);
  rig.Pass(1);
  EXPECT_EQ(rig.StartAll(), (Ids{2, 3}));
}

TEST(Admission, ARateSpreadsTheStartsOfOneTarget) {
  AdmissionOptions options = AdmissionRig::Limits(100, 100);
  options.target.throttle.rate = 20;
  AdmissionRig rig(options);
  for (TimerId id = 1; id <= 10; ++id) rig.Stage(id, "http://a", 0, 1 + id % 3);
  EXPECT_EQ(rig.StartAll().size(), 2u);
  int wakes = 0;
  while (rig.admission.staged() > 0) {
    rig.PassToNext();
    ++wakes;
    EXPECT_EQ(rig.StartAll().size(), 1u);
  }
  EXPECT_EQ(wakes, 8);
  EXPECT_EQ(rig.now - rig.kStart, 400);
}

TEST(Admission, AReducedLimitHoldsAndGrowsBack) {
  AdmissionRig rig(100, 8);
  for (TimerId id = 1; id <= 30; ++id) rig.Stage(id, "http://a");
  EXPECT_EQ(rig.StartAll().size(), 8u);
  rig.End(1, 503);
  EXPECT_EQ(rig.StartAll(), Ids{});  // seven under way, four allowed
  for (TimerId id = 2; id <= 5; ++id) rig.End(id);
  EXPECT_EQ(rig.StartAll(), (Ids{9, 10}));  // four good answers raised it to five
  EXPECT_EQ(rig.admission.in_flight(), 5u);
}

TEST(Admission, AClockSetBackHoldsNobodyLonger) {
  AdmissionRig rig(10, 10);
  rig.Break("http://dead");
  rig.Stage(1, "http://dead", -kDayMs, 1, 2 * kDayMs);
  rig.Stage(2, "http://busy", -kDayMs);
  ASSERT_EQ(rig.Start(), 2u);
  rig.End(Answered(503, 2, {}, 60'000));
  rig.Stage(3, "http://busy", -kDayMs);
  rig.now = rig.now + -kHourMs;
  rig.admission.ClockWentBack(rig.now);
  EXPECT_EQ(rig.Pass(0), Ids{});
  EXPECT_LE(*rig.admission.NextUnblockAt() - rig.now, 1200);
  rig.PassToNext();
  EXPECT_EQ(rig.StartAll(), Ids{1});
  EXPECT_EQ(*rig.admission.NextUnblockAt() - rig.now,
            kTargetPauseMsMax - (rig.now - (rig.kStart + -kHourMs)));
}

TEST(Admission, WhoLooksANameUpHasNoSlotAndItsTargetWaits) {
  AdmissionRig rig(1, 10);
  rig.Stage(1, "http://a");
  rig.Stage(2, "http://a");
  rig.Stage(3, "http://b");
  ASSERT_EQ(rig.Start(), 1u);
  EXPECT_FALSE(rig.admission.CanStart(rig.now));
  rig.LookUp(1);
  EXPECT_EQ(rig.admission.slots_taken(), 0u);
  EXPECT_EQ(rig.StartAll(), Ids{3});  // of the other target, though it came later
  rig.End(3);
  EXPECT_FALSE(rig.admission.CanStart(rig.now));
  EXPECT_EQ(rig.admission.NextUnblockAt(), std::nullopt);
  EXPECT_EQ(rig.View("http://a").in_flight, 1u);
  EXPECT_TRUE(rig.Connect(1));
  EXPECT_EQ(rig.admission.slots_taken(), 1u);
  EXPECT_EQ(rig.StartAll(), Ids{});  // now it has the only slot
  rig.End(1);
  EXPECT_EQ(rig.StartAll(), Ids{2});
}

TEST(Admission, ALookupThatEndsWithoutAnAddressLetsItsTargetStart) {
  AdmissionRig rig(10, 10);
  for (TimerId id = 1; id <= 3; ++id) rig.Stage(id, "http://a", 0, static_cast<TenantId>(id));
  ASSERT_EQ(rig.Start(), 1u);
  rig.LookUp(1);
  EXPECT_EQ(rig.StartAll(), Ids{});
  rig.Fail(1);
  EXPECT_EQ(rig.StartAll(), (Ids{2, 3}));
  EXPECT_EQ(rig.admission.slots_taken(), 2u);
}

TEST(Admission, WhoHasAnAddressNeedsASlotOfTheWhole) {
  AdmissionRig rig(4, 4);
  for (const char* target : {"http://a", "http://b"}) rig.MakePrompt(target);
  for (TimerId id = 1; id <= 3; ++id) rig.Stage(id, "http://a");
  EXPECT_EQ(rig.StartAll().size(), 3u);
  rig.LookUp(3);
  for (TimerId id = 11; id <= 13; ++id) rig.Stage(id, "http://b");
  EXPECT_EQ(rig.StartAll(), (Ids{11, 12}));
  EXPECT_FALSE(rig.Connect(3));  // none is left
  rig.End(11);
  EXPECT_EQ(rig.StartAll(), Ids{13});
  EXPECT_FALSE(rig.Connect(3));
  rig.End(12);
  EXPECT_TRUE(rig.Connect(3));
  EXPECT_EQ(rig.admission.slots_taken(), 4u);
}

TEST(Admission, ATargetThatAsksForLessMeanwhileHasNoSlotForWhoFindsItsAddress) {
  AdmissionRig rig(100, 4);
  for (TimerId id = 1; id <= 4; ++id) rig.Stage(id, "http://a");
  EXPECT_EQ(rig.StartAll().size(), 4u);
  rig.LookUp(4);
  rig.End(1, 503);
  EXPECT_EQ(rig.View("http://a").limit, 2u);
  EXPECT_FALSE(rig.Connect(4));
  rig.End(Unanswered(OutcomeKind::kLocalFault, 4));
  EXPECT_EQ(rig.admission.in_flight(), 2u);
  EXPECT_EQ(rig.admission.slots_taken(), 2u);
}

TEST(Admission, AProbeThatLooksItsNameUpIsStillTheProbe) {
  AdmissionRig rig(10, 10);
  rig.Break("http://dead");
  for (TimerId id = 1; id <= 4; ++id) rig.Stage(id, "http://dead", 0, 1, kDayMs);
  rig.PassToNext();
  ASSERT_EQ(rig.StartAll(), Ids{1});
  rig.LookUp(1);
  rig.Pass(kMinuteMs);
  EXPECT_EQ(rig.View("http://dead").state, BreakerState::kHalfOpen);
  EXPECT_EQ(rig.StartAll(), Ids{});
  EXPECT_TRUE(rig.Connect(1));
  EXPECT_EQ(rig.StartAll(), Ids{});
  rig.Fail(1);  // it opens again, for longer
  EXPECT_GT(*rig.admission.NextUnblockAt() - rig.now, 1500);
  rig.PassToNext();
  ASSERT_EQ(rig.StartAll(), Ids{2});
  rig.LookUp(2);
  rig.End(Unanswered(OutcomeKind::kLocalFault, 2));  // that said nothing: the next is the probe
  EXPECT_EQ(rig.StartAll(), Ids{3});
  rig.LookUp(3);
  EXPECT_TRUE(rig.Connect(3));
  rig.End(3);
  EXPECT_EQ(rig.View("http://dead").state, BreakerState::kClosed);
  EXPECT_EQ(rig.StartAll(), Ids{4});
}

TEST(Admission, AnOpenTargetWhoseNameIsLookedUpChargesThoseWhoWaitedLongEnough) {
  AdmissionRig rig(10, 10);
  rig.Break("http://dead");
  rig.now = rig.View("http://dead").blocked_until.value();
  rig.Stage(1, "http://dead", rig.now - rig.kStart, 1, 1000);
  ASSERT_EQ(rig.Start(), 1u);
  rig.LookUp(1);
  rig.Stage(2, "http://dead", rig.now - rig.kStart, 1, 3000);
  EXPECT_EQ(rig.admission.NextUnblockAt(), rig.now + 3000);
  EXPECT_EQ(rig.Pass(3000), Ids{2});
  EXPECT_TRUE(rig.Connect(1));
}

TEST(Admission, TargetsAreShownByNameAPageAtATime) {
  AdmissionRig rig(100, 10);
  for (const int host : {5, 3, 1, 4, 2}) {
    rig.Stage(static_cast<TimerId>(host), "http://h" + std::to_string(host));
  }
  rig.Start();
  const TargetPage first = rig.admission.Page("", 2, rig.now);
  ASSERT_EQ(first.targets.size(), 2u);
  EXPECT_EQ(first.targets[1].name, "http://h2");
  EXPECT_TRUE(first.more);
  const TargetPage last = rig.admission.Page("http://h2", 3, rig.now);
  ASSERT_EQ(last.targets.size(), 3u);
  EXPECT_FALSE(last.more);
  EXPECT_EQ(last.targets[2].name, "http://h5");
  EXPECT_EQ(last.targets[2].in_flight, 1u);
  EXPECT_EQ(last.targets[1].staged, 1u);
  EXPECT_EQ(last.targets[1].limit, 10u);
  EXPECT_TRUE(rig.admission.Page("http://h5", 3, rig.now).targets.empty());
  EXPECT_FALSE(rig.admission.Page("http://h5", 3, rig.now).more);
}

}  // namespace
}  // namespace belfry
