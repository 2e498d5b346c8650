// Finding, listing and counting under one snapshot.

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/store_engines.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

class StoreReads : public OverEngines {
 protected:
  // 1 pending due 1000, 2 retrying due 2000, 3 delivered due 3000, 4 dead due 4000, 5 cancelled
  // due 5000, 6 pending due 6000; 7 belongs to another tenant.
  void Fill() {
    for (TimerId id = 1; id <= 6; ++id) {
      rig_.Apply(Put(PendingTimer(id, static_cast<int64_t>(id) * 1000)));
    }
    rig_.Apply(Retry(PendingTimer(2, 2000), 2500),
               Settle(PendingTimer(3, 3000), TimerState::kDelivered, 3100),
               Settle(PendingTimer(4, 4000), TimerState::kDead, 4100), Erase(5, 4500),
               Put(PendingTimer(7, 1500, 9)));
  }
  Ids Listed(std::optional<TimerState> state, Ids firing = {}) {
    ListQuery list;
    list.filter.state = state;
    return IdsOf(rig_.List(list, std::move(firing)));
  }
  void ExpectSameFromMemory(TimerId id) {
    const auto result = rig_.RunFromMemory({id, FindQuery{kLocalTenant, id, false}, {}});
    ASSERT_TRUE(result) << id;
    EXPECT_EQ(result->token, id);
    const auto& view = std::get<std::optional<TimerView>>(result->what);
    const auto wanted = rig_.Find(id, false);
    ASSERT_EQ(view.has_value(), wanted.has_value()) << id;
    if (!view) return;
    EXPECT_EQ(view->state, wanted->state);
    EXPECT_EQ(view->due, wanted->due);
  }
};
INSTANTIATE_OVER_ENGINES(StoreReads);

TEST_P(StoreReads, AShortViewHasNoRecordAndAFullOneHasAll) {
  Timer timer = PendingTimer(1, 5000);
  timer.body = "text";
  rig_.Apply(Put(timer));
  const auto brief = rig_.Find(1, false);
  ASSERT_TRUE(brief);
  EXPECT_EQ(brief->timer, nullptr);
  EXPECT_EQ(brief->due.ms, 5000);
  EXPECT_EQ(brief->state, TimerState::kPending);
  EXPECT_EQ(*rig_.Find(1)->timer, timer);
  EXPECT_FALSE(rig_.Find(2));
}

TEST_P(StoreReads, MemorySaysTheSameAsTheStore) {
  Fill();
  for (TimerId id = 1; id <= 8; ++id) ExpectSameFromMemory(id);
  rig_.Apply(FloorOp{kLocalTenant, 7}, Put(PendingTimer(8, 9000)));
  for (TimerId id = 1; id <= 9; ++id) ExpectSameFromMemory(id);
}

TEST_P(StoreReads, MemoryLeavesAllButShortViewsToTheStore) {
  Fill();
  EXPECT_FALSE(rig_.RunFromMemory({1, FindQuery{kLocalTenant, 1, true}, {}}));
  EXPECT_FALSE(rig_.RunFromMemory({1, ListQuery{kLocalTenant, 0, 10, {}}, {}}));
  EXPECT_FALSE(rig_.RunFromMemory({1, CountQuery{kLocalTenant, {}}, {}}));
}

TEST_P(StoreReads, WhatIsInFlightIsFiring) {
  Fill();
  const auto firing = std::make_shared<const std::vector<TimerId>>(std::vector<TimerId>{2, 3});
  QueryResult result = rig_.Run({1, FindQuery{kLocalTenant, 2, true}, firing});
  auto& view = std::get<std::optional<TimerView>>(result.what);
  EXPECT_EQ(view->state, TimerState::kFiring);
  EXPECT_EQ(view->timer->state, TimerState::kRetrying);
  result = rig_.Run({1, FindQuery{kLocalTenant, 3, false}, firing});
  EXPECT_EQ(std::get<std::optional<TimerView>>(result.what)->state, TimerState::kDelivered);
}

TEST_P(StoreReads, ListsGoById) {
  Fill();
  const TimerPage page = rig_.List({});
  EXPECT_EQ(IdsOf(page), (Ids{1, 2, 3, 4, 5, 6}));
  EXPECT_FALSE(page.next_after);
  for (const TimerView& view : page.timers) {
    ASSERT_NE(view.timer, nullptr);
    EXPECT_EQ(view.timer->id, view.id);
    EXPECT_EQ(view.timer->state, view.state);
  }
}

TEST_P(StoreReads, PagesJoinWithoutGapOrRepeat) {
  Fill();
  TimerPage page = rig_.List({0, 0, 4, {}});
  EXPECT_EQ(IdsOf(page), (Ids{1, 2, 3, 4}));
  EXPECT_EQ(page.next_after, 4u);
  page = rig_.List({0, 4, 4, {}});
  EXPECT_EQ(IdsOf(page), (Ids{5, 6}));
  EXPECT_FALSE(page.next_after);
  page = rig_.List({0, 0, 6, {}});
  EXPECT_EQ(page.timers.size(), 6u);
  EXPECT_FALSE(page.next_after);
  EXPECT_TRUE(rig_.List({0, ~TimerId{0}, 6, {}}).timers.empty());
}

