// What every Store does, whatever is below it: one suite, run over each engine.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/support/store_engines.h"
#include "tests/support/store_rig.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

class StoreContract : public OverEngines {};
INSTANTIATE_OVER_ENGINES(StoreContract);

TEST_P(StoreContract, ANewStoreHasItsIdAndNothingElse) {
  const StoreState& state = rig_.store().opened();
  EXPECT_EQ(state.store_id, kTestStoreId);
  EXPECT_EQ(state.last_id, 0u);
  EXPECT_EQ(state.low.ms, 0);
  EXPECT_TRUE(state.floors.empty());
  EXPECT_EQ(rig_.Count(), 0u);
  EXPECT_TRUE(rig_.Load().ended);
}

TEST_P(StoreContract, APutComesBackAsItWasAndIsThereAfterReopening) {
  const Timer timer = PendingTimer(1, 5000);
  const auto done = rig_.Apply(Put(timer));
  EXPECT_EQ(done[0].kind, kOpKind<PutOp>);
  EXPECT_EQ(done[0].token, 1u);
  EXPECT_EQ(done[0].id, 1u);
  EXPECT_EQ(done[0].tenant, kLocalTenant);
  EXPECT_EQ(done[0].result, OpResult::kDone);
  ASSERT_NE(done[0].timer, nullptr);
  EXPECT_EQ(*done[0].timer, timer);
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().last_id, 1u);
  const auto found = rig_.Find(1);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found->timer, timer);
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
}

TEST_P(StoreContract, CompletionsComeInTheOrderOfTheOps) {
  std::vector<Op> group;
  for (TimerId id = 1; id <= 20; ++id) group.push_back({100 + id, Put(PendingTimer(id, 1000))});
  group.push_back({7, LoadOp{3, {}, 5, 1 << 20}});
  group.push_back({8, Put(PendingTimer(21, 1))});
  const auto done = rig_.ApplyGroup(std::move(group));
  for (TimerId id = 1; id <= 20; ++id) EXPECT_EQ(done[id - 1].token, 100 + id);
  EXPECT_EQ(done[20].token, 7u);
  EXPECT_EQ(done[21].token, 8u);
}

TEST_P(StoreContract, ALoadSeesTheOpsBeforeItAndNoneAfter) {
  const auto done = rig_.Apply(Put(PendingTimer(1, 2000)), LoadOp{9, {}, 10, 1 << 20},
                               Put(PendingTimer(2, 1000)));
  EXPECT_EQ(done[1].page.generation, 9u);
  EXPECT_EQ(IdsOf(done[1].page), Ids{1});
  EXPECT_TRUE(done[1].page.ended);
  EXPECT_EQ(rig_.LiveIds(), (Ids{2, 1}));
}

TEST_P(StoreContract, APagePassesOverRowsOfTheTargetsItIsToLeave) {
  for (TimerId id = 1; id <= 9; ++id) {
    Timer timer = PendingTimer(id, static_cast<int64_t>(1000 * id));
    const char* const hosts[] = {"http://a/x", "http://b:1/x", "http://b/x?y"};
    timer.url = hosts[id % 3];
    rig_.Apply(Put(timer));
  }
  LoadOp load{1, {}, 100, 1 << 20};
  load.leave = std::make_shared<const std::vector<std::string>>(
      std::vector<std::string>{"http://b", "http://c"});
  LoadedPage page = std::move(rig_.Apply(load)[0].page);
  EXPECT_EQ(IdsOf(page), (Ids{1, 3, 4, 6, 7, 9}));
  EXPECT_TRUE(page.ended);
  ASSERT_EQ(page.left.size(), 1u);
  EXPECT_EQ(page.left[0].target, "http://b");
  EXPECT_EQ(page.left[0].first, (Key{{2000}, 2}));
  EXPECT_EQ(page.left[0].last, (Key{{8000}, 8}));
  // Those that are left take no room of the page.
  load.rows_max = 1;
  load.after = {{1000}, 1};
  page = std::move(rig_.Apply(load)[0].page);
  EXPECT_EQ(IdsOf(page), Ids{3});
  EXPECT_EQ(page.last_examined, (Key{{3000}, 3}));
  EXPECT_EQ(page.left[0].last, (Key{{2000}, 2}));
}

