// Timers that are due and may not start: where they are, how they are read back, and how they
// leave.

#include <gtest/gtest.h>

#include <functional>

#include "base/limits.h"
#include "tests/support/store_engines.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

constexpr char kA[] = "http://a:1";
constexpr char kB[] = "https://b:2";
constexpr Key kFront{{-1}, 0};

class StoreParked : public OverEngines {
 protected:
  // Timer `id` is due at 1000 * id.
  static Timer Due(TimerId id) { return PendingTimer(id, static_cast<int64_t>(1000 * id)); }
  static Key At(TimerId id) { return KeyOf(Due(id)); }
  // 1..count are set and parked under one target.
  TargetNumber PutParked(TimerId count, const std::string& target = kA) {
    std::vector<Op> ops;
    for (TimerId id = 1; id <= count; ++id) {
      ops.push_back({0, Put(Due(id))});
      ops.push_back({0, Park(Due(id), target)});
    }
    return rig_.ApplyGroup(std::move(ops)).back().target;
  }
  [[nodiscard]] bool IsParked(TargetNumber target, Key key) const {
    return rig_.Stored(Cf::kParked, ParkedKey(target, key));
  }
  [[nodiscard]] bool IsDue(Key key) const { return rig_.Stored(Cf::kDue, TimeKey(key)); }
  [[nodiscard]] std::vector<ParkedTarget> Targets() {
    rig_.Reopen();
    return rig_.store().opened().parked_targets;
  }
};
INSTANTIATE_OVER_ENGINES(StoreParked);

TEST_P(StoreParked, AParkedTimerLeavesThePagesAndIsReadBackAsItWas) {
  rig_.Apply(Put(Due(1)), Put(Due(2)));
  const auto done = rig_.Apply(Park(Due(1), kA));
  EXPECT_EQ(done[0].kind, kOpKind<ParkOp>);
  EXPECT_EQ(done[0].result, OpResult::kDone);
  EXPECT_EQ(done[0].id, 1u);
  EXPECT_EQ(done[0].tenant, kLocalTenant);
  EXPECT_EQ(done[0].timer, nullptr);
  EXPECT_EQ(done[0].target, 1u);
  EXPECT_EQ(done[0].target_name, kA);
  EXPECT_EQ(done[0].parked_at, At(1));
  for (const bool reopened : {false, true}) {
    if (reopened) rig_.Reopen();
    EXPECT_EQ(rig_.LiveIds(), Ids{2});
    const Completion back = rig_.LoadParked(1);
    EXPECT_EQ(back.kind, kOpKind<LoadParkedOp>);
    EXPECT_EQ(back.target, 1u);
    EXPECT_EQ(back.page.generation, 7u);
    ASSERT_EQ(back.page.timers.size(), 1u);
    EXPECT_EQ(*back.page.timers[0], Due(1));
    EXPECT_TRUE(back.page.ended);
    EXPECT_FALSE(back.target_ended);
  }
  EXPECT_FALSE(IsDue(At(1)));
}

TEST_P(StoreParked, ReadsSeeItAsTheyDidBefore) {
  const Timer retried = *Retry(Due(2), 5000).timer;
  rig_.Apply(Put(Due(1)), Put(Due(2)), Retry(Due(2), 5000), Park(Due(1), kA), Park(retried, kA));
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kRetrying), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kPending, {1}), 0u);
  EXPECT_EQ(rig_.CountIn(TimerState::kFiring, {1}), 1u);
  EXPECT_EQ(IdsOf(rig_.List({})), (Ids{1, 2}));
  EXPECT_EQ(rig_.Find(1, false)->state, TimerState::kPending);
  EXPECT_EQ(rig_.Find(2, false)->due.ms, 2000);
  EXPECT_EQ(*rig_.Find(1)->timer, Due(1));
  EXPECT_EQ(*rig_.Find(2)->timer, retried);
  const auto from_memory = rig_.RunFromMemory({1, FindQuery{kLocalTenant, 1, false}, {}});
  ASSERT_TRUE(from_memory);
  EXPECT_EQ(std::get<std::optional<TimerView>>(from_memory->what)->state, TimerState::kPending);
}