TEST_P(StoreReads, FiltersByStateSeeWhatIsInFlight) {
  Fill();
  EXPECT_EQ(Listed(TimerState::kPending), (Ids{1, 6}));
  EXPECT_EQ(Listed(TimerState::kPending, {1, 3}), Ids{6});
  EXPECT_EQ(Listed(TimerState::kFiring, {1, 2, 3, 7}), (Ids{1, 2}));
  EXPECT_EQ(Listed(TimerState::kRetrying), Ids{2});
  EXPECT_EQ(Listed(TimerState::kDelivered), Ids{3});
  EXPECT_EQ(Listed(TimerState::kDead), Ids{4});
  EXPECT_EQ(Listed(TimerState::kCancelled), Ids{5});
}

TEST_P(StoreReads, FiltersByDueAreExclusive) {
  Fill();
  ListQuery list;
  list.filter.due_after = WallMs{2000};
  list.filter.due_before = WallMs{5000};
  EXPECT_EQ(IdsOf(rig_.List(list)), (Ids{3, 4}));
  EXPECT_EQ(rig_.Count(list.filter), 2u);
  list.filter.state = TimerState::kDead;
  EXPECT_EQ(IdsOf(rig_.List(list)), Ids{4});
  EXPECT_EQ(rig_.Count(list.filter), 1u);
}

TEST_P(StoreReads, CountsAgreeWithLists) {
  Fill();
  for (const Ids& firing : {Ids{}, Ids{1}, Ids{1, 2, 3, 7}}) {
    EXPECT_EQ(rig_.Count({}, firing), 6u);
    for (int i = 1; i <= static_cast<int>(TimerState::kFiring); ++i) {
      const auto state = static_cast<TimerState>(i);
      EXPECT_EQ(rig_.CountIn(state, firing), Listed(state, firing).size()) << StateName(state);
      TimerFilter scanned;
      scanned.state = state;
      scanned.due_after = WallMs{-1};
      EXPECT_EQ(rig_.Count(scanned, firing), Listed(state, firing).size()) << StateName(state);
    }
  }
}

TEST_P(StoreReads, APageExaminesABoundedNumberOfIds) {
  std::vector<Op> group;
  for (TimerId id = 1; id <= kPageExaminedMax + 3; ++id)
    group.push_back({0, Put(PendingTimer(id, 1))});
  rig_.ApplyGroup(std::move(group));
  ListQuery list;
  list.filter.state = TimerState::kDead;
  TimerPage page = rig_.List(list);
  EXPECT_TRUE(page.timers.empty());
  EXPECT_EQ(page.next_after, static_cast<TimerId>(kPageExaminedMax));
  list.after = *page.next_after;
  page = rig_.List(list);
  EXPECT_FALSE(page.next_after);
}

TEST_P(StoreReads, APageEndsEarlyWhenItGrowsTooLarge) {
  std::vector<Op> group;
  for (TimerId id = 1; id <= kPageMax; ++id) {
    Timer timer = PendingTimer(id, 1000);
    timer.url = "http://h/" + std::string(kUrlBytesMax - 10, 'u');
    timer.headers = {{"h", std::string(kHeaderBytesMax, 'v')}};
    timer.body.assign(100, 'b');
    group.push_back({0, Put(timer)});
  }
  rig_.ApplyGroup(std::move(group));
  size_t listed = 0;
  std::optional<TimerId> after = 0;
  while (after) {
    const TimerPage page = rig_.List({0, *after, kPageMax, {}});
    EXPECT_LT(page.timers.size(), static_cast<size_t>(kPageMax));
    EXPECT_FALSE(page.timers.empty());
    EXPECT_TRUE(page.timers[0].timer->body.empty());
    listed += page.timers.size();
    after = page.next_after;
  }
  EXPECT_EQ(listed, static_cast<size_t>(kPageMax));
}

TEST_P(StoreReads, ManyPendingTimersAreGoneWithOneFloor) {
  constexpr TimerId kMany = 20'000;
  std::vector<Op> group;
  for (TimerId id = 1; id <= kMany; ++id) group.push_back({0, Put(PendingTimer(id, 1000))});
  rig_.ApplyGroup(std::move(group));
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), kMany);
  const uint64_t commit_no = rig_.store().commit_no();
  rig_.Apply(FloorOp{kLocalTenant, kMany});
  EXPECT_EQ(rig_.store().commit_no(), commit_no + 1);
  rig_.Reopen();
  EXPECT_EQ(rig_.Count(), 0u);
  EXPECT_TRUE(rig_.LiveIds().empty());
  EXPECT_FALSE(rig_.Find(kMany));
}

}  // namespace
}  // namespace belfry
