#include "daemon/read_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/limits.h"

namespace belfry {
namespace {

// Every read takes as long as nobody stops it.
class EndlessStore final : public Store {
 public:
  [[nodiscard]] const StoreState& opened() const override { return state_; }
  [[nodiscard]] Status Apply(std::vector<Op>, std::vector<Completion>*) override { return {}; }
  [[nodiscard]] QueryResult Run(const Query& query) const override {
    ++runs_;
    while (!*query.stop) std::this_thread::yield();
    QueryResult result(query);
    result.status = {StatusCode::kUnavailable, "stopping"};
    return result;
  }
  [[nodiscard]] int runs() const { return runs_; }

 private:
  StoreState state_;
  mutable std::atomic<int> runs_ = 0;
};

class ReadPoolTest : public testing::Test {
 protected:
  ReadPoolTest() { CHECK(uv_loop_init(&loop_) == 0); }
  ~ReadPoolTest() override { CHECK(uv_loop_close(&loop_) == 0); }

  uv_loop_t loop_;
  EndlessStore store_;
  std::map<ReplyToken, StatusCode> answers_;
  ReadPool pool_{&loop_, store_, [this](QueryResult r) { answers_[r.token] = r.status.code(); }};
};

TEST_F(ReadPoolTest, AStopEndsWhatRunsAndDropsWhatWaits) {
  constexpr ReplyToken kReads = 2000;  // more than libuv has threads at most
  for (ReplyToken token = 1; token <= kReads; ++token) {
    CountQuery count{kLocalTenant, {}};
    if (token % 2 == 0) count.filter.due_after = WallMs{1};  // these wait for each other
    pool_.Run({token, count, {}});
  }
  EXPECT_EQ(pool_.outstanding(), kReads);
  pool_.Stop();
  uv_run(&loop_, UV_RUN_DEFAULT);
  EXPECT_EQ(pool_.outstanding(), 0u);
  EXPECT_LT(store_.runs(), static_cast<int>(kReads));
  EXPECT_EQ(answers_.size(), kReads);
  for (const auto& [token, code] : answers_) EXPECT_EQ(code, StatusCode::kUnavailable) << token;
}

TEST_F(ReadPoolTest, AReadAfterTheStopIsAnsweredWithoutLooking) {
  pool_.Stop();
  pool_.Run({7, CountQuery{kLocalTenant, {}}, {}});
  uv_run(&loop_, UV_RUN_DEFAULT);
  EXPECT_EQ(store_.runs(), 0);
  EXPECT_EQ(answers_[7], StatusCode::kUnavailable);
}

// Counts that have to look at every timer take until they are let go.
class SlowScans final : public Store {
 public:
  [[nodiscard]] const StoreState& opened() const override { return state_; }
  [[nodiscard]] Status Apply(std::vector<Op>, std::vector<Completion>*) override { return {}; }
  [[nodiscard]] QueryResult Run(const Query& query) const override {
    QueryResult result(query);
    const auto* count = std::get_if<CountQuery>(&query.what);
    if (count == nullptr) return result;
    result.what = uint64_t{1};
    if (!count->filter.NeedsScan()) return result;
    std::unique_lock lock(mutex_);
    most_ = std::max(most_, ++running_);
    changed_.notify_all();
    changed_.wait(lock, [&] { return let_go_; });
    --running_;
    return result;
  }

  void WaitUntilRunning(int scans) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return running_ == scans; });
  }
  void LetGo() {
    const std::lock_guard lock(mutex_);
    let_go_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] int most() const { return most_; }

 private:
  StoreState state_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable int running_ = 0;
  mutable int most_ = 0;
  bool let_go_ = false;
};

CountQuery Scan() {
  CountQuery count;
  count.filter.due_after = WallMs{1};
  return count;
}

TEST(ReadPoolScans, CountsThatScanLeaveThreadsToTheOthers) {
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  SlowScans store;
  std::vector<ReplyToken> done;
  ReadPool pool(&loop, store, [&](QueryResult result) { done.push_back(result.token); });
  for (ReplyToken token = 1; token <= 8; ++token) pool.Run({token, Scan(), {}});
  pool.Run({100, CountQuery{}, {}});
  pool.Run({101, FindQuery{}, {}});
  while (done.size() < 2) uv_run(&loop, UV_RUN_ONCE);
  std::sort(done.begin(), done.end());
  EXPECT_EQ(done, (std::vector<ReplyToken>{100, 101})) << "while no scan came to its end";
  store.WaitUntilRunning(kCountScansMax);
  EXPECT_EQ(pool.outstanding(), 8u);
  store.LetGo();
  while (pool.outstanding() > 0) uv_run(&loop, UV_RUN_ONCE);
  EXPECT_EQ(done.size(), 10u);
  EXPECT_EQ(store.most(), kCountScansMax);
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

}  // namespace
}  // namespace belfry