TEST_P(StoreContract, APageEndsWhenItHasPassedOverVeryMany) {
  std::vector<Op> group;
  for (TimerId id = 1; id <= kLeftRowsMax + 10; ++id)
    group.push_back({0, Put(PendingTimer(id, 1000))});
  rig_.ApplyGroup(std::move(group));
  LoadOp load{1, {}, 100, 1 << 20};
  load.leave = std::make_shared<const std::vector<std::string>>(
      std::vector<std::string>{std::string(TargetOf(PendingTimer(1, 1000)))});
  LoadedPage page = std::move(rig_.Apply(load)[0].page);
  EXPECT_TRUE(page.timers.empty());
  EXPECT_FALSE(page.ended);
  EXPECT_EQ(page.last_examined, (Key{{1000}, kLeftRowsMax}));
  load.after = page.last_examined;
  page = std::move(rig_.Apply(load)[0].page);
  EXPECT_TRUE(page.ended);
  EXPECT_EQ(page.left[0].first, (Key{{1000}, kLeftRowsMax + 1}));
}

TEST_P(StoreContract, PagesFollowKeyOrderAndTiesFollowTheId) {
  rig_.Apply(Put(PendingTimer(1, 3000)), Put(PendingTimer(2, 1000)), Put(PendingTimer(3, 1000)),
             Put(PendingTimer(4, 2000)));
  LoadedPage page = rig_.Load({}, 3);
  EXPECT_EQ(IdsOf(page), (Ids{2, 3, 4}));
  EXPECT_EQ(page.last_examined, (Key{{2000}, 4}));
  EXPECT_FALSE(page.ended);
  page = rig_.Load(page.last_examined, 3);
  EXPECT_EQ(IdsOf(page), Ids{1});
  EXPECT_TRUE(page.ended);
  page = rig_.Load({{3000}, 1}, 3);
  EXPECT_TRUE(page.timers.empty());
  EXPECT_TRUE(page.ended);
  EXPECT_EQ(page.last_examined, (Key{{3000}, 1}));
}

TEST_P(StoreContract, APageEndsAtItsBytesButExaminesAtLeastOneRow) {
  Timer big = PendingTimer(1, 1000);
  big.body.assign(10'000, 'x');
  rig_.Apply(Put(big), Put(PendingTimer(2, 2000)), Put(PendingTimer(3, 3000)));
  LoadedPage page = rig_.Load({}, 100, 500);
  EXPECT_EQ(IdsOf(page), Ids{1});
  EXPECT_FALSE(page.ended);
  page = rig_.Load(page.last_examined, 100, 500);
  EXPECT_EQ(IdsOf(page), (Ids{2, 3}));
  EXPECT_TRUE(page.ended);
}

TEST_P(StoreContract, LoadTakesAnyKeyAsItsStart) {
  rig_.Apply(Put(PendingTimer(1, 0)), Put(PendingTimer(2, kWallMax.ms)));
  EXPECT_EQ(IdsOf(rig_.Load(JustBelow({{0}, 0}))), (Ids{1, 2}));
  EXPECT_EQ(IdsOf(rig_.Load({{0}, ~TimerId{0}})), Ids{2});
  EXPECT_TRUE(rig_.Load(kKeyMax).ended);
  EXPECT_EQ(rig_.Load(kKeyMax).last_examined, kKeyMax);
}

TEST_P(StoreContract, ASettledTimerLeavesDueAndKeepsItsRecord) {
  const Timer timer = PendingTimer(1, 1000);
  rig_.Apply(Put(timer), Put(PendingTimer(2, 1000)));
  const auto done = rig_.Apply(Settle(timer, TimerState::kDelivered, 1500),
                               Settle(PendingTimer(2, 1000), TimerState::kDead, 1600));
  EXPECT_EQ(done[0].result, OpResult::kDone);
  EXPECT_EQ(done[0].timer, nullptr);
  EXPECT_TRUE(rig_.LiveIds().empty());
  rig_.Reopen();
  const auto fired = rig_.Find(1);
  ASSERT_TRUE(fired);
  EXPECT_EQ(fired->state, TimerState::kDelivered);
  EXPECT_EQ(fired->due.ms, 1000);
  EXPECT_EQ(fired->timer->finished.ms, 1500);
  EXPECT_EQ(fired->timer->history.size(), 1u);
  EXPECT_EQ(rig_.Find(2)->timer->reason, DeadReason::kExhausted);
  EXPECT_EQ(rig_.CountIn(TimerState::kDelivered), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kDead), 1u);
  EXPECT_EQ(rig_.Count(), 2u);
}

