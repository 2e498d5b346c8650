#include "storage/bulk_load.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/limits.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

Timer Make(TimerId id, int64_t due_ms) {
  Timer timer;
  timer.id = id;
  timer.due = timer.next_attempt = WallMs{due_ms};
  timer.created_at = WallMs{1};
  timer.url = "http://r/" + std::to_string(id);
  return timer;
}

// The later the id, the earlier it is due.
constexpr TimerId kCount = 5000;
Timer Numbered(TimerId id) { return Make(id, static_cast<int64_t>(1'000'000 - id)); }

class BulkLoadTest : public testing::Test {
 protected:
  BulkLoadTest() { options_.path = dir_.path() + "/data"; }

  std::unique_ptr<BulkLoad> Begin() {
    auto load = BulkLoad::Begin(options_);
    EXPECT_TRUE(load.ok()) << load.status().message();
    return load.ok() ? std::move(*load) : nullptr;
  }

  TempDir dir_;
  DataDirOptions options_;
};

TEST_F(BulkLoadTest, WhatWasLoadedIsAStoreLikeAnyOther) {
  auto load = Begin();
  for (TimerId id = kCount; id >= 1; --id) ASSERT_TRUE(load->AddRecord(Numbered(id)).ok());
  for (TimerId id = 1; id <= kCount; ++id) ASSERT_TRUE(load->AddEntry(Numbered(id)).ok());
  const Status finished = load->Finish();
  ASSERT_TRUE(finished.ok()) << finished.message();
  load.reset();

  auto data = DataDir::Open(options_);
  ASSERT_TRUE(data.ok()) << data.status().message();
  Ledger& store = (*data)->store();
  EXPECT_EQ(store.opened().last_id, kCount);
  const QueryResult count = store.Run({1, CountQuery{kLocalTenant, {}}, nullptr});
  EXPECT_EQ(std::get<uint64_t>(count.what), kCount);
  const QueryResult found = store.Run({1, FindQuery{kLocalTenant, 77, true}, nullptr});
  EXPECT_EQ(std::get<std::optional<TimerView>>(found.what)->timer->url, "http://r/77");

  std::vector<Op> ops;
  ops.push_back({0, LoadOp{1, JustBelow({store.opened().low, 0}), 10, kLoadBytesMax}});
  std::vector<Completion> done;
  ASSERT_TRUE(store.Apply(std::move(ops), &done).ok());
  ASSERT_EQ(done[0].page.timers.size(), 10u);
  EXPECT_EQ(done[0].page.timers[0]->id, kCount);
  EXPECT_EQ(*done[0].page.timers[9], Numbered(kCount - 9));
  ASSERT_TRUE((*data)->CloseCleanly().ok());
}

TEST_F(BulkLoadTest, AStoreThatHoldsTimersIsRefused) {
  auto load = Begin();
  ASSERT_TRUE(load->AddRecord(Numbered(1)).ok());
  ASSERT_TRUE(load->AddEntry(Numbered(1)).ok());
  ASSERT_TRUE(load->Finish().ok());
  EXPECT_EQ(BulkLoad::Begin(options_).status().code(), StatusCode::kRefused);
}

TEST_F(BulkLoadTest, RecordsOutOfOrderOrWithoutEntriesAreErrors) {
  auto load = Begin();
  ASSERT_TRUE(load->AddRecord(Make(1, 2000)).ok());
  EXPECT_FALSE(load->AddRecord(Make(2, 1000)).ok());
  EXPECT_EQ(load->Finish().code(), StatusCode::kInvalid);
}

TEST_F(BulkLoadTest, GivingUpLeavesNoTablesBehind) {
  auto load = Begin();
  ASSERT_TRUE(load->AddRecord(Numbered(1)).ok());
  load.reset();
  for (const auto& file : std::filesystem::directory_iterator(options_.path)) {
    EXPECT_NE(file.path().extension(), ".sst") << file.path();
  }
}

}  // namespace
}  // namespace belfry
