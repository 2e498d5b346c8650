// Idempotency keys: the first answer again, and never a second timer.

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/store_engines.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

class StoreOnce : public OverEngines {
 protected:
  static PutOp PutWith(TimerId id, const std::string& key, const std::string& body,
                       int64_t created_ms = 1000, TenantId tenant = kLocalTenant) {
    Timer timer = PendingTimer(id, created_ms + 5000, tenant);
    timer.created_at = {created_ms};
    return {Own(timer), key, body};
  }
};
INSTANTIATE_OVER_ENGINES(StoreOnce);

TEST_P(StoreOnce, ARepeatGetsTheFirstIdAndStoresNothing) {
  const auto first = rig_.Apply(PutWith(1, "k", "body"));
  EXPECT_EQ(first[0].result, OpResult::kDone);
  rig_.Reopen();
  const auto again = rig_.Apply(PutWith(2, "k", "body", 2000));
  EXPECT_EQ(again[0].result, OpResult::kReplayed);
  EXPECT_EQ(again[0].first_id, 1u);
  EXPECT_EQ(again[0].id, 2u);
  EXPECT_EQ(again[0].timer, nullptr);
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
  EXPECT_EQ(rig_.Count(), 1u);
}

TEST_P(StoreOnce, ARepeatInTheSameGroupIsSeen) {
  const auto done =
      rig_.Apply(PutWith(1, "k", "body"), PutWith(2, "k", "body"), PutWith(3, "k", "other"));
  EXPECT_EQ(done[1].result, OpResult::kReplayed);
  EXPECT_EQ(done[1].first_id, 1u);
  EXPECT_EQ(done[2].result, OpResult::kMismatch);
  EXPECT_EQ(done[2].timer, nullptr);
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
}

TEST_P(StoreOnce, KeysBelongToTheirTenant) {
  const auto done = rig_.Apply(PutWith(1, "k", "a", 1000, 1), PutWith(2, "k", "b", 1000, 2));
  EXPECT_EQ(done[1].result, OpResult::kDone);
  EXPECT_EQ(rig_.LiveIds(), (Ids{1, 2}));
}

TEST_P(StoreOnce, ARepeatIsAnsweredAfterTheTimerEndedOrIsGone) {
  rig_.Apply(PutWith(1, "k", "body"), Erase(1, 1500), FloorOp{kLocalTenant, 1});
  const auto again = rig_.Apply(PutWith(2, "k", "body", 2000));
  EXPECT_EQ(again[0].result, OpResult::kReplayed);
  EXPECT_EQ(again[0].first_id, 1u);
}

TEST_P(StoreOnce, AKeyPastItsTimeMakesANewTimer) {
  rig_.Apply(PutWith(1, "k", "body", 1000));
  const int64_t last_ms = 1000 + kIdempotencyKeepMs - 1;
  EXPECT_EQ(rig_.Apply(PutWith(2, "k", "body", last_ms))[0].result, OpResult::kReplayed);
  EXPECT_EQ(rig_.Apply(PutWith(2, "k", "other", last_ms + 1))[0].result, OpResult::kDone);
  EXPECT_EQ(rig_.Apply(PutWith(3, "k", "other", last_ms + 2))[0].first_id, 2u);
  // Forgetting the first use must not take the second one along.
  rig_.Apply(RetainOp{{0}, {last_ms + 3}});
  EXPECT_EQ(rig_.Apply(PutWith(3, "k", "other", last_ms + 4))[0].first_id, 2u);
}

TEST_P(StoreOnce, AClockThatSteppedBackStillFindsTheKey) {
  rig_.Apply(PutWith(1, "k", "body", 9'000'000'000));
  EXPECT_EQ(rig_.Apply(PutWith(2, "k", "body", 1000))[0].result, OpResult::kReplayed);
}

TEST_P(StoreOnce, KeysAreForgottenAfterTheirTime) {
  rig_.Apply(PutWith(1, "old", "b", 1000), PutWith(2, "young", "b", 5000));
  rig_.Apply(RetainOp{{0}, {1000 + kIdempotencyKeepMs + 1}});
  EXPECT_FALSE(rig_.Stored(Cf::kOnce, OnceKey(kLocalTenant, "old")));
  EXPECT_FALSE(rig_.Stored(Cf::kOnce, OnceTimeKey({1000}, kLocalTenant, "old")));
  EXPECT_TRUE(rig_.Stored(Cf::kOnce, OnceKey(kLocalTenant, "young")));
  EXPECT_TRUE(rig_.Stored(Cf::kOnce, OnceTimeKey({5000}, kLocalTenant, "young")));
  EXPECT_EQ(rig_.LiveIds(), (Ids{1, 2}));
}

TEST_P(StoreOnce, AKeyMadeBehindTheSweepIsForgottenToo) {
  rig_.Apply(PutWith(1, "a", "b", 9000));
  rig_.Apply(RetainOp{{0}, {9001 + kIdempotencyKeepMs}});
  rig_.Apply(PutWith(2, "back", "b", 2000));
  rig_.Reopen();
  rig_.Apply(RetainOp{{0}, {9002 + kIdempotencyKeepMs}});
  EXPECT_FALSE(rig_.Stored(Cf::kOnce, OnceKey(kLocalTenant, "back")));
}

TEST_P(StoreOnce, AStepForgetsABoundedNumber) {
  std::vector<Op> group;
  const size_t total = kRetentionRowsMax + 10;
  for (TimerId id = 1; id <= total; ++id) {
    group.push_back({0, PutWith(id, "key" + std::to_string(id), "", 1000)});
  }
  rig_.ApplyGroup(std::move(group));
  const RetainOp retain{{0}, {2000 + kIdempotencyKeepMs}};
  for (int step = 0; step < 2; ++step) {
    // Keys pile up if only forgotten timers call for the next step.
    EXPECT_EQ(rig_.Apply(RetainOp(retain))[0].more, step == 0);
    size_t left = 0;
    for (TimerId id = 1; id <= total; ++id) {
      left += rig_.Stored(Cf::kOnce, OnceKey(kLocalTenant, "key" + std::to_string(id)));
    }
    EXPECT_EQ(left, step == 0 ? 10u : 0u);
  }
}

}  // namespace
}  // namespace belfry
