#include "base/duration.h"

#include <gtest/gtest.h>

#include "base/time.h"

namespace belfry {
namespace {

TEST(Duration, ShortFormAddsItsUnits) {
  EXPECT_EQ(ParseDuration("4h1s"), 4 * kHourMs + kSecondMs);
  EXPECT_EQ(ParseDuration("1d12h"), kDayMs + 12 * kHourMs);
  EXPECT_EQ(ParseDuration("250ms"), 250);
  EXPECT_EQ(ParseDuration("1m250ms"), kMinuteMs + 250);
  EXPECT_EQ(ParseDuration("0s"), 0);
  EXPECT_EQ(ParseDuration("90m"), 90 * kMinuteMs);
}

TEST(Duration, IsoFormAddsItsUnits) {
  EXPECT_EQ(ParseDuration("PT4H1S"), 4 * kHourMs + kSecondMs);
  EXPECT_EQ(ParseDuration("P1DT12H"), kDayMs + 12 * kHourMs);
  EXPECT_EQ(ParseDuration("PT0.25S"), 250);
  EXPECT_EQ(ParseDuration("PT1,5M"), 90 * kSecondMs);
  EXPECT_EQ(ParseDuration("P2W"), 14 * kDayMs);
}

TEST(Duration, AFractionIsOnTheLastUnitAndMayEndInZeros) {
  EXPECT_EQ(ParseDuration("PT1H0.5M"), kHourMs + 30 * kSecondMs);
  EXPECT_EQ(ParseDuration("P0.5D"), 12 * kHourMs);
  EXPECT_EQ(ParseDuration("PT1.0H"), kHourMs);
  EXPECT_EQ(ParseDuration("PT1.0000S"), kSecondMs);
  EXPECT_EQ(ParseDuration("PT0.250000000000000000000000S"), 250);
  for (const char* text : {"PT1.0H30M", "P0.5DT1H", "P0.0DT1H", "P1.0WT1S", "PT0,0H1S", "PT1.S",
                           "PT1.0000001S", "PT1.5.5S"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Duration, AnythingElseIsRefused) {
  for (const char* text : {"",
                           "P",
                           "PT",
                           "P1Y",
                           "P1M",
                           "PT1",
                           "1",
                           "h",
                           "1h1h",
                           "1s1h",
                           "-1s",
                           "1.5s",
                           " 1s",
                           "1s ",
                           "1x",
                           "PT1H1H",
                           "PT1.5H1S",
                           "PT0.0001S",
                           "P1D1H",
                           "pt1s",
                           "99999999999999999999s",
                           "PT99999999999999999999S",
                           "9999999999999999d",
                           "1ms1s"}) {
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
  }
}

TEST(Duration, FormattingIsReadBack) {
  for (const int64_t ms : {int64_t{0}, int64_t{1}, kSecondMs, 90061001L, 7 * kDayMs}) {
    EXPECT_EQ(ParseDuration(FormatDuration(ms)), ms);
  }
  EXPECT_EQ(FormatDuration(90061001), "1d1h1m1s1ms");
}

}  // namespace
}  // namespace belfry
