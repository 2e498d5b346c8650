#include "daemon/read_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <thread>

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
    return {0, {StatusCode::kUnavailable, "stopping"}, {}};
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
    pool_.Run({token, CountQuery{kLocalTenant, {}}, {}});
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

}  // namespace
}  // namespace belfry
