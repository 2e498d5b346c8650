// Event streams of users who have tokens: whose they are, how many, and when they end.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

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

TEST_F(EventStreamsWithTokens, APageReadBeforeANameWasGivenUpTellsNothingOfOthersBehindIt) {
  const auto start = [&](TenantId tenant, const std::string& name) {
    rig_.engine->stopwatches().Start(0, tenant, name, rig_.http->clock.mono);
  };
  for (const TenantId tenant : {2u, 3u}) start(tenant, "tea");
  rig_.http->RunTurns();
  rig_.hold_queries = true;
  EventClient client(rig_, "own=true&name=tea", "Authorization: Bearer b\r\n");
  rig_.http->RunUntil([&] { return !rig_.held_queries.empty(); });
  std::vector<QueryResult> read = rig_.ReadHeld();
  rig_.engine->stopwatches().Delete(0, 2, "tea");
  rig_.http->RunTurns();
  rig_.HandBack(std::move(read));
  const auto events = client.Events(2);
  EXPECT_NE(events.at(0).data.find("bob"), std::string::npos) << events.at(0).data;
  EXPECT_EQ(events.at(0).data.find("carol"), std::string::npos) << events.at(0).data;
  EXPECT_EQ(events.at(1).name, "deleted");
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

TEST_F(EventStreamsWithTokens, OneUserHasHalfOfTheNamesAtMostAndAllHaveNoMoreThanThereAre) {
  constexpr size_t kNames = HttpApiRig::kNamesMax / 4;
  StopwatchFeed::Wish wish;
  for (size_t i = 0; i < kNames; ++i) {
    wish.names.push_back("n" + std::to_string(i));
    for (const TenantId tenant : {2u, 3u}) {
      rig_.engine->stopwatches().Start(0, tenant, "n" + std::to_string(i), rig_.http->clock.mono);
    }
  }
  rig_.http->RunTurns();
  StreamCollector collector;
  const auto open = [&](TenantId tenant, const StopwatchFeed::Wish& asked) {
    const ReplyTo to = collector.New();
    StopwatchFeed::Wish of_tenant = asked;
    of_tenant.tenant = tenant;
    rig_.events->Open(
        to, {.token = TokenHasher().Hash(tenant == 2 ? "b" : "c"), .scope = Scope::kStopwatches},
        of_tenant, {});
    rig_.http->RunTurns();
    return std::pair(to, collector.at(to).response->status);
  };
  const ReplyTo first = open(2, wish).first;
  EXPECT_EQ(open(2, wish).second, 200);
  const StopwatchFeed::Wish one = {2, {"n0"}, false};
  EXPECT_EQ(open(2, one).second, 503);
  EXPECT_EQ(open(2, {2, {}, true}).second, 200);
  EXPECT_EQ(open(3, wish).second, 200);
  EXPECT_EQ(open(3, wish).second, 200);
  EXPECT_EQ(open(3, one).second, 503);
  collector.Leave(first);
  EXPECT_EQ(open(2, one).second, 200);
  EXPECT_EQ(open(3, one).second, 503);
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