TEST_P(StoreParked, EachTargetIsReadBackByItself) {
  rig_.Apply(Put(Due(1)), Put(Due(2)), Put(Due(3)), Put(Due(4)));
  const auto done =
      rig_.Apply(Park(Due(3), kA), Park(Due(2), kB), Park(Due(1), kA), Park(Due(4), kB));
  EXPECT_EQ(done[0].target, done[2].target);
  EXPECT_EQ(done[1].target, done[3].target);
  EXPECT_EQ(rig_.ParkedIds(done[0].target), (Ids{1, 3}));
  EXPECT_EQ(rig_.ParkedIds(done[1].target), (Ids{2, 4}));
  EXPECT_EQ(Targets(), (std::vector<ParkedTarget>{{1, kA, At(1)}, {2, kB, At(2)}}));
}

TEST_P(StoreParked, PagesFollowKeyOrderAndTheirBounds) {
  const TargetNumber target = PutParked(5);
  LoadedPage page = rig_.LoadParked(target, {}, {}, 2).page;
  EXPECT_EQ(IdsOf(page), (Ids{1, 2}));
  EXPECT_EQ(page.last_examined, At(2));
  EXPECT_FALSE(page.ended);
  page = rig_.LoadParked(target, page.last_examined, {}, 100, 1).page;
  EXPECT_EQ(IdsOf(page), Ids{3});
  EXPECT_FALSE(page.ended);
  page = rig_.LoadParked(target, page.last_examined).page;
  EXPECT_EQ(IdsOf(page), (Ids{4, 5}));
  EXPECT_TRUE(page.ended);
  page = rig_.LoadParked(target, page.last_examined).page;
  EXPECT_TRUE(page.timers.empty());
  EXPECT_TRUE(page.ended);
  EXPECT_EQ(page.last_examined, At(5));
  EXPECT_EQ(IdsOf(rig_.LoadParked(target, kFront).page).size(), 5u);
  EXPECT_TRUE(rig_.LoadParked(target, kKeyMax).page.ended);
}

TEST_P(StoreParked, ALoadSeesTheOpsBeforeItAndNoneAfter) {
  const auto done = rig_.Apply(Put(Due(1)), Put(Due(2)), Park(Due(1), kA),
                               LoadParkedOp{1, 9, {}, {}, 10, 1 << 20}, Park(Due(2), kA));
  EXPECT_EQ(done[3].page.generation, 9u);
  EXPECT_EQ(IdsOf(done[3].page), Ids{1});
  EXPECT_EQ(rig_.ParkedIds(1), (Ids{1, 2}));
}

TEST_P(StoreParked, OutcomesFindItAndTellWhereItWas) {
  const TargetNumber target = PutParked(4);
  const auto done = rig_.Apply(Settle(Due(1), TimerState::kDelivered, 9000), Retry(Due(2), 9500),
                               Erase(3, 9000), Erase(2, 9000), Erase(1, 9000));
  EXPECT_EQ(done[0].result, OpResult::kDone);
  EXPECT_EQ(done[0].target, target);
  EXPECT_NE(done[0].ended, nullptr);
  EXPECT_EQ(done[1].target, target);
  ASSERT_NE(done[1].timer, nullptr);
  EXPECT_EQ(done[1].timer->next_attempt.ms, 9500);
  EXPECT_EQ(done[2].result, OpResult::kCancelled);
  EXPECT_EQ(done[2].target, target);
  EXPECT_EQ(done[3].result, OpResult::kCancelled);  // from `due`
  EXPECT_EQ(done[3].target, 0u);
  EXPECT_EQ(done[4].result, OpResult::kFired);
  EXPECT_EQ(rig_.ParkedIds(target), Ids{4});
  EXPECT_TRUE(rig_.LiveIds().empty());
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kRetrying), 0u);
  EXPECT_EQ(rig_.CountIn(TimerState::kDelivered), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kCancelled), 2u);
  EXPECT_EQ(rig_.Find(3)->timer->finished.ms, 9000);
}