TEST_P(StoreContract, ARetryMovesTheTimerAndBringsItsRecordBack) {
  const Timer timer = PendingTimer(1, 1000);
  rig_.Apply(Put(timer));
  RetryOp retry = Retry(timer, 6000);
  const Timer moved = *retry.timer;
  const auto done = rig_.Apply(std::move(retry));
  ASSERT_NE(done[0].timer, nullptr);
  EXPECT_EQ(*done[0].timer, moved);
  rig_.Reopen();
  const LoadedPage page = rig_.Load();
  ASSERT_EQ(page.timers.size(), 1u);
  EXPECT_EQ(*page.timers[0], moved);
  EXPECT_EQ(rig_.Find(1, false)->state, TimerState::kRetrying);
  EXPECT_EQ(rig_.Find(1, false)->due.ms, 1000);
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 0u);
  EXPECT_EQ(rig_.CountIn(TimerState::kRetrying), 1u);
}

TEST_P(StoreContract, AnUnchargedAttemptMayLeaveTheTimerWhereItIs) {
  Timer timer = PendingTimer(1, 1000);
  rig_.Apply(Put(timer));
  timer.history.push_back({{1000}, 0, 5, "interrupted"});
  rig_.Apply(RetryOp{KeyOf(timer), Own(timer)});
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
  EXPECT_EQ(rig_.Find(1)->timer->history.size(), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 1u);
}

TEST_P(StoreContract, EraseAnswersWhatTheTimerIs) {
  rig_.Apply(Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 1000)), Put(PendingTimer(3, 1000)),
             Settle(PendingTimer(2, 1000), TimerState::kDelivered, 1100),
             Settle(PendingTimer(3, 1000), TimerState::kDead, 1100));
  const auto done =
      rig_.Apply(Erase(1, 900), Erase(1, 950), Erase(2, 900), Erase(3, 900), Erase(4, 900));
  EXPECT_EQ(done[0].result, OpResult::kCancelled);
  EXPECT_EQ(done[1].result, OpResult::kCancelled);
  EXPECT_EQ(done[2].result, OpResult::kFired);
  EXPECT_EQ(done[3].result, OpResult::kDead);
  EXPECT_EQ(done[4].result, OpResult::kGone);
  for (const Completion& c : done) EXPECT_EQ(c.timer, nullptr);
  EXPECT_TRUE(rig_.LiveIds().empty());
  const auto cancelled = rig_.Find(1);
  ASSERT_TRUE(cancelled);
  EXPECT_EQ(cancelled->state, TimerState::kCancelled);
  EXPECT_EQ(cancelled->timer->finished.ms, 900);
  EXPECT_EQ(rig_.CountIn(TimerState::kCancelled), 1u);
}

TEST_P(StoreContract, EraseSeesTheWritesOfItsOwnGroup) {
  const Timer timer = PendingTimer(1, 1000);
  auto done = rig_.Apply(Put(timer), Erase(1, 500));
  EXPECT_EQ(done[1].result, OpResult::kCancelled);
  EXPECT_TRUE(rig_.LiveIds().empty());
  const Timer second = PendingTimer(2, 1000);
  done = rig_.Apply(Put(second), Retry(second, 7000), Erase(2, 1500));
  EXPECT_EQ(done[2].result, OpResult::kCancelled);
  EXPECT_TRUE(rig_.LiveIds().empty());
  EXPECT_EQ(rig_.Find(2)->timer->attempts, 1u);
  const Timer third = PendingTimer(3, 1000);
  done = rig_.Apply(Put(third), Settle(third, TimerState::kDelivered, 1200), Erase(3, 1500));
  EXPECT_EQ(done[2].result, OpResult::kFired);
}

