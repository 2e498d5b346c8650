// The tokens of a running daemon: who gets in while their tenant ids are on the way.

#include "daemon/users.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "http/token_hash.h"

namespace belfry {
namespace {

class StillClock final : public Clock {
 public:
  [[nodiscard]] WallMs Wall() const override { return {1'000'000}; }
  [[nodiscard]] MonoMs Mono() const override { return {1000}; }
};

class UsersTest : public testing::Test {
 protected:
  static TokenEntry TokenOf(const std::string& user) {
    TokenEntry entry;
    entry.id = user;
    entry.user = user;
    entry.scopes = Scopes::All();
    entry.hash = TokenHasher().Hash("token of " + user);
    return entry;
  }
  // The tenant that a user's token lets in as; 0: it does not.
  TenantId LetsIn(const std::string& user) {
    const std::string header = "Bearer token of " + user;
    Request request;
    request.headers = {{"Authorization", header}};
    Response refusal;
    const auto caller = authentication_.Admit(request, Scope::kAdmin, &refusal);
    return caller ? caller->tenant() : 0;
  }
  void Complete(TenantId tenant) {
    Completion done;
    done.kind = kOpKind<TenantOp>;
    done.tenant = tenant;
    tenants_.Complete(done);
    users_.TenantsCompleted();
  }

  StillClock clock_;
  NullLog log_;
  Tenants tenants_{{{2, "alice"}}};
  Authentication authentication_{Authentication::Mode::kToken, clock_};
  Users users_{tenants_, authentication_, log_};
};

TEST_F(UsersTest, WhoHasAnIdGetsInAtOnceAndWhoHasNoneWhenItIsDurable) {
  users_.Set({TokenOf("alice"), TokenOf("bob")});
  EXPECT_EQ(LetsIn("alice"), 2u);
  EXPECT_EQ(LetsIn("bob"), 0u);
  EXPECT_EQ(tenants_.TakeOps().size(), 1u);
  Complete(3);
  EXPECT_EQ(LetsIn("bob"), 3u);
  users_.Set({TokenOf("bob")});
  EXPECT_EQ(LetsIn("alice"), 0u);
  EXPECT_EQ(LetsIn("bob"), 3u);
}

TEST_F(UsersTest, AReloadWhileIdsAreOnTheirWayIsTheOneThatHolds) {
  users_.Set({TokenOf("alice"), TokenOf("bob"), TokenOf("carol")});
  EXPECT_EQ(tenants_.TakeOps().size(), 2u);
  users_.Set({TokenOf("carol"), TokenOf("dave")});
  EXPECT_EQ(LetsIn("alice"), 0u) << "revoked at once";
  const std::vector<Op> more = tenants_.TakeOps();
  ASSERT_EQ(more.size(), 1u) << "nobody is asked for twice";
  EXPECT_EQ(std::get<TenantOp>(more[0].what).user, "dave");
  for (const TenantId tenant : {3, 4, 5}) {
    EXPECT_FALSE(tenants_.settled());
    Complete(tenant);
  }
  EXPECT_TRUE(tenants_.settled());
  EXPECT_EQ(LetsIn("bob"), 0u);
  EXPECT_EQ(LetsIn("carol"), 4u);
  EXPECT_EQ(LetsIn("dave"), 5u);
}

}  // namespace
}  // namespace belfry