TEST_P(StoreParked, ARetryBringsItBackAlsoAtTheSameTime) {
  const TargetNumber target = PutParked(2);
  rig_.Apply(MarkOp{{5000}, {0}});
  rig_.Apply(RetryOp{At(1), Own(Due(1))}, Retry(Due(2), 8000));
  EXPECT_EQ(rig_.LiveIds(), (Ids{1, 2}));
  EXPECT_FALSE(IsParked(target, At(1)));
  EXPECT_FALSE(IsParked(target, At(2)));
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().low, At(1).at);
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kRetrying), 1u);
  rig_.Apply(Settle(Due(1), TimerState::kDelivered, 9000));
  EXPECT_EQ(rig_.LiveIds(), Ids{2});
}

TEST_P(StoreParked, ItMayBeParkedAgainElsewhere) {
  PutParked(3);
  Timer later = Due(1);
  later.next_attempt = {7000};
  Timer earlier = Due(2);
  earlier.next_attempt = {500};
  Timer noted = Due(3);
  noted.history.push_back({{3000}, 0, 1, "local"});
  rig_.Apply(ParkOp{At(1), Own(later), kA}, ParkOp{At(2), Own(earlier), kB},
             ParkOp{At(3), Own(noted), kA});
  EXPECT_EQ(rig_.ParkedIds(1), (Ids{3, 1}));
  EXPECT_EQ(rig_.ParkedIds(2), Ids{2});
  EXPECT_FALSE(IsParked(1, At(1)));
  EXPECT_FALSE(IsParked(1, At(2)));
  EXPECT_EQ(rig_.Find(3)->timer->history.size(), 1u);
  EXPECT_EQ(rig_.Find(1)->timer->next_attempt.ms, 7000);
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 3u);
  EXPECT_EQ(rig_.Apply(Erase(1, 9000), Erase(2, 9000), Erase(3, 9000))[2].target, 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kCancelled), 3u);
}

TEST_P(StoreParked, WhatIsGoneIsNotParkedAndMakesNoTarget) {
  rig_.Apply(Put(Due(1)), FloorOp{kLocalTenant, 1}, Put(PendingTimer(2, 2000, 9)));
  const auto done = rig_.Apply(Park(Due(1), kA), Park(Due(2), kA), Park(Due(3), kA));
  for (const Completion& c : done) {
    EXPECT_EQ(c.result, OpResult::kGone);
    EXPECT_EQ(c.timer, nullptr);
    EXPECT_EQ(c.target, 0u);
  }
  EXPECT_TRUE(Targets().empty());
}

TEST_P(StoreParked, AParkThatBreaksTheRulesFailsTheStoreForGood) {
  const std::vector<std::function<ParkOp()>> wrong = {
      [] {
        return ParkOp{{{999}, 1}, Own(Due(1)), kA};
      },
      [] {  // parked since
        Timer moved = Due(2);
        moved.next_attempt = {2500};
        return Park(std::move(moved), kA);
      },
      [] { return Park(*Settle(Due(1), TimerState::kDelivered, 9000).timer, kA); },
      [] { return Park(Due(3), kA); },  // delivered
  };
  for (const auto& make : wrong) {
    StoreRig rig(MakeEngine(GetParam()));
    rig.Apply(Put(Due(1)), Put(Due(2)), Park(Due(2), kA), Put(Due(3)),
              Settle(Due(3), TimerState::kDelivered, 4000));
    std::vector<Op> group;
    group.push_back({1, make()});
    std::vector<Completion> done;
    EXPECT_FALSE(rig.store().Apply(std::move(group), &done).ok());
    EXPECT_TRUE(done.empty());
    EXPECT_FALSE(rig.store().Apply({}, &done).ok());
    rig.Reopen();
    EXPECT_EQ(rig.LiveIds(), Ids{1});
    EXPECT_EQ(rig.ParkedIds(1), Ids{2});
  }
}

