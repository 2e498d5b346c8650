#include "storage/stream_rows.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "storage/keys.h"
#include "tests/support/store_files.h"

namespace belfry {
namespace {

const StreamId kStream = UuidV4(1, 2);
const std::string kUserKey = StreamKey(StreamRow::kUser, 7, "joe");
const std::string kLeaseKey = StreamKey(StreamRow::kLease, 7, "joe", kStream);

StreamUser FullUser() { return {5, {1'800'000'000'000}, {kStream, UuidV4(3, 4)}}; }

Lease FullLease() {
  Lease lease;
  lease.content = "stream_100";
  lease.started_at = {1'800'000'000'000};
  lease.expires_at = {1'800'000'060'000};
  lease.ttl_ms = 60'000;
  lease.fencing = 0x0102030405;
  lease.on_expire = "https://example.com/gone";
  return lease;
}

std::string Hex(std::string_view bytes) {
  std::string out;
  for (const unsigned char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", c);
    out += two;
  }
  return out + '\n';
}

TEST(StreamRows, ComeBackAsTheyWere) {
  for (const StreamUser& user : {FullUser(), StreamUser()}) {
    EXPECT_EQ(*DecodeUser(kUserKey, EncodeUser(kUserKey, user)), user);
  }
  EXPECT_EQ(*DecodeLease(kLeaseKey, EncodeLease(kLeaseKey, FullLease())), FullLease());
  Lease longest = FullLease();
  longest.content.assign(kStreamContentBytesMax, 'c');
  longest.on_expire.assign(kUrlBytesMax, 'u');
  longest.expires_at = kWallMax;
  longest.ttl_ms = kStreamTtlMsMax;
  EXPECT_EQ(*DecodeLease(kLeaseKey, EncodeLease(kLeaseKey, longest)), longest);
}

TEST(StreamRows, EveryDamageIsAnError) {
  const auto damaged = [](const std::string& key, const std::string& bytes, auto decode) {
    EXPECT_FALSE(decode(key + "x", bytes).ok());
    EXPECT_FALSE(decode(key, bytes + '\0').ok());
    for (size_t i = 0; i < bytes.size(); ++i) {
      EXPECT_FALSE(decode(key, bytes.substr(0, i)).ok()) << i;
      for (int bit = 0; bit < 8; ++bit) {
        std::string other = bytes;
        other[i] = static_cast<char>(other[i] ^ (1 << bit));
        EXPECT_FALSE(decode(key, other).ok()) << i;
      }
    }
  };
  damaged(kUserKey, EncodeUser(kUserKey, FullUser()), DecodeUser);
  damaged(kLeaseKey, EncodeLease(kLeaseKey, FullLease()), DecodeLease);
  EXPECT_FALSE(DecodeLease(kUserKey, EncodeUser(kUserKey, FullUser())).ok());
}

TEST(StreamRows, WhatNoLeaseHasIsAnError) {
  const auto refused = [](auto change) {
    Lease lease = FullLease();
    change(lease);
    return !DecodeLease(kLeaseKey, EncodeLease(kLeaseKey, lease)).ok();
  };
  EXPECT_TRUE(refused([](Lease& l) { l.fencing = 0; }));
  EXPECT_TRUE(refused([](Lease& l) { l.ttl_ms = 0; }));
  EXPECT_TRUE(refused([](Lease& l) { l.ttl_ms = kStreamTtlMsMax + 1; }));
  EXPECT_TRUE(refused([](Lease& l) { l.expires_at = kWallMax + 1; }));
  EXPECT_TRUE(refused([](Lease& l) { l.started_at = {-1}; }));
  EXPECT_TRUE(refused([](Lease& l) { l.content.assign(kStreamContentBytesMax + 1, 'c'); }));
}

// Bytes that a store on disk holds.
TEST(StreamRows, GoldenBytesAreReadAndWritten) {
  const auto golden = [](const std::string& name, const std::string& bytes) {
    const std::string path = std::string(BELFRY_GOLDEN) + "/stream_" + name + ".hex";
    if (std::getenv("BELFRY_REWRITE") != nullptr && !std::filesystem::exists(path)) {
      WriteBytes(path, Hex(bytes));
    }
    return ReadBytes(path);
  };
  const std::string user = EncodeUser(kUserKey, FullUser());
  const std::string lease = EncodeLease(kLeaseKey, FullLease());
  EXPECT_EQ(Hex(user), golden("v1_user", user));
  EXPECT_EQ(Hex(lease), golden("v1_lease", lease));
}

TEST(StreamKeys, ComeBackAndOtherBytesAreNone) {
  const auto user = ParseStreamKey(kUserKey);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->row, StreamRow::kUser);
  EXPECT_EQ(user->tenant, 7u);
  EXPECT_EQ(user->user, "joe");
  const std::string key = StreamKey(StreamRow::kLapsed, ~TenantId{0}, "j", kStream);
  const auto lapsed = ParseStreamKey(key);
  ASSERT_TRUE(lapsed);
  EXPECT_EQ(lapsed->row, StreamRow::kLapsed);
  EXPECT_EQ(lapsed->tenant, ~TenantId{0});
  EXPECT_EQ(lapsed->stream, kStream);
  for (size_t size = 0; size < kLeaseKey.size(); ++size) {
    EXPECT_FALSE(ParseStreamKey(std::string_view(kLeaseKey).substr(0, size))) << size;
  }
  EXPECT_FALSE(ParseStreamKey(kUserKey + "x"));
  EXPECT_FALSE(ParseStreamKey('\4' + kUserKey.substr(1)));
  EXPECT_FALSE(ParseStreamKey('\0' + kUserKey.substr(1)));
  EXPECT_FALSE(ParseStreamKey(StreamKey(StreamRow::kUser, 7, "")));
  EXPECT_LE(StreamKey(StreamRow::kLease, 7, std::string(kUserNameBytesMax, 'n'), kStream).size(),
            kLeaseKeyBytesMax);
}

TEST(StreamKeys, SortByTenantThenName) {
  EXPECT_LT(StreamKey(StreamRow::kUser, 1, "\xff"), StreamKey(StreamRow::kUser, 2, "a"));
  EXPECT_LT(StreamKey(StreamRow::kUser, 1, "tea"), StreamKey(StreamRow::kUser, 1, "teapot"));
  EXPECT_LT(StreamKey(StreamRow::kUser, ~TenantId{0}, "\xff"), StreamKey(StreamRow::kLease, 0, ""));
}

}  // namespace
}  // namespace belfry