TEST_P(StoreContract, AnotherTenantsTimerDoesNotExist) {
  rig_.Apply(Put(PendingTimer(1, 1000, 5)));
  EXPECT_EQ(rig_.Apply(Erase(1, 900, 6))[0].result, OpResult::kGone);
  EXPECT_FALSE(rig_.Find(1, true, 6));
  EXPECT_TRUE(rig_.Find(1, true, 5));
  EXPECT_EQ(rig_.Count({}, {}, 6), 0u);
  EXPECT_EQ(rig_.Count({}, {}, 5), 1u);
  EXPECT_TRUE(rig_.List({6, 0, 10, {}}).timers.empty());
}

TEST_P(StoreContract, AFloorEndsAllTimersOfTheTenantAtOnce) {
  const Timer mine = PendingTimer(1, 1000);
  rig_.Apply(Put(mine), Put(PendingTimer(2, 1000, 9)), FloorOp{kLocalTenant, 2},
             Put(PendingTimer(3, 1000)));
  EXPECT_EQ(rig_.LiveIds(), (Ids{2, 3}));
  EXPECT_EQ(rig_.Count(), 1u);
  EXPECT_EQ(rig_.Count({}, {}, 9), 1u);
  EXPECT_FALSE(rig_.Find(1));
  EXPECT_FALSE(rig_.Find(1, false));
  EXPECT_EQ(IdsOf(rig_.List({})), Ids{3});
  rig_.Reopen();
  const std::vector<std::pair<TenantId, TimerId>> floors{{kLocalTenant, 2}};
  EXPECT_EQ(rig_.store().opened().floors, floors);
  EXPECT_EQ(rig_.LiveIds(), (Ids{2, 3}));
}

TEST_P(StoreContract, LateOpsBelowTheFloorAreGoneAndCountNothing) {
  const Timer one = PendingTimer(1, 1000);
  const Timer two = PendingTimer(2, 1000);
  const Timer three = PendingTimer(3, 1000);
  rig_.Apply(Put(one), Put(two), Put(three), FloorOp{kLocalTenant, 3});
  const auto done =
      rig_.Apply(Settle(one, TimerState::kDelivered, 1100), Retry(two, 9000), Erase(3, 1100));
  for (const Completion& c : done) {
    EXPECT_EQ(c.result, OpResult::kGone);
    EXPECT_EQ(c.timer, nullptr);
  }
  EXPECT_EQ(rig_.Count(), 0u);
  for (int state = 1; state <= kStoredStates; ++state) {
    EXPECT_EQ(rig_.CountIn(static_cast<TimerState>(state)), 0u);
  }
  EXPECT_TRUE(rig_.LiveIds().empty());
}

TEST_P(StoreContract, AFloorRaisesTheIdCounter) {
  rig_.Apply(FloorOp{kLocalTenant, 41});
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().last_id, 41u);
}

TEST_P(StoreContract, RowsBelowTheFloorCountAsExamined) {
  constexpr TimerId kLast = 100;
  const auto key = [](TimerId id) { return Key{{static_cast<int64_t>(1000 + id)}, id}; };
  // Another tenant's: while anything is left, rows below a floor are not thrown away by file.
  rig_.Apply(Put(PendingTimer(1, 4000, kLocalTenant + 1)));
  for (TimerId id = 2; id <= kLast; ++id) rig_.Apply(Put(PendingTimer(id, key(id).at.ms)));
  rig_.Apply(FloorOp{kLocalTenant, kLast}, Put(PendingTimer(kLast + 1, 5000)));
  for (TimerId id = 2; id <= kLast; ++id) ASSERT_TRUE(rig_.Stored(Cf::kDue, TimeKey(key(id))));
  LoadedPage page = rig_.Load({}, 4);
  EXPECT_TRUE(page.timers.empty());
  EXPECT_FALSE(page.ended);
  EXPECT_EQ(page.last_examined, key(5));
  page = rig_.Load(page.last_examined, 1000);
  EXPECT_EQ(IdsOf(page), (Ids{1, kLast + 1}));
  EXPECT_TRUE(page.ended);
}