TEST_P(StoreParked, PagesSkipWhatIsBelowTheFloor) {
  rig_.Apply(Put(PendingTimer(1, 1000, 9)), Put(Due(2)), Put(Due(3)));
  rig_.Apply(Park(PendingTimer(1, 1000, 9), kA), Park(Due(2), kA), Park(Due(3), kA));
  rig_.Apply(FloorOp{kLocalTenant, 3}, Put(Due(4)), Park(Due(4), kA));
  LoadedPage page = rig_.LoadParked(1, {}, {}, 2).page;
  EXPECT_EQ(IdsOf(page), Ids{1});
  EXPECT_EQ(page.last_examined, At(2));
  EXPECT_FALSE(page.ended);
  EXPECT_EQ(rig_.ParkedIds(1), (Ids{1, 4}));
  EXPECT_EQ(rig_.Apply(Settle(Due(2), TimerState::kDelivered, 9000))[0].result, OpResult::kGone);
  EXPECT_EQ(rig_.Count(), 1u);
  EXPECT_FALSE(rig_.Find(2));
}

TEST_P(StoreParked, CompactionRemovesOnlyWhatIsBelowTheFloor) {
  PutParked(2);
  rig_.Apply(Put(PendingTimer(3, 1000, 9)), Park(PendingTimer(3, 1000, 9), kA),
             FloorOp{kLocalTenant, 3}, Put(Due(4)), Park(Due(4), kA));
  rig_.Compact();
  EXPECT_FALSE(IsParked(1, At(1)));
  EXPECT_FALSE(IsParked(1, At(2)));
  EXPECT_TRUE(IsParked(1, {{1000}, 3}));
  EXPECT_TRUE(IsParked(1, At(4)));
}

TEST_P(StoreParked, TheLowOfATargetIsRaisedWithTheNextCommitAndLoweredByAPark) {
  const TargetNumber target = PutParked(4);
  rig_.Apply(Settle(Due(1), TimerState::kDelivered, 9000),
             Settle(Due(2), TimerState::kDelivered, 9000), Put(Due(5)));
  const uint64_t commits = rig_.store().commit_no();
  EXPECT_EQ(IdsOf(rig_.LoadParked(target, {}, At(3)).page), (Ids{3, 4}));
  EXPECT_EQ(rig_.store().commit_no(), commits);
  EXPECT_EQ(Targets()[0].low, At(1));
  EXPECT_EQ(IdsOf(rig_.LoadParked(target, {}, At(3)).page), (Ids{3, 4}));
  rig_.Apply(Put(Due(6)));
  EXPECT_EQ(Targets()[0].low, At(3));
  rig_.LoadParked(target, {}, At(2));  // lower than it is
  rig_.Apply(Put(Due(7)));
  EXPECT_EQ(Targets()[0].low, At(3));
  Timer early = Due(6);
  early.next_attempt = {500};
  rig_.Apply(ParkOp{At(6), Own(early), kA});
  EXPECT_EQ(Targets()[0].low, KeyOf(early));
  EXPECT_EQ(rig_.ParkedIds(target), (Ids{6, 3, 4}));
}

TEST_P(StoreParked, NothingBelowTheLowIsRead) {
  const TargetNumber target = PutParked(3);
  EXPECT_EQ(IdsOf(rig_.LoadParked(target, {}, At(2)).page), (Ids{2, 3}));
  EXPECT_EQ(rig_.ParkedIds(target), (Ids{2, 3}));
  EXPECT_EQ(IdsOf(rig_.LoadParked(target, At(2)).page), Ids{3});
}

