#include "base/rfc3339.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

TEST(Rfc3339, IsWrittenInUtcWithMilliseconds) {
  EXPECT_EQ(FormatRfc3339({0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatRfc3339({1795248000123}), "2026-11-21T08:00:00.123Z");
  EXPECT_EQ(FormatRfc3339(kWallMax), "9999-12-31T23:59:59.999Z");
}

TEST(Rfc3339, OffsetsAndFractionsAreRead) {
  EXPECT_EQ(ParseRfc3339("2026-11-21T08:00:00Z"), WallMs{1795248000000});
  EXPECT_EQ(ParseRfc3339("2026-11-21t09:30:00.5+01:30"), WallMs{1795248000500});
  EXPECT_EQ(ParseRfc3339("2026-11-21T07:00:00.123-01:00"), WallMs{1795248000123});
}

TEST(Rfc3339, WhatIsFinerThanAMillisecondIsRoundedUp) {
  EXPECT_EQ(ParseRfc3339("2026-11-21T08:00:00.123000Z"), WallMs{1795248000123});
  EXPECT_EQ(ParseRfc3339("2026-11-21T08:00:00.1230001Z"), WallMs{1795248000124});
  EXPECT_EQ(ParseRfc3339("2026-11-21T08:00:00.123999Z"), WallMs{1795248000124});
  EXPECT_EQ(ParseRfc3339("2026-11-21T08:00:00.9999Z"), WallMs{1795248001000});
  EXPECT_EQ(ParseRfc3339("2026-11-21T08:00:59.9999999999Z"), WallMs{1795248060000});
}

TEST(Rfc3339, ALeapSecondIsTheSecondAfterIt) {
  const WallMs new_year{1483228800000};
  EXPECT_EQ(ParseRfc3339("2016-12-31T23:59:60Z"), new_year);
  EXPECT_EQ(ParseRfc3339("2017-01-01T00:59:60+01:00"), new_year);
  EXPECT_EQ(ParseRfc3339("2016-12-31T18:29:60-05:30"), new_year);
  for (const char* text : {"2016-12-31T23:58:60Z", "2016-12-31T08:00:60Z",
                           "2016-12-31T23:59:60+01:00", "2016-12-31T23:59:61Z"}) {
    EXPECT_EQ(ParseRfc3339(text), std::nullopt) << text;
  }
}

TEST(Rfc3339, AnythingElseIsRefused) {
  for (const char* text :
       {"", "2026-11-21", "2026-11-21T08:00:00", "2026-11-21 08:00:00Z", "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "2026-11-21T24:00:00Z", "2026-11-21T08:60:00Z",
        "2026-11-21T08:00:61Z", "2026-11-21T08:00:00.Z", "2026-11-21T08:00:00+0100",
        "2026-11-21T08:00:00Z ", "2026-1-21T08:00:00Z0", "x026-11-21T08:00:00Z",
        "2026-11-21T08:00:00+24:00"}) {
    EXPECT_EQ(ParseRfc3339(text), std::nullopt) << text;
  }
}

TEST(Rfc3339, FormattingIsReadBack) {
  for (const int64_t ms : {0L, 1L, 951782400000L, 1709164800999L, 4102444799001L}) {
    EXPECT_EQ(ParseRfc3339(FormatRfc3339({ms})), WallMs{ms});
  }
}

}  // namespace
}  // namespace belfry