TEST_P(StoreContract, CompactionRemovesOnlyWhatIsBelowTheFloor) {
  const Timer ended = PendingTimer(2, 1000);
  rig_.Apply(Put(PendingTimer(1, 1000)), Put(ended), Settle(ended, TimerState::kDelivered, 1100),
             Put(PendingTimer(3, 1000, 9)), FloorOp{kLocalTenant, 3}, Put(PendingTimer(4, 1000)));
  rig_.Compact();
  EXPECT_FALSE(rig_.Stored(Cf::kIds, IdKey(kLocalTenant, 1)));
  EXPECT_FALSE(rig_.Stored(Cf::kDue, TimeKey({{1000}, 1})));
  EXPECT_FALSE(rig_.Stored(Cf::kDone, TimeKey({{1100}, 2})));
  EXPECT_TRUE(rig_.Stored(Cf::kDue, TimeKey({{1000}, 3})));
  EXPECT_TRUE(rig_.Stored(Cf::kDue, TimeKey({{1000}, 4})));
}

TEST_P(StoreContract, TheWatermarkIsLoweredByAPutBelowIt) {
  rig_.Apply(Put(PendingTimer(1, 5000)), MarkOp{{4000}, {0}}, Put(PendingTimer(2, 3000)));
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().low.ms, 3000);
  EXPECT_EQ(rig_.LiveIds(), (Ids{2, 1}));
  rig_.Apply(MarkOp{{2000}, {0}});
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().low.ms, 3000);
}

TEST_P(StoreContract, TheWatermarkIsLoweredByARetryBelowIt) {
  const Timer timer = PendingTimer(1, 5000);
  rig_.Apply(Put(timer), MarkOp{{5000}, {0}});
  rig_.Apply(Retry(timer, 2000));
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().low.ms, 2000);
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
}

TEST_P(StoreContract, LoadNeverReadsBelowTheWatermark) {
  rig_.Apply(Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 5000)), MarkOp{{2000}, {0}});
  EXPECT_EQ(rig_.LiveIds(), Ids{2});
}

TEST_P(StoreContract, LastSeenIsKeptAsGiven) {
  rig_.Apply(MarkOp{{0}, {7000}});
  rig_.Apply(MarkOp{{0}, {6000}}, MarkOp{{0}, {0}});
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().last_seen.ms, 6000);
}

TEST_P(StoreContract, AnOpThatBreaksTheRulesFailsTheStoreForGood) {
  const Timer timer = PendingTimer(1, 1000);
  const std::vector<std::function<Op()>> wrong = {
      [&] {
        return Op{1, Put(timer)};
      },
      [&] {
        SettleOp op = Settle(timer, TimerState::kDelivered, 1100);
        op.key.at = {999};
        return Op{1, std::move(op)};
      },
      [&] {
        RetryOp op = Retry(timer, 4000);
        op.old_key.at = {999};
        return Op{1, std::move(op)};
      },
      [&] {
        return Op{1, FloorOp{kLocalTenant, 0}};
      },
      [&] {
        return Op{1, Put(PendingTimer(2, -1))};
      },
  };
  for (const auto& make : wrong) {
    StoreRig rig(MakeEngine(GetParam()));
    rig.Apply(Put(timer));
    std::vector<Completion> done;
    std::vector<Op> group;
    group.push_back({1, Put(PendingTimer(2, 1000))});
    group.push_back(make());
    if (std::holds_alternative<PutOp>(group[1].what)) group.erase(group.begin());
    EXPECT_FALSE(rig.store().Apply(std::move(group), &done).ok());
    EXPECT_TRUE(done.empty());
    EXPECT_FALSE(rig.store().Apply({}, &done).ok());
    rig.Reopen();
    EXPECT_EQ(rig.LiveIds(), Ids{1});
  }
}

TEST_P(StoreContract, EveryGroupRaisesTheCommitNumberByOne) {
  const uint64_t start = rig_.store().commit_no();
  rig_.Apply(Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 1000)));
  EXPECT_EQ(rig_.store().commit_no(), start + 1);
  rig_.Load();
  EXPECT_EQ(rig_.store().commit_no(), start + 1);
  rig_.Reopen();
  EXPECT_EQ(rig_.store().commit_no(), start + 1);
  ASSERT_TRUE(rig_.store().RaisePast(500, 90).ok());
  EXPECT_EQ(rig_.store().opened().last_id, 500u);
  rig_.Reopen();
  EXPECT_EQ(rig_.store().commit_no(), 91u);
  EXPECT_EQ(rig_.store().opened().last_id, 500u);
}

}  // namespace
}  // namespace belfry