TEST_P(StoreParked, ATargetEndsWhenNothingOfItIsLeftAndItsNumberIsNeverUsedAgain) {
  const TargetNumber target = PutParked(2);
  rig_.Apply(Settle(Due(1), TimerState::kDelivered, 9000), Erase(2, 9000));
  // From behind its low it is not known.
  EXPECT_FALSE(rig_.LoadParked(target, At(1)).target_ended);
  EXPECT_EQ(Targets().size(), 1u);
  Completion last = rig_.LoadParked(target);
  EXPECT_EQ(last.result, OpResult::kDone);
  EXPECT_TRUE(last.target_ended);
  EXPECT_TRUE(last.page.ended);
  last = rig_.LoadParked(target);
  EXPECT_EQ(last.result, OpResult::kGone);
  EXPECT_FALSE(last.target_ended);
  EXPECT_TRUE(last.page.ended);
  EXPECT_TRUE(Targets().empty());
  EXPECT_EQ(rig_.LoadParked(target).result, OpResult::kGone);
  rig_.Apply(Put(Due(3)), Put(Due(4)));
  EXPECT_EQ(rig_.Apply(Park(Due(3), kA))[0].target, target + 1);
  EXPECT_EQ(rig_.ParkedIds(target + 1), Ids{3});
  EXPECT_EQ(rig_.Apply(Park(Due(4), kB))[0].target, target + 2);
}

TEST_P(StoreParked, AParkInTheGroupOfTheEndBeginsANewNumber) {
  const TargetNumber target = PutParked(1);
  rig_.Apply(Put(Due(2)));
  const auto done = rig_.Apply(Settle(Due(1), TimerState::kDelivered, 9000),
                               LoadParkedOp{target, 0, {}, At(1), 10, 1 << 20}, Park(Due(2), kA));
  EXPECT_TRUE(done[1].target_ended);
  EXPECT_EQ(done[2].target, target + 1);
  EXPECT_EQ(Targets(), (std::vector<ParkedTarget>{{target + 1, kA, At(2)}}));
  EXPECT_EQ(rig_.ParkedIds(target + 1), Ids{2});
}

TEST_P(StoreParked, RowsBelowFloorsDoNotKeepATargetFromEnding) {
  rig_.Apply(Put(PendingTimer(1, 1000, 9)));  // so that files are not thrown away
  rig_.Apply(Put(Due(2)), Put(Due(3)), Put(Due(4)));
  rig_.Apply(Park(Due(2), kA), Park(Due(3), kA), Park(Due(4), kA), FloorOp{kLocalTenant, 4});
  EXPECT_TRUE(IsParked(1, At(4)));
  Completion page = rig_.LoadParked(1, {}, {}, 2);
  EXPECT_TRUE(page.page.timers.empty());
  EXPECT_FALSE(page.page.ended);
  EXPECT_FALSE(page.target_ended);
  const Key behind = JustAbove(page.page.last_examined);
  page = rig_.LoadParked(1, {}, behind, 2);
  EXPECT_TRUE(page.target_ended);
}

TEST_P(StoreParked, ParkedTargetsAreBounded) {
  std::vector<Op> ops;
  const auto name = [](TimerId id) { return "http://h" + std::to_string(id) + ":1"; };
  for (TimerId id = 1; id <= kParkedTargetsMax + 1; ++id) {
    ops.push_back({0, Put(Due(id))});
    ops.push_back({0, Park(Due(id), name(id))});
  }
  auto done = rig_.ApplyGroup(std::move(ops));
  EXPECT_EQ(done[2 * kParkedTargetsMax - 1].target, kParkedTargetsMax);
  const Completion& refused = done.back();
  EXPECT_EQ(refused.result, OpResult::kRefused);
  EXPECT_EQ(refused.target, 0u);
  ASSERT_NE(refused.timer, nullptr);
  EXPECT_EQ(*refused.timer, Due(kParkedTargetsMax + 1));
  EXPECT_EQ(rig_.LiveIds(), Ids{kParkedTargetsMax + 1});
  EXPECT_EQ(rig_.Apply(Park(*refused.timer, name(1)))[0].target, 1u);
  EXPECT_EQ(Targets().size(), kParkedTargetsMax);
}

