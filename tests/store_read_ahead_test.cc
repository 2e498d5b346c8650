// A group's ids are read at once before its ops run. What an op is told must be what it would have
// read itself at its turn.

#include <gtest/gtest.h>

#include "storage/keys.h"
#include "tests/support/store_engines.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_watched_kv.h"

namespace belfry {
namespace {

class StoreReadAhead : public OverEngines {};
INSTANTIATE_OVER_ENGINES(StoreReadAhead);

TEST_P(StoreReadAhead, AnOpSeesTheOpsBeforeItInItsGroup) {
  const Timer one = PendingTimer(1, 1000);
  const Timer two = PendingTimer(2, 1000);
  rig_.Apply(Put(one), Put(two));
  Timer later = two;
  later.next_attempt = {5000};
  later.state = TimerState::kRetrying;
  later.attempts = 1;
  const auto done =
      rig_.Apply(Settle(one, TimerState::kDelivered, 1100), Erase(1, 1200), Retry(two, 5000),
                 Settle(later, TimerState::kDelivered, 5100), Erase(2, 5200));
  EXPECT_EQ(done[1].result, OpResult::kFired);
  EXPECT_EQ(done[3].result, OpResult::kDone);
  EXPECT_EQ(done[4].result, OpResult::kFired);
}

TEST_P(StoreReadAhead, AnOpSeesWhatWasCommittedBetweenTheRunsOfItsGroup) {
  rig_.Apply(Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 1000)), Put(PendingTimer(3, 1000)));
  const auto done =
      rig_.Apply(Erase(1, 1100), Settle(PendingTimer(2, 1000), TimerState::kDelivered, 1100),
                 LoadOp{0, {}, 10, 1 << 20}, Erase(1, 1200), Erase(2, 1200), Erase(3, 1200));
  EXPECT_EQ(IdsOf(done[2].page), (std::vector<TimerId>{3}));
  EXPECT_EQ(done[3].result, OpResult::kCancelled);
  EXPECT_EQ(done[4].result, OpResult::kFired);
  EXPECT_EQ(done[5].result, OpResult::kCancelled);
  EXPECT_EQ(rig_.CountIn(TimerState::kCancelled), 2u);
}

TEST_P(StoreReadAhead, AFloorInTheGroupTakesWhatWasReadBeforeIt) {
  rig_.Apply(Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 1000)));
  const auto done =
      rig_.Apply(FloorOp{kLocalTenant, 2}, Settle(PendingTimer(1, 1000), TimerState::kDelivered, 9),
                 Erase(2, 1300));
  EXPECT_EQ(done[1].result, OpResult::kGone);
  EXPECT_EQ(done[2].result, OpResult::kGone);
}

TEST_P(StoreReadAhead, ManyOfOneGroupAreEachToldTheirOwn) {
  constexpr TimerId kTimers = 300;  // more than an engine reads at once
  std::vector<Op> puts;
  std::vector<Op> ends;
  for (TimerId id = 1; id <= kTimers; ++id) {
    const auto due_ms = static_cast<int64_t>(1000 + id);
    if (id % 7 != 0) puts.push_back(Op{0, Put(PendingTimer(id, due_ms))});
    // Backwards, and every fifth twice.
    const TimerId from_end = kTimers + 1 - id;
    ends.push_back(Op{0, Erase(from_end, 2000)});
    if (id % 5 == 0) ends.push_back(Op{0, Erase(from_end, 2001)});
  }
  rig_.ApplyGroup(std::move(puts));
  for (const Completion& done : rig_.ApplyGroup(std::move(ends))) {
    EXPECT_EQ(done.result, done.id % 7 == 0 ? OpResult::kGone : OpResult::kCancelled) << done.id;
  }
  EXPECT_TRUE(rig_.LiveIds().empty());
}

TEST(StoreReadAheadErrors, ADamagedEntryFailsTheOpThatAsksForItAndNoOther) {
  const auto disk = std::make_shared<MemoryDisk>();
  auto kv = std::make_unique<WatchedKv>(disk);
  WatchedKv& watched = *kv;
  auto ledger = Ledger::Open(std::move(kv), kTestStoreId);
  ASSERT_TRUE(ledger.ok());
  const auto apply = [&ledger](auto... ops) {
    std::vector<Op> group;
    (group.push_back(Op{1, std::move(ops)}), ...);
    std::vector<Completion> done;
    return (*ledger)->Apply(std::move(group), &done);
  };
  ASSERT_TRUE(apply(Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 1000))).ok());
  watched.watch.damaged = [](Cf cf, std::string_view key) {
    return cf == Cf::kIds && key == std::string_view(IdKey(kLocalTenant, 1));
  };
  // Below the floor nobody asks.
  EXPECT_TRUE(apply(FloorOp{kLocalTenant, 2}, Erase(1, 1100), Erase(2, 1100)).ok());
  ASSERT_TRUE(apply(Put(PendingTimer(3, 1000)), Put(PendingTimer(4, 1000))).ok());
  watched.watch.damaged = [](Cf cf, std::string_view key) {
    return cf == Cf::kIds && key == std::string_view(IdKey(kLocalTenant, 4));
  };
  EXPECT_EQ(apply(Erase(3, 1100), Erase(4, 1100)).code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace belfry
