#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "bench/histogram.h"

namespace belfry {
namespace {

TEST(Histogram, IsAllZeroWhenEmpty) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.max(), 0);
  EXPECT_EQ(h.Quantile(0.5), 0);
  EXPECT_EQ(h.Quantile(1), 0);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram h;
  for (int64_t v = 0; v < 256; ++v) h.Record(v);
  EXPECT_EQ(h.Quantile(0.5), 127);
  EXPECT_EQ(h.Quantile(1.0 / 256), 0);
  EXPECT_EQ(h.Quantile(0.99), 253);
  EXPECT_EQ(h.Quantile(1), 255);
}

TEST(Histogram, AQuantileIsTheFirstValueThatEnoughDoNotExceed) {
  Histogram h;
  for (int i = 0; i < 99; ++i) h.Record(1);
  h.Record(100);
  EXPECT_EQ(h.Quantile(0.99), 1);
  EXPECT_EQ(h.Quantile(0.991), 100);
}

// Alone in its histogram the bucket's end would be cut to max(), so a greater value is added.
TEST(Histogram, EveryValueIsKeptToWithinAHundredAndTwentyEighth) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  for (int bit = 0; bit < 62; ++bit) {
    const int64_t power = int64_t{1} << bit;
    for (const int64_t v : {power - 1, power, power + 1, power + power / 3, power + power / 2}) {
      Histogram h;
      h.Record(v);
      h.Record(kMax);
      const int64_t kept = h.Quantile(0.5);
      EXPECT_GE(kept, v);
      EXPECT_LE(kept - v, v / 128) << v;
    }
  }
}

TEST(Histogram, TheGreatestValueThereIsHasABucket) {
  Histogram h;
  h.Record(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(h.Quantile(0.5), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(h.max(), std::numeric_limits<int64_t>::max());
}

TEST(Histogram, AQuantileIsNeverAboveTheMaximum) {
  Histogram h;
  h.Record(1'000'003);
  EXPECT_EQ(h.Quantile(0.5), 1'000'003);
}

}  // namespace
}  // namespace belfry