TEST_P(StoreParked, ANameThatIsTooLongIsRefused) {
  rig_.Apply(Put(Due(1)), Put(Due(2)));
  const std::string longest(kTargetNameBytesMax, 'h');
  const auto done = rig_.Apply(Park(Due(1), longest + "h"), Park(Due(2), longest),
                               PauseOp{longest + "h", true}, PauseOp{longest, true});
  EXPECT_EQ(done[0].result, OpResult::kRefused);
  EXPECT_EQ(done[1].result, OpResult::kDone);
  EXPECT_EQ(done[2].result, OpResult::kRefused);
  EXPECT_EQ(done[3].result, OpResult::kDone);
  EXPECT_EQ(Targets()[0].name, longest);
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
}

class StorePaused : public StoreParked {};
INSTANTIATE_OVER_ENGINES(StorePaused);

TEST_P(StorePaused, TheSwitchesAreThereAfterReopening) {
  EXPECT_FALSE(rig_.store().opened().paused_all);
  const auto done = rig_.Apply(PauseOp{kB, true}, PauseOp{"", true}, PauseOp{kA, true});
  EXPECT_EQ(done[0].kind, kOpKind<PauseOp>);
  EXPECT_EQ(done[0].target_name, kB);
  EXPECT_TRUE(done[0].paused);
  EXPECT_EQ(done[1].target_name, "");
  rig_.Reopen();
  EXPECT_TRUE(rig_.store().opened().paused_all);
  EXPECT_EQ(rig_.store().opened().paused_targets, (std::vector<std::string>{kA, kB}));
  const auto resumed = rig_.Apply(PauseOp{"", false}, PauseOp{kA, false});
  EXPECT_FALSE(resumed[1].paused);
  rig_.Reopen();
  EXPECT_FALSE(rig_.store().opened().paused_all);
  EXPECT_EQ(rig_.store().opened().paused_targets, std::vector<std::string>{kB});
}

TEST_P(StorePaused, ASwitchThatIsSoAlreadyWritesNothing) {
  rig_.Apply(PauseOp{kA, true}, PauseOp{"", true});
  const uint64_t commits = rig_.store().commit_no();
  for (const Completion& c : rig_.Apply(PauseOp{kA, true}, PauseOp{kB, false}, PauseOp{"", true})) {
    EXPECT_EQ(c.result, OpResult::kDone);
  }
  EXPECT_EQ(rig_.store().commit_no(), commits);
}

TEST_P(StorePaused, TheLastOneOfAGroupCounts) {
  rig_.Apply(PauseOp{kA, true}, PauseOp{kA, false}, PauseOp{kB, true}, PauseOp{"", true},
             PauseOp{"", false});
  rig_.Reopen();
  EXPECT_FALSE(rig_.store().opened().paused_all);
  EXPECT_EQ(rig_.store().opened().paused_targets, std::vector<std::string>{kB});
}

TEST_P(StorePaused, PausedTargetsAreBounded) {
  std::vector<Op> ops;
  for (size_t i = 0; i < kPausedTargetsMax; ++i)
    ops.push_back({0, PauseOp{std::to_string(i), true}});
  ops.push_back({0, PauseOp{kA, true}});
  ops.push_back({0, PauseOp{"", true}});
  ops.push_back({0, PauseOp{"0", false}});
  ops.push_back({0, PauseOp{kA, true}});
  const auto done = rig_.ApplyGroup(std::move(ops));
  EXPECT_EQ(done[kPausedTargetsMax - 1].result, OpResult::kDone);
  EXPECT_EQ(done[kPausedTargetsMax].result, OpResult::kRefused);
  EXPECT_EQ(done[kPausedTargetsMax + 1].result, OpResult::kDone);
  EXPECT_EQ(done[kPausedTargetsMax + 3].result, OpResult::kDone);
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().paused_targets.size(), kPausedTargetsMax);
}

}  // namespace
}  // namespace belfry
