// What looks at firing without a daemon: the order of filled timers, the drain, the ceiling, and
// the figures as JSON.

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "bench/arrivals.h"
#include "bench/ceiling.h"
#include "bench/fill_order.h"
#include "bench/json_line.h"
#include "bench/receiver.h"

namespace belfry {
namespace {

constexpr WallMs kFirstDue{1'790'000'000'000};

// As fill walks through them: keys ascend, each id comes once, and DueOf agrees.
void ExpectWhole(uint64_t count, int64_t spread_ms) {
  SCOPED_TRACE(std::to_string(count) + " over " + std::to_string(spread_ms));
  const FillOrder order(count, kFirstDue, spread_ms);
  std::set<TimerId> ids;
  Key before{kFirstDue, 0};
  for (uint64_t slot = 0; slot < order.slots(); ++slot) {
    for (TimerId id = order.FirstIdIn(slot); id <= count; id += order.slots()) {
      const Key key{order.DueIn(slot), id};
      ASSERT_TRUE(before < key);
      before = key;
      ASSERT_EQ(order.DueOf(id), order.DueIn(slot));
      ids.insert(id);
    }
  }
  EXPECT_EQ(ids.size(), count);
  EXPECT_EQ(*ids.begin(), 1u);
  EXPECT_EQ(*ids.rbegin(), count);
  EXPECT_LE(before.at, kFirstDue + spread_ms);
}

TEST(FillOrder, EveryIdComesOnceInTheOrderOfKeys) {
  for (const uint64_t count : {1, 2, 3, 10, 97, 1000, 4096}) {
    for (const int64_t spread_ms : {0, 1, 7, 100, 1000, 1'000'000}) ExpectWhole(count, spread_ms);
  }
}

TEST(FillOrder, DueTimesHaveNothingToDoWithIds) {
  const FillOrder order(1000, kFirstDue, 1'000'000);
  int later = 0;
  for (TimerId id = 1; id < 1000; ++id) later += order.DueOf(id) < order.DueOf(id + 1) ? 1 : 0;
  EXPECT_GT(later, 300);
  EXPECT_LT(later, 700);
}

TEST(Arrivals, EachTimerCountsOnceAndNobodyElseAtAll) {
  Arrivals arrivals(3, std::nullopt);
  EXPECT_TRUE(arrivals.Add("/hook/1", 1000));
  EXPECT_TRUE(arrivals.Add("/3", 3000));
  EXPECT_FALSE(arrivals.Add("/hook/1", 4000));
  for (const char* unknown :
       {"/hook/0", "/hook/4", "/hook/", "/hook/1x", "/hook/99999999999999999999"}) {
    EXPECT_FALSE(arrivals.Add(unknown, 5000)) << unknown;
  }
  EXPECT_EQ(arrivals.arrived(), 2u);
  EXPECT_EQ(arrivals.missing(), 1u);
  EXPECT_EQ(arrivals.duplicates(), 1u);
  EXPECT_EQ(arrivals.unknown(), 5u);
  EXPECT_EQ(arrivals.first_wall_ns(), 1000);
  EXPECT_EQ(arrivals.last_wall_ns(), 3000);
  EXPECT_EQ(arrivals.late_ns().count(), 0u);
}

TEST(Arrivals, LatenessIsFromTheDueTimeOfThatTimer) {
  const FillOrder order(10, kFirstDue, 1000);
  Arrivals arrivals(10, order);
  for (TimerId id = 2; id <= 10; ++id) {
    arrivals.Add("/" + std::to_string(id), order.DueOf(id).ms * 1'000'000 + 7);
  }
  EXPECT_EQ(arrivals.late_ns().count(), 9u);
  EXPECT_EQ(arrivals.late_ns().max(), 7);
  EXPECT_EQ(arrivals.early(), 0u);
  arrivals.Add("/1", order.DueOf(1).ms * 1'000'000 - 1);
  EXPECT_EQ(arrivals.early(), 1u);
  EXPECT_EQ(arrivals.late_ns().count(), 9u);
}

class CeilingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto on_request = [this](std::string_view target, int64_t) {
      targets_.insert(std::string(target));
    };
    auto receiver = Receiver::Listen(loop_, *ParseEndpoint("127.0.0.1:0"), on_request);
    ASSERT_TRUE(receiver.ok()) << receiver.status().message();
    receiver_ = std::move(*receiver);
    plan_.url = "http://" + receiver_->address() + "/hook";
  }

  EventLoop loop_;
  std::unique_ptr<Receiver> receiver_;
  std::multiset<std::string> targets_;
  CeilingPlan plan_;
};

TEST_F(CeilingTest, EachNumberIsPostedOnce) {
  plan_.count = 500;
  plan_.in_flight = 8;
  const auto result = std::make_unique<Ceiling>(loop_, plan_)->Run();
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->answered, 500u);
  EXPECT_TRUE(result->failed.empty());
  EXPECT_EQ(result->latency_ns.count(), 500u);
  EXPECT_EQ(targets_.size(), 500u);
  for (int i = 1; i <= 500; ++i) EXPECT_EQ(targets_.count("/hook/" + std::to_string(i)), 1u);
}

TEST_F(CeilingTest, FewerPostsThanMayBeUnderWayAreFine) {
  plan_.count = 3;
  const auto result = std::make_unique<Ceiling>(loop_, plan_)->Run();
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(targets_.size(), 3u);
}

TEST_F(CeilingTest, NobodyListeningIsAFailureOfEachPost) {
  receiver_.reset();
  plan_.count = 5;
  const auto result = std::make_unique<Ceiling>(loop_, plan_)->Run();
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->answered, 0u);
  uint64_t failed = 0;
  for (const auto& [why, count] : result->failed) failed += count;
  EXPECT_EQ(failed, 5u);
}

TEST(JsonLine, MembersKeepTheirOrderAndTextIsQuoted) {
  Histogram ns;
  JsonLine line;
  line.Add("z", uint64_t{7}).Add("a", -1.5).Add("text", std::string_view("a\"b\\c\n"));
  line.Add("counts", {{"200", 3}}).AddSpread("none", ns).Add("infinite", 1.0 / 0.0);
  EXPECT_EQ(line.text(),
            "{\"z\":7,\"a\":-1.5,\"text\":\"a\\\"b\\\\c\\u000a\",\"counts\":{\"200\":3},"
            "\"none\":null,\"infinite\":null}");
}

}  // namespace
}  // namespace belfry
