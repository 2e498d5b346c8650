#include "base/stream.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/op.h"

namespace belfry {
namespace {

constexpr char kUuid[] = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6";

TEST(Uuid, IsReadBackAsItIsWritten) {
  const auto id = ParseUuid(kUuid);
  ASSERT_TRUE(id);
  EXPECT_EQ(FormatUuid(*id), kUuid);
  EXPECT_EQ(ParseUuid("F81D4FAE-7DEC-41D0-A765-00A0C91E6BF6"), id);
  EXPECT_EQ(FormatUuid(StreamId{}), "00000000-0000-0000-0000-000000000000");
}

TEST(Uuid, AnythingElseIsNone) {
  const std::string good = kUuid;
  for (const std::string& bad :
       {std::string(), good + "0", good.substr(1), "{" + good + "}", good.substr(0, 35) + "g",
        std::string("f81d4fae07dec-41d0-a765-00a0c91e6bf6"),
        std::string("f81d4fae-7dec-41d0-a765-00a0c91e6b-6"),
        std::string("f81d4fae-7dec-41d0-a765-00a0c91e6bf "),
        std::string("f81d4fae+7dec-41d0-a765-00a0c91e6bf6")}) {
    EXPECT_FALSE(ParseUuid(bad)) << bad;
  }
}

TEST(Uuid, OfVersion4SaysSoAndKeepsTheOtherBits) {
  EXPECT_EQ(FormatUuid(UuidV4(0, 0)), "00000000-0000-4000-8000-000000000000");
  EXPECT_EQ(FormatUuid(UuidV4(~0ull, ~0ull)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

TEST(ExpiryBody, NamesTheLease) {
  Lease lease;
  lease.content = "a \"b\"\n\x01";
  lease.expires_at = {1'800'000'000'123};
  EXPECT_EQ(ExpiryBody("jo\\e", *ParseUuid(kUuid), lease),
            "{\"userId\":\"jo\\\\e\",\"streamId\":\"f81d4fae-7dec-41d0-a765-00a0c91e6bf6\","
            "\"content\":\"a \\\"b\\\"\\n\\u0001\",\"expiredAt\":\"2027-01-15T08:00:00.123Z\"}");
  lease.content.clear();
  EXPECT_NE(ExpiryBody("joe", {}, lease).find("\"content\":null"), std::string::npos);
}

Timer Deadline() {
  Timer t;
  t.id = 7;
  t.tenant = kLeaseTenant;
  t.kind = TimerKind::kLease;
  t.due = t.next_attempt = {1000};
  t.body = "key";
  return t;
}

TEST(Deadline, IsAKeyUnderTheTenantOfLeasesAndNothingElse) {
  EXPECT_TRUE(Validate(Deadline()).ok());
  const auto refused = [](auto change) {
    Timer t = Deadline();
    change(t);
    return !Validate(t).ok();
  };
  EXPECT_TRUE(refused([](Timer& t) { t.tenant = kLocalTenant; }));
  EXPECT_TRUE(refused([](Timer& t) { t.kind = TimerKind::kWebhook; }));
  EXPECT_TRUE(refused([](Timer& t) { t.kind = static_cast<TimerKind>(2); }));
  EXPECT_TRUE(refused([](Timer& t) { t.url = "http://h"; }));
  EXPECT_TRUE(refused([](Timer& t) { t.next_attempt = {1001}; }));
  EXPECT_TRUE(refused([](Timer& t) { t.body.clear(); }));
  EXPECT_TRUE(refused([](Timer& t) { t.body.assign(kLeaseKeyBytesMax + 1, 'k'); }));
  EXPECT_TRUE(refused([](Timer& t) { t.headers = {{"a", "b"}}; }));
  EXPECT_TRUE(refused([](Timer& t) { t.attempts = 1; }));
}

// An Op moves through three vectors on its way; every set pays for the largest of them.
TEST(StreamOps, MakeOpsNoLarger) {
  EXPECT_LE(sizeof(RenewStreamOp), sizeof(PutOp));
  EXPECT_LE(sizeof(EndStreamOp), sizeof(PutOp));
  EXPECT_LE(sizeof(PutUserOp), sizeof(PutOp));
}

}  // namespace
}  // namespace belfry
