// Dead letters brought back: one by its id, and by range in steps that a crash does not undo.

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/store_engines.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

class StoreReplay : public OverEngines {
 protected:
  // A timer, due at `due_ms`, that died at `finished_ms` after one attempt.
  void PutDead(TimerId id, int64_t finished_ms, int64_t due_ms = 1000,
               TenantId tenant = kLocalTenant) {
    const Timer timer = PendingTimer(id, due_ms, tenant);
    rig_.Apply(Put(timer), Settle(timer, TimerState::kDead, finished_ms));
  }
  Completion Replay(TimerId id, int64_t now_ms, TenantId tenant = kLocalTenant) {
    return std::move(rig_.Apply(ReplayByIdOp{tenant, id, {now_ms}})[0]);
  }
  Completion Step(uint64_t number, int64_t now_ms) {
    return std::move(rig_.Apply(ReplayStepOp{number, {now_ms}})[0]);
  }
  static ReplayRangeOp Range(uint64_t number, int64_t finished_before_ms) {
    ReplayRangeOp op{number, {}};
    op.range.tenant = kLocalTenant;
    op.range.finished_before = {finished_before_ms};
    return op;
  }
  [[nodiscard]] bool DeadStored(int64_t finished_ms, TimerId id) const {
    return rig_.Stored(Cf::kDead, DeadKey(kLocalTenant, {{finished_ms}, id}));
  }
};
INSTANTIATE_OVER_ENGINES(StoreReplay);

TEST_P(StoreReplay, ADeadTimerIsPendingAgainAndKeepsItsPast) {
  PutDead(1, 2000);
  const Timer before = *rig_.Find(1)->timer;
  const Completion done = Replay(1, 5000);
  EXPECT_EQ(done.result, OpResult::kDone);
  EXPECT_EQ(done.token, 1u);
  EXPECT_EQ(done.id, 1u);
  Timer wanted = before;
  wanted.state = TimerState::kPending;
  wanted.reason = DeadReason::kNone;
  wanted.finished = {};
  wanted.next_attempt = {5000};
  wanted.replayed_at = {5000};
  wanted.attempts_base = before.attempts;
  ASSERT_NE(done.timer, nullptr);
  EXPECT_EQ(*done.timer, wanted);
  EXPECT_EQ(wanted.due.ms, 1000);
  EXPECT_EQ(wanted.history.size(), 1u);
  rig_.Reopen();
  EXPECT_EQ(*rig_.Find(1)->timer, wanted);
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
  EXPECT_FALSE(DeadStored(2000, 1));
  EXPECT_EQ(rig_.CountIn(TimerState::kDead), 0u);
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 1u);
}

TEST_P(StoreReplay, ItIsNeverBroughtBackBeforeItsDue) {
  PutDead(1, 2000, 1500);
  EXPECT_EQ(Replay(1, 700).timer->next_attempt.ms, 1500) << "the clock stepped back";
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
}

TEST_P(StoreReplay, WhatIsNotDeadStaysAsItIs) {
  const Timer delivered = PendingTimer(1, 1000);
  const Timer retrying = PendingTimer(4, 1000);
  rig_.Apply(Put(delivered), Put(PendingTimer(2, 1000)), Put(PendingTimer(3, 1000)), Put(retrying));
  rig_.Apply(Settle(delivered, TimerState::kDelivered, 1100), Erase(2, 1200),
             Retry(retrying, 3000));
  EXPECT_EQ(Replay(1, 2000).result, OpResult::kFired);
  EXPECT_EQ(Replay(2, 2000).result, OpResult::kCancelled);
  const Completion pending = Replay(3, 2000);
  EXPECT_EQ(pending.result, OpResult::kAlive);
  EXPECT_EQ(pending.state, TimerState::kPending);
  EXPECT_EQ(pending.timer, nullptr);
  EXPECT_EQ(Replay(4, 2000).state, TimerState::kRetrying);
  EXPECT_EQ(Replay(5, 2000).result, OpResult::kGone);
  EXPECT_EQ(rig_.LiveIds(), (Ids{3, 4}));
  PutDead(5, 2000, 1000, 9);
  EXPECT_EQ(Replay(5, 2000).result, OpResult::kGone) << "somebody else's";
  PutDead(6, 2000);
  rig_.Apply(FloorOp{kLocalTenant, 6});
  EXPECT_EQ(Replay(6, 2000).result, OpResult::kGone);
  EXPECT_EQ(rig_.Count(), 0u);
}

