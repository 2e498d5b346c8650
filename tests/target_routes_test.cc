#include "http/target_routes.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/support/http_api_rig.h"
#include "tests/support/outcomes.h"

namespace belfry {
namespace {

class TargetRoutesTest : public testing::Test {
 protected:
  std::string Targets(const std::string& query = "") {
    return BodyOf(rig_.Ask(Get("/targets" + query)));
  }
  // Due at once.
  void Set(const std::string& target) {
    rig_.Ask(PostJson("/timers", "{\"url\":\"" + target + "/x\",\"seconds\":0}"));
    rig_.http->RunTurns();
  }
  std::string Switch(const std::string& how, const std::string& body) {
    return BodyOf(rig_.Ask(PostJson("/targets/" + how, body)));
  }
  void EndAll(Outcome outcome) {
    for (const Delivery& delivery : std::exchange(rig_.started, {})) {
      outcome.id = delivery.timer->id;
      outcome.started = rig_.http->clock.wall;
      outcome.duration_ms = 100;
      rig_.timers->DeliveryDone(outcome, rig_.http->clock.wall);
    }
    rig_.http->RunTurns();
  }

  HttpApiRig rig_;
};

TEST_F(TargetRoutesTest, NothingIsKnownAtFirst) {
  EXPECT_EQ(Targets(), R"({"paused":false,"targets":[]})");
}

TEST_F(TargetRoutesTest, ATargetFromItsFirstAttemptToItsLast) {
  Set("http://a:8080");
  EXPECT_EQ(Targets(), R"({"paused":false,"targets":[{"name":"http://a:8080","state":"closed",)"
                       R"("paused":false,"in_flight":1,"limit":100,"staged":0,"parked":false,)"
                       R"("error_rate":null,"p50_ms":null,"p99_ms":null,"blocked_until":null,)"
                       R"("last_error":null}]})");
  EndAll(Answered(200));
  Set("http://a:8080");
  EndAll(Answered(429, 1, {}, 20'000));
  EXPECT_EQ(Targets(),
            R"({"paused":false,"targets":[{"name":"http://a:8080","state":"closed",)"
            R"("paused":false,"in_flight":0,"limit":50,"staged":0,"parked":false,)"
            R"("error_rate":0.5,"p50_ms":104,"p99_ms":104,)"
            R"("blocked_until":"2026-11-21T08:00:20.000Z","last_error":"status 429"}]})");
  Set("http://a:8080");
  EXPECT_NE(Targets().find(R"("in_flight":0,"limit":50,"staged":1,)"), std::string::npos);
  rig_.http->Advance(20'000);
  rig_.http->RunTurns();
  EndAll(Answered(200));
  EXPECT_NE(Targets().find(R"("error_rate":0.25,)"), std::string::npos) << Targets();
  rig_.http->Advance(kHourMs);
  EXPECT_NE(Targets().find(R"("error_rate":null,"p50_ms":null,"p99_ms":null,"blocked_until":null)"),
            std::string::npos);
}

TEST_F(TargetRoutesTest, ATargetThatDiesIsOpenThenHalfOpen) {
  for (int i = 0; i < 5; ++i) Set("http://dead");
  EndAll(Unanswered(OutcomeKind::kFailed));
  const std::string open = Targets();
  EXPECT_NE(open.find(R"("state":"open")"), std::string::npos) << open;
  EXPECT_NE(open.find(R"("error_rate":1,)"), std::string::npos) << open;
  EXPECT_NE(open.find(R"("blocked_until":"2026-11-21T08:00:0)"), std::string::npos) << open;
  EXPECT_NE(open.find(R"("last_error":"refused")"), std::string::npos) << open;
  rig_.http->Advance(1500);
  rig_.http->RunTurns();
  const std::string half_open = Targets();
  EXPECT_NE(
      half_open.find(R"("state":"half_open","paused":false,"in_flight":1,"limit":100,"staged":4)"),
      std::string::npos)
      << half_open;
  EndAll(Answered(200));
  EXPECT_NE(Targets().find(R"("state":"closed","paused":false,"in_flight":4)"), std::string::npos);
}

TEST_F(TargetRoutesTest, PagesFollowEachOtherByName) {
  for (const int host : {3, 1, 5, 2, 4}) Set("http://h" + std::to_string(host) + ":1");
  std::string path = "/targets?limit=2";
  std::string names;
  for (int page = 0; page < 3; ++page) {
    const std::string response = rig_.Ask(Get(path));
    const std::string body = BodyOf(response);
    for (size_t at = 0; (at = body.find("\"name\":\"", at)) != std::string::npos; ++at) {
      names += body.substr(at + 15, 2);
    }
    const size_t link = response.find("Link: <");
    ASSERT_EQ(link == std::string::npos, page == 2) << response;
    if (page < 2) {
      path = response.substr(link + 7, response.find('>', link) - link - 7);
      EXPECT_TRUE(path.starts_with("/targets?limit=2&after=http%3A%2F%2Fh")) << path;
    }
  }
  EXPECT_EQ(names, "h1h2h3h4h5");
}

TEST_F(TargetRoutesTest, AHundredAreOnAPage) {
  for (int host = 100; host < 205; ++host) Set("http://h" + std::to_string(host));
  const std::string first = rig_.Ask(Get("/targets"));
  EXPECT_TRUE(HasLine(first, "Link: </targets?after=http%3A%2F%2Fh199>; rel=\"next\"")) << first;
  EXPECT_EQ(rig_.Ask(Get("/targets?limit=1000")).find("Link:"), std::string::npos);
}

TEST_F(TargetRoutesTest, APausedTargetGetsNothingUntilItIsResumed) {
  EXPECT_EQ(Switch("pause", R"({"target":"http://a"})"), R"({"target":"http://a","paused":true})");
  Set("http://a");
  Set("http://b");
  ASSERT_EQ(rig_.started.size(), 1u);
  EXPECT_EQ(rig_.started[0].timer->url, "http://b/x");
  const std::string paused = Targets("?limit=1");
  EXPECT_NE(paused.find(R"({"name":"http://a","state":"closed","paused":true,"in_flight":0,)"),
            std::string::npos)
      << paused;
  EXPECT_EQ(Switch("resume", R"({"target":"http://a/"})"),
            R"({"target":"http://a","paused":false})");
  rig_.http->RunTurns();
  ASSERT_EQ(rig_.started.size(), 2u);
  EXPECT_EQ(rig_.started[1].timer->url, "http://a/x");
}

TEST_F(TargetRoutesTest, AllCanBePausedAndStayPausedWhenOneIsResumed) {
  EXPECT_EQ(Switch("pause", R"({"all":true})"), R"({"all":true,"paused":true})");
  Set("http://a");
  EXPECT_EQ(Switch("resume", R"({"target":"http://a"})"),
            R"({"target":"http://a","paused":false})");
  rig_.http->RunTurns();
  EXPECT_TRUE(rig_.started.empty());
  EXPECT_EQ(Targets().find(R"({"paused":true,"targets":[)"), 0u);
  EXPECT_EQ(Switch("resume", R"({"all":true})"), R"({"all":true,"paused":false})");
  rig_.http->RunTurns();
  EXPECT_EQ(rig_.started.size(), 1u);
  EXPECT_EQ(Targets().find(R"({"paused":false,"targets":[)"), 0u);
}

TEST_F(TargetRoutesTest, APauseIsAnsweredOnceItIsDurable) {
  rig_.hold_ops = true;
  rig_.client->Send(PostJson("/targets/pause", R"({"target":"http://a"})"));
  rig_.http->RunTurns();
  EXPECT_EQ(rig_.client->Received(), "");
  EXPECT_EQ(rig_.replies->size(), 1u);
  rig_.ReleaseOps();
  rig_.http->RunTurns();
  EXPECT_EQ(StatusLine(rig_.client->Received()), "HTTP/1.1 200 OK");
}

TEST_F(TargetRoutesTest, OneTargetTooManyIsRefused) {
  for (size_t i = 0; i < kPausedTargetsMax; ++i) {
    Switch("pause", "{\"target\":\"http://h" + std::to_string(i) + "\"}");
  }
  const std::string response = rig_.Ask(PostJson("/targets/pause", R"({"target":"http://one"})"));
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 409 Conflict");
  EXPECT_NE(response.find("/problems/too-many-paused"), std::string::npos) << response;
  // One that is paused already is none more.
  EXPECT_EQ(Switch("pause", R"({"target":"http://h7"})"),
            R"({"target":"http://h7","paused":true})");
}

TEST_F(TargetRoutesTest, AWrongSwitchIsRefusedAndSaysWhy) {
  struct Wrong {
    std::string body, pointer, why;
  };
  for (const auto& [body, pointer, why] : std::vector<Wrong>{
           {"", "", "must have either"},
           {"{}", "", "must have either"},
           {R"({"target":"http://a","all":true})", "", "must have either"},
           {R"({"all":false})", "/all", "must be true"},
           {R"({"all":1})", "/all", "must be true"},
           {R"({"target":7})", "/target", "must be a string"},
           {R"({"target":"a"})", "/target", "must start with http://"},
           {R"({"target":"http://a/x"})", "/target", "must end with its host or port"},
           {R"({"target":"http://a/?q"})", "/target", "must end with its host or port"},
           {R"({"targets":"http://a"})", "/targets", "is not a known member"},
       }) {
    for (const std::string path : {"/targets/pause", "/targets/resume"}) {
      const std::string response = rig_.Ask(PostJson(path, body));
      EXPECT_EQ(StatusLine(response), "HTTP/1.1 400 Bad Request") << body;
      EXPECT_NE(response.find("\"pointer\":\"" + pointer + "\",\"detail\":\"" + why),
                std::string::npos)
          << body << "\n"
          << response;
    }
  }
  EXPECT_EQ(StatusLine(rig_.Ask(PostJson("/targets/pause", R"({"all":true)"))),
            "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(StatusLine(rig_.Ask(Get("/targets/pause"))), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(Targets(), R"({"paused":false,"targets":[]})");
}

TEST_F(TargetRoutesTest, WrongRequestsAreRefused) {
  for (const std::string query : {"?limit=0", "?limit=1001", "?limit=x", "?limit=", "?state=open",
                                  "?after=a&after=b", "?after=%zz"}) {
    EXPECT_EQ(StatusLine(rig_.Ask(Get("/targets" + query))), "HTTP/1.1 400 Bad Request") << query;
  }
  const std::string response = rig_.Delete("/targets");
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_TRUE(HasLine(response, "Allow: GET, HEAD")) << response;
}

}  // namespace
}  // namespace belfry
