// What a read looks at, and when it ends early.

#include <gtest/gtest.h>

#include <atomic>

#include "base/limits.h"
#include "storage/reads.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_watched_kv.h"

namespace belfry {
namespace {

class StoreReadCost : public testing::Test {
 protected:
  void PutTimers(TimerId count) {
    auto ledger = Ledger::Open(std::make_unique<MemoryKv>(disk_), kTestStoreId);
    std::vector<Op> group;
    for (TimerId id = 1; id <= count; ++id) group.push_back({0, Put(PendingTimer(id, 1000))});
    std::vector<Completion> done;
    ASSERT_TRUE((*ledger)->Apply(std::move(group), &done).ok());
  }
  // A count that cannot be answered from the figures.
  static Query Scanning() {
    TimerFilter filter;
    filter.due_after = WallMs{0};
    return {1, CountQuery{kLocalTenant, filter}, {}};
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

TEST_F(StoreReadCost, TheFloorIsReadOnceHoweverManyAreInFlight) {
  PutTimers(100);
  WatchedKv kv(disk_);
  int floors = 0;
  kv.watch.get = [&](Cf cf, std::string_view key) {
    floors += cf == Cf::kMeta && key == MetaKey(MetaKind::kFloor, kLocalTenant);
  };
  Query query{1, CountQuery{kLocalTenant, {TimerState::kFiring, {}, {}}}, {}};
  std::vector<TimerId> firing;
  for (TimerId id = 1; id <= 100; ++id) firing.push_back(id);
  query.firing = std::make_shared<const std::vector<TimerId>>(std::move(firing));
  const QueryResult result = Answer(kv, query);
  ASSERT_TRUE(result.status.ok()) << result.status.message();
  EXPECT_EQ(std::get<uint64_t>(result.what), 100u);
  EXPECT_EQ(floors, 1);
}

TEST_F(StoreReadCost, AListBeginsBehindWhatRetentionForgot) {
  constexpr TimerId kForgotten = kRetentionRowsMax + 10;
  PutTimers(kForgotten + 5);
  WatchedKv kv(disk_);  // only the one opened last may write
  auto ledger = std::move(*Ledger::Open(std::make_unique<MemoryKv>(disk_), kTestStoreId));
  const auto settle = [&](TimerId from, TimerId to) {
    std::vector<Op> group;
    for (TimerId id = from; id <= to; ++id) {
      group.push_back({0, Settle(PendingTimer(id, 1000), TimerState::kDelivered, 2000)});
    }
    group.push_back({0, RetainOp{{3000}, {3000}}});
    group.push_back({0, RetainOp{{3000}, {3000}}});
    std::vector<Completion> done;
    ASSERT_TRUE(ledger->Apply(std::move(group), &done).ok());
  };
  std::string lower;
  kv.watch.scan = [&](Cf cf, std::string_view from) {
    if (cf == Cf::kIds) lower = from;
  };
  settle(3, kForgotten);
  EXPECT_EQ(std::get<uint64_t>(Answer(kv, Scanning()).what), 7u);
  EXPECT_EQ(lower, std::string(IdKey(kLocalTenant, 1)));  // it is still there
  ledger = std::move(*Ledger::Open(std::make_unique<MemoryKv>(disk_), kTestStoreId));
  settle(1, 2);
  EXPECT_EQ(std::get<uint64_t>(Answer(kv, Scanning()).what), 5u);
  EXPECT_EQ(lower, std::string(IdKey(kLocalTenant, kForgotten + 1)));
}

TEST_F(StoreReadCost, AScanThatIsToldToStopEndsSoon) {
  constexpr TimerId kMany = 10 * kStopCheckRows;
  PutTimers(kMany);
  WatchedKv kv(disk_);
  std::atomic<bool> stop = false;
  int rows = 0;
  kv.watch.row = [&](Cf) { stop = ++rows >= 10; };
  Query query = Scanning();
  query.stop = &stop;
  const QueryResult result = Answer(kv, query);
  EXPECT_EQ(result.status.code(), StatusCode::kUnavailable);
  EXPECT_LE(rows, 10 + kStopCheckRows);
}

TEST_F(StoreReadCost, AScanThatNobodyStopsGoesToTheEnd) {
  constexpr TimerId kMany = 2 * kStopCheckRows + 1;
  PutTimers(kMany);
  const WatchedKv kv(disk_);
  EXPECT_EQ(std::get<uint64_t>(Answer(kv, Scanning()).what), kMany);
}

}  // namespace
}  // namespace belfry