TEST_P(StoreReplay, EachOpOfAGroupSeesThoseBefore) {
  const Timer timer = PendingTimer(1, 1000);
  auto done = rig_.Apply(
      Put(timer), Settle(timer, TimerState::kDead, 2000), ReplayByIdOp{kLocalTenant, 1, {3000}},
      ReplayByIdOp{kLocalTenant, 1, {3001}}, Erase(1, 3002), ReplayByIdOp{kLocalTenant, 1, {3003}});
  EXPECT_EQ(done[2].result, OpResult::kDone);
  EXPECT_EQ(done[3].result, OpResult::kAlive);
  EXPECT_EQ(done[4].result, OpResult::kCancelled);
  EXPECT_EQ(done[5].result, OpResult::kCancelled);
  EXPECT_EQ(rig_.CountIn(TimerState::kCancelled), 1u);
  EXPECT_EQ(rig_.Count(), 1u);
  EXPECT_FALSE(DeadStored(2000, 1));
}

TEST_P(StoreReplay, RetentionAndReplayAreDecidedByTheirOrder) {
  PutDead(1, 2000);
  PutDead(2, 2000);
  Replay(1, 5000);
  EXPECT_EQ(rig_.Apply(RetainOp{{3000}, {3000}})[0].removed, 1u);
  EXPECT_TRUE(rig_.Find(1)) << "it lives";
  EXPECT_EQ(Replay(2, 5000).result, OpResult::kGone) << "it is forgotten";
  // It dies once more, and counts from then.
  Timer again = *rig_.Find(1)->timer;
  const auto done = rig_.Apply(Settle(again, TimerState::kDead, 6000), RetainOp{{5500}, {5500}});
  EXPECT_EQ(done[1].removed, 0u);
  rig_.Compact();
  EXPECT_EQ(rig_.Find(1)->timer->attempts, 2u);
  const auto later = rig_.Apply(RetainOp{{7000}, {7000}});
  EXPECT_EQ(later[0].removed, 1u);
  EXPECT_EQ(later[0].removed_dead, 1u);
}

TEST_P(StoreReplay, ARangeIsReplayedInStepsOverRestarts) {
  const size_t total = kReplayRowsMax + 5;
  std::vector<Op> group;
  for (TimerId id = 1; id <= total; ++id) {
    const Timer timer = PendingTimer(id, 1000);
    group.push_back({0, Put(timer)});
    group.push_back({0, Settle(timer, TimerState::kDead, 2000 + static_cast<int64_t>(id))});
  }
  rig_.ApplyGroup(std::move(group));
  const auto written = rig_.Apply(Range(3, 9000));
  EXPECT_EQ(written[0].result, OpResult::kDone);
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().replays, (std::vector<uint64_t>{3}));
  Completion step = Step(3, 5000);
  EXPECT_TRUE(step.more);
  ASSERT_EQ(step.page.timers.size(), kReplayRowsMax);
  EXPECT_EQ(*step.page.timers[0], *rig_.Find(1)->timer);
  EXPECT_EQ(step.page.timers[0]->next_attempt.ms, 5000);
  EXPECT_EQ(rig_.CountIn(TimerState::kDead), 5u);
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().replays, (std::vector<uint64_t>{3}));
  step = Step(3, 5050);
  EXPECT_FALSE(step.more);
  EXPECT_EQ(step.page.timers.size(), 5u);
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), total);
  EXPECT_FALSE(Step(3, 5100).more) << "it is over";
  rig_.Reopen();
  EXPECT_TRUE(rig_.store().opened().replays.empty());
  EXPECT_EQ(rig_.LiveIds().size(), total);
  rig_.Compact();
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), total);
}

TEST_P(StoreReplay, OnlyWhatTheRangeNamesComesBack) {
  for (TimerId id = 1; id <= 5; ++id) PutDead(id, 2000 + static_cast<int64_t>(id), 100 * id);
  PutDead(6, 2001, 300, 9);
  PutDead(7, 4000, 300);
  ReplayRangeOp range = Range(1, 4000);
  range.range.due_after = WallMs{100};
  range.range.due_before = WallMs{500};
  rig_.Apply(range);
  const Completion step = Step(1, 5000);
  EXPECT_FALSE(step.more);
  EXPECT_EQ(IdsOf(step.page), (Ids{2, 3, 4}));
  TimerFilter dead;
  dead.state = TimerState::kDead;
  EXPECT_EQ(IdsOf(rig_.List({kLocalTenant, 0, 10, dead})), (Ids{1, 5, 7}));
  EXPECT_EQ(rig_.Count(dead, {}, 9), 1u);
  rig_.Compact();
  EXPECT_TRUE(rig_.Find(1));
  EXPECT_TRUE(rig_.Find(5));
  EXPECT_EQ(rig_.Apply(RetainOp{{2003}, {2003}})[0].removed, 2u) << "1, and 6 of the other tenant";
}

