#include "storage/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr TimerId kIdMax = std::numeric_limits<TimerId>::max();

std::string Bytes(std::string_view key) { return std::string(key); }

TEST(Keys, BytesSortAsTheValuesDo) {
  const Key keys[] = {{{0}, 0},      {{0}, 1},      {{0}, 255},        {{0}, 256},
                      {{0}, kIdMax}, {{1}, 0},      {{255}, 9},        {{256}, 0},
                      {{65'536}, 1}, {kWallMax, 5}, {kWallMax, kIdMax}};
  for (const Key& a : keys) {
    for (const Key& b : keys) {
      EXPECT_EQ(Bytes(TimeKey(a)) < Bytes(TimeKey(b)), a < b);
      EXPECT_EQ(Bytes(DeadKey(7, a)) < Bytes(DeadKey(7, b)), a < b);
      EXPECT_LT(Bytes(DeadKey(7, a)), Bytes(DeadKey(8, b)));
      EXPECT_EQ(Bytes(ParkedKey(7, a)) < Bytes(ParkedKey(7, b)), a < b);
      EXPECT_LT(Bytes(ParkedKey(7, a)), Bytes(ParkedKey(8, b)));
    }
  }
  EXPECT_LT(Bytes(IdKey(1, kIdMax)), Bytes(IdKey(2, 0)));
  EXPECT_LT(Bytes(ParkedKey(7, {kWallMax, kIdMax})), Bytes(ParkedKey(7, kKeyTimesEnd)));
  EXPECT_LT(Bytes(ParkedKey(7, kKeyTimesEnd)), Bytes(ParkedKey(8, {})));
}

TEST(Keys, ComeBackAsTheyWere) {
  const Key key{{1'800'000'000'123}, 0x0102030405060708};
  EXPECT_EQ(ParseTimeKey(TimeKey(key)), key);
  EXPECT_EQ(ParseIdKey(IdKey(9, 12))->tenant, 9u);
  EXPECT_EQ(ParseIdKey(IdKey(9, 12))->id, 12u);
  EXPECT_EQ(ParseDeadKey(DeadKey(9, key))->tenant, 9u);
  EXPECT_EQ(ParseDeadKey(DeadKey(9, key))->key, key);
  EXPECT_EQ(ParseParkedKey(ParkedKey(9, key))->target, 9u);
  EXPECT_EQ(ParseParkedKey(ParkedKey(9, key))->key, key);
  const auto once = ParseOnceTimeKey(OnceTimeKey({77}, 3, std::string("a\0b", 3)));
  ASSERT_TRUE(once);
  EXPECT_EQ(once->created.ms, 77);
  EXPECT_EQ(once->tenant, 3u);
  EXPECT_EQ(once->key, std::string("a\0b", 3));
}

TEST(Keys, OtherBytesAreNotKeys) {
  const std::string time = Bytes(TimeKey({{5}, 6}));
  EXPECT_FALSE(ParseTimeKey(time + "x"));
  EXPECT_FALSE(ParseTimeKey(std::string(16, '\xff')));
  for (size_t size = 0; size < time.size(); ++size) {
    EXPECT_FALSE(ParseTimeKey(time.substr(0, size)));
    EXPECT_FALSE(ParseDeadKey(time.substr(0, size)));
    EXPECT_FALSE(ParseParkedKey(time.substr(0, size)));
    EXPECT_FALSE(ParseIdKey(time.substr(0, size)) && size != 12);
    EXPECT_FALSE(ParseOnceTimeKey(time.substr(0, size)));
  }
  EXPECT_FALSE(ParseOnceTimeKey(OnceKey(1, "0123456789abcdef")));
  EXPECT_FALSE(ParseParkedKey(ParkedKey(0, {{5}, 6})));
}

TEST(Keys, AnIdempotencyKeyNeverMeetsAnotherTenantsOrTheTimeIndex) {
  EXPECT_NE(OnceKey(1, "k"), OnceKey(2, "k"));
  const std::string longest(kIdempotencyKeyBytesMax, '\xff');
  EXPECT_LT(OnceKey(~TenantId{0}, longest), OnceTimeKey({0}, 0, ""));
}

TEST(Keys, StopwatchesAreFoundByOwnerAndByName) {
  const std::string owner_key = StopwatchKey(9, "tea");
  const auto by_owner = ParseStopwatchKey(owner_key);
  ASSERT_TRUE(by_owner);
  EXPECT_EQ(by_owner->tenant, 9u);
  EXPECT_EQ(by_owner->name, "tea");
  const std::string name_key = StopwatchNameKey("tea", 0x01020304);
  const auto by_name = ParseStopwatchNameKey(name_key);
  ASSERT_TRUE(by_name);
  EXPECT_EQ(by_name->tenant, 0x01020304u);
  EXPECT_EQ(by_name->name, "tea");
  EXPECT_FALSE(ParseStopwatchKey(name_key));
  EXPECT_FALSE(ParseStopwatchNameKey(owner_key));
  for (size_t size = 0; size < name_key.size(); ++size) {
    EXPECT_FALSE(ParseStopwatchNameKey(name_key.substr(0, size)));
    EXPECT_FALSE(ParseStopwatchKey(owner_key.substr(0, std::min(size, size_t{8}))));
  }
  EXPECT_LT(StopwatchKey(~TenantId{0}, "\xff"), StopwatchKeysEnd(~TenantId{0}));
  EXPECT_LE(StopwatchKeysEnd(~TenantId{0}), kStopwatchNameKeysFrom);
  EXPECT_LT(StopwatchNameKey("tea", ~TenantId{0}), StopwatchNameKeysEnd("tea"));
  EXPECT_LT(StopwatchNameKeysEnd("tea"), StopwatchNameKey("tea ", 0));
}

TEST(Keys, AListOfStopwatchesIsWhatItsKeysBeginWith) {
  const std::string own = StopwatchKey(0x01020300, "a");
  EXPECT_EQ(StopwatchListOf(own), std::string_view("\1\1\2\3\0", 5));
  EXPECT_EQ(StopwatchListOf(own + '\0'), StopwatchListOf(StopwatchKey(0x01020300, "zz")));
  const std::string named = StopwatchNameKey("tea", 7);
  EXPECT_EQ(StopwatchListOf(named), std::string_view("\2tea\0", 5));
  EXPECT_NE(StopwatchListOf(named), StopwatchListOf(StopwatchNameKey("teapot", 7)));
  for (const std::string_view none : {"", "\1\1\1\1", "\2tea", "\3tea1"}) {
    EXPECT_EQ(StopwatchListOf(none), "") << none;
  }
}

TEST(Keys, TimesBefore1970SortAs1970) {
  EXPECT_EQ(Bytes(TimeKey({{-5}, 3})), Bytes(TimeKey({{0}, 3})));
}

TEST(Keys, JustAboveIsTheNextKey) {
  EXPECT_EQ(JustAbove({{5}, 6}), (Key{{5}, 7}));
  EXPECT_EQ(JustAbove({{5}, kIdMax}), (Key{{6}, 0}));
  EXPECT_EQ(JustAbove(kKeyMax), kKeyMax);
  EXPECT_EQ(JustBelow(JustAbove({{5}, kIdMax})), (Key{{5}, kIdMax}));
}

}  // namespace
}  // namespace belfry
