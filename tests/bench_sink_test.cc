// What the sink says of a burst of webhooks.

#include <gtest/gtest.h>

#include "bench/sink.h"

namespace belfry {
namespace {

constexpr int64_t kDueMs = 1'700'000'000'000;

int64_t AfterDue(int64_t ms) { return (kDueMs + ms) * 1'000'000; }

TEST(BurstArrivals, CountsFromTheDueTimeWhateverTheOrder) {
  BurstArrivals arrivals({.expected = 3, .due_ms = kDueMs, .limit_ms = 0});
  arrivals.Add("/hook/2", AfterDue(20));
  arrivals.Add("/hook/1", AfterDue(10));
  EXPECT_FALSE(arrivals.all_came());
  EXPECT_EQ(arrivals.missing(), 1u);
  arrivals.Add("/hook/3", AfterDue(15));
  EXPECT_TRUE(arrivals.clean());
  EXPECT_EQ(arrivals.first_ns(), 10'000'000);
  EXPECT_EQ(arrivals.last_ns(), 20'000'000);
  EXPECT_EQ(arrivals.late_ns().max(), 20'000'000);
}

TEST(BurstArrivals, ASecondOneOfTheSamePathIsADuplicateAndNotLate) {
  BurstArrivals arrivals({.expected = 1, .due_ms = kDueMs, .limit_ms = 0});
  arrivals.Add("/hook/1", AfterDue(10));
  arrivals.Add("/hook/1", AfterDue(5000));
  EXPECT_EQ(arrivals.duplicates(), 1u);
  EXPECT_EQ(arrivals.last_ns(), 10'000'000);
  EXPECT_TRUE(arrivals.all_came());
  EXPECT_FALSE(arrivals.clean());
}

TEST(BurstArrivals, AnEarlyOneCountsAsArrivedButNotInTheLateness) {
  BurstArrivals arrivals({.expected = 2, .due_ms = kDueMs, .limit_ms = 0});
  arrivals.Add("/hook/1", AfterDue(-3));
  arrivals.Add("/hook/2", AfterDue(4));
  EXPECT_EQ(arrivals.early(), 1u);
  EXPECT_EQ(arrivals.first_ns(), -3'000'000);
  EXPECT_EQ(arrivals.late_ns().count(), 1u);
  EXPECT_FALSE(arrivals.clean());
}

TEST(BurstArrivals, WithoutABurstNothingIsKeptButTheCount) {
  BurstArrivals arrivals({});
  arrivals.Add("/hook/1", AfterDue(1));
  arrivals.Add("/hook/1", AfterDue(2));
  EXPECT_EQ(arrivals.different(), 0u);
  EXPECT_EQ(arrivals.Json(), "{\"received\":2}\n");
  EXPECT_EQ(arrivals.Text(), "received    2\n");
}

TEST(BurstArrivals, JsonIsOneObjectOnOneLine) {
  BurstArrivals arrivals({.expected = 2, .due_ms = kDueMs, .limit_ms = 0});
  arrivals.Add("/hook/1", AfterDue(10));
  EXPECT_EQ(arrivals.Json(),
            "{\"received\":1,\"expected\":2,\"arrived\":1,\"missing\":1,\"duplicates\":0,"
            "\"early\":0,\"first_ms\":10.000,\"last_ms\":10.000,\"p50_ms\":10.000,"
            "\"p99_ms\":10.000,\"max_ms\":10.000}\n");
}

TEST(BurstArrivals, NothingAtAllIsAllMissing) {
  const BurstArrivals arrivals({.expected = 2, .due_ms = kDueMs, .limit_ms = 0});
  EXPECT_EQ(arrivals.missing(), 2u);
  EXPECT_NE(arrivals.Text().find("arrived     0 of 2"), std::string::npos);
}

}  // namespace
}  // namespace belfry