TEST_P(StoreReplay, TheDeadAreCountedByTheirDue) {
  PutDead(1, 2000, 100);
  rig_.Apply(FloorOp{kLocalTenant, 1});
  for (TimerId id = 2; id <= 5; ++id) PutDead(id, 2000, 100 * id);
  rig_.Apply(Put(PendingTimer(6, 300)));
  PutDead(7, 2000, 300, 9);
  TimerFilter filter;
  filter.state = TimerState::kDead;
  filter.due_after = WallMs{0};
  EXPECT_EQ(rig_.Count(filter), 4u);
  filter.due_before = WallMs{400};
  EXPECT_EQ(rig_.Count(filter), 2u);
  Replay(3, 5000);
  EXPECT_EQ(rig_.Count(filter), 1u);
  rig_.Apply(RetainOp{{2001}, {2001}});
  EXPECT_EQ(rig_.Count(filter), 0u);
}

TEST_P(StoreReplay, AFloorEndsTheReplaysOfItsTenant) {
  PutDead(1, 2000);
  PutDead(2, 2000, 1000, 9);
  ReplayRangeOp other = Range(2, 9000);
  other.range.tenant = 9;
  rig_.Apply(Range(1, 9000), other, FloorOp{kLocalTenant, 2});
  EXPECT_TRUE(Step(1, 5000).page.timers.empty());
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().replays, (std::vector<uint64_t>{2}));
  EXPECT_EQ(IdsOf(Step(2, 5000).page), Ids{2});
}

TEST_P(StoreReplay, ATimerThatDiesAgainIsNotReplayedByTheSameRange) {
  PutDead(1, 2000);
  rig_.Apply(Range(1, 3000));
  Completion step = Step(1, 3000);
  Timer again = *step.page.timers[0];
  rig_.Apply(Range(2, 5000), Settle(again, TimerState::kDead, 3500));
  EXPECT_TRUE(Step(1, 4000).page.timers.empty());
  step = Step(2, 4000);
  ASSERT_EQ(step.page.timers.size(), 1u);
  EXPECT_EQ(step.page.timers[0]->attempts_base, 2u);
}

TEST_P(StoreReplay, NumbersRise) {
  rig_.Apply(Range(5, 3000));
  std::vector<Completion> done;
  std::vector<Op> group;
  group.push_back({1, Range(5, 3000)});
  EXPECT_FALSE(rig_.store().Apply(std::move(group), &done).ok());
}

// --- callbacks -----------------------------------------------------------------------------------

SettleOp SettleWith(Timer callback, const Timer& timer) {
  SettleOp op = Settle(timer, TimerState::kDead, 2000);
  op.callback = Own(std::move(callback));
  return op;
}

TEST_P(StoreReplay, ACallbackIsStoredByTheBatchThatSettlesItsCause) {
  const Timer timer = PendingTimer(1, 1000);
  rig_.Apply(Put(timer));
  const uint64_t commit_no = rig_.store().commit_no();
  const auto done = rig_.Apply(SettleWith(PendingTimer(2, 2000), timer));
  EXPECT_EQ(rig_.store().commit_no(), commit_no + 1);
  EXPECT_EQ(done[0].id, 1u);
  EXPECT_EQ(done[0].timer, nullptr);
  ASSERT_NE(done[0].callback, nullptr);
  EXPECT_EQ(*done[0].callback, PendingTimer(2, 2000));
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().last_id, 2u);
  EXPECT_EQ(rig_.LiveIds(), Ids{2});
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kDead), 1u);
}

TEST_P(StoreReplay, NobodyIsCalledForATimerThatIsGone) {
  const Timer timer = PendingTimer(1, 1000);
  rig_.Apply(Put(timer), FloorOp{kLocalTenant, 1});
  const auto done =
      rig_.Apply(SettleWith(PendingTimer(2, 2000), timer), Put(PendingTimer(3, 5000)));
  EXPECT_EQ(done[0].result, OpResult::kGone);
  EXPECT_EQ(done[0].callback, nullptr);
  EXPECT_EQ(rig_.LiveIds(), Ids{3});
  EXPECT_EQ(rig_.Count(), 1u);
}

TEST_P(StoreReplay, ACallbackWithAnIdThatWasGivenOutFailsTheStore) {
  const Timer timer = PendingTimer(1, 1000);
  rig_.Apply(Put(timer), Put(PendingTimer(2, 1000)));
  std::vector<Completion> done;
  std::vector<Op> group;
  group.push_back({1, SettleWith(PendingTimer(2, 2000), timer)});
  EXPECT_FALSE(rig_.store().Apply(std::move(group), &done).ok());
  rig_.Reopen();
  EXPECT_EQ(rig_.LiveIds(), (Ids{1, 2}));
}

}  // namespace
}  // namespace belfry
