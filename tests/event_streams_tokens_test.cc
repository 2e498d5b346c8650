// Event streams of users who have tokens: whose they are, how many, and when they end.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/limits.h"
#include "tests/support/event_client.h"
#include "tests/support/http_api_rig.h"
#include "tests/support/stream_collector.h"

namespace belfry {
namespace {

class EventStreamsWithTokens : public testing::Test {
 protected:
  EventStreamsWithTokens() {
    rig_.Admit("b", 2);
    rig_.Admit("c", 3);
  }
  // Events of all of the user's own.
  std::unique_ptr<EventClient> Listen(const std::string& token) {
    auto client =
        std::make_unique<EventClient>(rig_, "own=true", "Authorization: Bearer " + token + "\r\n");
    EXPECT_EQ(client->Events(1).at(0).data, "[]");
    return client;
  }
  HttpApiRig rig_{{}, Authentication::Mode::kToken};
};

TEST_F(EventStreamsWithTokens, AStreamEndsWhenItsTokenIsRevokedAndOthersGoOn) {
  const auto bobs = Listen("b");
  const auto carols = Listen("c");
  rig_.grants.erase(rig_.grants.begin());
  rig_.SetGrants();
  rig_.http->RunUntil([&] { return bobs->over(); });
  EXPECT_TRUE(bobs->ended_in_order());
  EXPECT_FALSE(carols->over());
  EXPECT_EQ(rig_.events->size(), 1u);
}

TEST_F(EventStreamsWithTokens, AStreamThatHasNotBegunEndsToo) {
  rig_.hold_queries = true;
  EventClient client(rig_, "own=true", "Authorization: Bearer b\r\n");
  rig_.http->RunUntil([&] { return !rig_.held_queries.empty(); });
  rig_.grants.clear();
  rig_.SetGrants();
  rig_.hold_queries = false;
  rig_.http->RunUntil([&] { return client.over(); });
  EXPECT_TRUE(client.Now().empty());
}

TEST_F(EventStreamsWithTokens, OneUserHasHalfOfThemAtMost) {
  StreamCollector collector;
  const auto open = [&](TenantId tenant) {
    const ReplyTo to = collector.New();
    rig_.events->Open(
        to, {.token = TokenHasher().Hash(tenant == 2 ? "b" : "c"), .scope = Scope::kStopwatches},
        {tenant, {}, true}, {});
    rig_.http->RunTurns();
    return collector.at(to).response->status;
  };
  for (size_t i = 0; i < HttpApiRig::kStreamsMax / 2; ++i) EXPECT_EQ(open(2), 200);
  EXPECT_EQ(open(2), 503);
  for (size_t i = 0; i < HttpApiRig::kStreamsMax / 2; ++i) EXPECT_EQ(open(3), 200);
  EXPECT_EQ(open(3), 503);
}

TEST_F(EventStreamsWithTokens, AStreamWhoseTokenExpiredTellsNothingMoreAndEnds) {
  for (Grant& grant : rig_.grants) grant.expires = rig_.http->clock.wall + 20'000;
  rig_.SetGrants();
  const auto bobs = Listen("b");
  const auto carols = Listen("c");
  rig_.http->Advance(kFeedCommentMs);
  EXPECT_FALSE(bobs->over());
  rig_.http->Advance(20'000 - kFeedCommentMs);
  rig_.engine->stopwatches().Start(0, 2, "tea", rig_.http->clock.mono);
  rig_.http->RunUntil([&] { return bobs->over(); });
  EXPECT_TRUE(bobs->ended_in_order());
  EXPECT_EQ(bobs->Now().size(), 1u) << "the snapshot alone";
  // Where nothing happens it is the next comment that finds out.
  EXPECT_FALSE(carols->over());
  rig_.http->Advance(kFeedCommentMs);
  rig_.http->RunUntil([&] { return carols->over(); });
  EXPECT_TRUE(carols->ended_in_order());
}

TEST_F(EventStreamsWithTokens, AStreamGoesOnWhenItsTokenWasGivenMoreTime) {
  rig_.grants[0].expires = rig_.http->clock.wall + 10'000;
  rig_.SetGrants();
  const auto bobs = Listen("b");
  rig_.grants[0].expires = rig_.http->clock.wall + 60'000;
  rig_.SetGrants();
  rig_.http->Advance(12'000);
  rig_.engine->stopwatches().Start(0, 2, "tea", rig_.http->clock.mono);
  EXPECT_EQ(bobs->Events(2).at(1).name, "created");
}

}  // namespace
}  // namespace belfry
