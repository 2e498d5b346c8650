// Forgetting what ended long ago, in bounded steps, and nothing else.

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/store_engines.h"

namespace belfry {
namespace {

class StoreRetention : public OverEngines {
 protected:
  // A timer that was set and ended at `finished_ms`.
  void PutEnded(TimerId id, TimerState state, int64_t finished_ms, TenantId tenant = kLocalTenant) {
    const Timer timer = PendingTimer(id, 1000, tenant);
    rig_.Apply(Put(timer), Settle(timer, state, finished_ms));
  }
  size_t Retain(int64_t before_ms) {
    const auto done = rig_.Apply(RetainOp{{before_ms}, {before_ms}});
    more_ = done[0].more;
    return done[0].removed;
  }
  [[nodiscard]] bool DoneStored(int64_t finished_ms, TimerId id) const {
    return rig_.Stored(Cf::kDone, TimeKey({{finished_ms}, id}));
  }

  bool more_ = false;  // the last step said that another one is due
};
INSTANTIATE_OVER_ENGINES(StoreRetention);

TEST_P(StoreRetention, WhatEndedBeforeIsForgottenAndWhatEndedLaterIsNot) {
  PutEnded(1, TimerState::kDelivered, 2000);
  PutEnded(2, TimerState::kDead, 2000);
  PutEnded(3, TimerState::kDelivered, 3000);
  PutEnded(4, TimerState::kDead, 3000);
  rig_.Apply(Put(PendingTimer(5, 9000)), Put(PendingTimer(6, 9000)), Erase(6, 2500));
  EXPECT_EQ(Retain(3000), 3u);
  EXPECT_FALSE(rig_.Find(1));
  EXPECT_FALSE(rig_.Find(2));
  EXPECT_TRUE(rig_.Find(3));
  EXPECT_TRUE(rig_.Find(4));
  EXPECT_TRUE(rig_.Find(5));
  EXPECT_FALSE(rig_.Find(6));
  EXPECT_EQ(rig_.Count(), 3u);
  EXPECT_EQ(rig_.CountIn(TimerState::kDelivered), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kDead), 1u);
  EXPECT_EQ(rig_.CountIn(TimerState::kCancelled), 0u);
  EXPECT_EQ(Retain(3000), 0u);
  rig_.Reopen();
  EXPECT_EQ(rig_.Count(), 3u);
}

TEST_P(StoreRetention, TheRecordsGoWithCompaction) {
  PutEnded(1, TimerState::kDelivered, 2000);
  PutEnded(2, TimerState::kDelivered, 4000);
  PutEnded(3, TimerState::kDead, 2000);
  PutEnded(4, TimerState::kDead, 4000);
  Retain(3000);
  rig_.Compact();
  EXPECT_FALSE(DoneStored(2000, 1));
  EXPECT_TRUE(DoneStored(4000, 2));
  EXPECT_FALSE(rig_.Stored(Cf::kDead, DeadKey(kLocalTenant, {{2000}, 3})));
  EXPECT_TRUE(rig_.Stored(Cf::kDead, DeadKey(kLocalTenant, {{4000}, 4})));
}

TEST_P(StoreRetention, EachTenantsDeadAreSwept) {
  PutEnded(1, TimerState::kDead, 2000, 5);
  PutEnded(2, TimerState::kDead, 2000, 6);
  PutEnded(3, TimerState::kDead, 4000, 6);
  EXPECT_EQ(Retain(3000), 2u);
  EXPECT_EQ(rig_.Count({}, {}, 5), 0u);
  EXPECT_EQ(rig_.Count({}, {}, 6), 1u);
  rig_.Compact();
  EXPECT_TRUE(rig_.Find(3, true, 6));
}

TEST_P(StoreRetention, AStepIsBoundedAndTheNextOneGoesOn) {
  std::vector<Op> group;
  const size_t total = kRetentionRowsMax + 5;
  for (TimerId id = 1; id <= total; ++id) {
    const Timer timer = PendingTimer(id, 1000);
    group.push_back({0, Put(timer)});
    group.push_back({0, Settle(timer, TimerState::kDelivered, 2000)});
  }
  rig_.ApplyGroup(std::move(group));
  EXPECT_EQ(Retain(3000), kRetentionRowsMax);
  EXPECT_TRUE(more_);
  EXPECT_EQ(rig_.Count(), 5u);
  rig_.Reopen();
  EXPECT_EQ(Retain(3000), 5u);
  EXPECT_FALSE(more_);
  EXPECT_EQ(rig_.Count(), 0u);
}

TEST_P(StoreRetention, WhatIsLeftIsListedFromTheFront) {
  PutEnded(1, TimerState::kDelivered, 2000);
  PutEnded(2, TimerState::kDelivered, 4000);
  PutEnded(3, TimerState::kDelivered, 2000);
  rig_.Apply(Put(PendingTimer(4, 9000)));
  using Ids = std::vector<TimerId>;
  EXPECT_EQ(Retain(3000), 2u);
  EXPECT_EQ(IdsOf(rig_.List({kLocalTenant, 0, 10, {}})), (Ids{2, 4}));
  rig_.Reopen();
  EXPECT_EQ(IdsOf(rig_.List({kLocalTenant, 0, 10, {}})), (Ids{2, 4}));
  EXPECT_EQ(Retain(5000), 1u);
  rig_.Apply(Put(PendingTimer(5, 9000)));
  EXPECT_EQ(IdsOf(rig_.List({kLocalTenant, 0, 10, {}})), (Ids{4, 5}));
  rig_.Apply(Erase(4, 5500));
  EXPECT_EQ(Retain(6000), 1u);
  rig_.Reopen();
  EXPECT_EQ(IdsOf(rig_.List({kLocalTenant, 0, 10, {}})), (Ids{5}));
  EXPECT_EQ(rig_.Count(), 1u);
}

TEST_P(StoreRetention, WhatIsBelowTheFloorIsNotCountedAgain) {
  PutEnded(1, TimerState::kDelivered, 2000);
  PutEnded(2, TimerState::kDead, 2000);
  rig_.Apply(FloorOp{kLocalTenant, 2});
  PutEnded(3, TimerState::kDelivered, 2500);
  EXPECT_EQ(Retain(3000), 1u);
  EXPECT_EQ(rig_.Count(), 0u);
}

TEST_P(StoreRetention, ATimerThatEndsBehindTheCursorIsKeptAndSweptLater) {
  PutEnded(1, TimerState::kDelivered, 8000);
  PutEnded(2, TimerState::kDead, 8000);
  EXPECT_EQ(Retain(9000), 2u);
  // The clock stepped back.
  PutEnded(3, TimerState::kDelivered, 5000);
  PutEnded(4, TimerState::kDead, 5000);
  rig_.Compact();
  EXPECT_TRUE(rig_.Find(3));
  rig_.Reopen();
  rig_.Compact();
  EXPECT_TRUE(rig_.Find(3));
  EXPECT_TRUE(rig_.Find(4));
  EXPECT_EQ(rig_.Count(), 2u);
  EXPECT_EQ(Retain(9000), 2u);
  EXPECT_EQ(rig_.Count(), 0u);
}

TEST_P(StoreRetention, RetainingNothingWritesNothing) {
  rig_.Apply(Put(PendingTimer(1, 1000)));
  const uint64_t commit_no = rig_.store().commit_no();
  EXPECT_EQ(Retain(3000), 0u);
  EXPECT_EQ(rig_.store().commit_no(), commit_no);
}

}  // namespace
}  // namespace belfry
