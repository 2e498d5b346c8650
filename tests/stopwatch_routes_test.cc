// /api/stopwatch over loopback, with the real scheduler and the ledger in memory.

#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/http_api_rig.h"
#include "tests/support/http_chunks.h"
#include "tests/support/stream_collector.h"

namespace belfry {
namespace {

constexpr TenantId kBob = kLocalTenant + 1;

class StopwatchRoutesTest : public testing::Test {
 protected:
  std::string Start(std::string_view name) {
    return rig_.Ask(PostJson("/api/stopwatch", "{\"name\":\"" + std::string(name) + "\"}"));
  }
  std::string GetAll() { return BodyOf(rig_.Ask(Get("/api/stopwatch"))); }
  std::string GetName(std::string_view segment) {
    return rig_.Ask(Get("/api/stopwatch/" + std::string(segment)));
  }
  void StartAs(TenantId tenant, std::string name) {
    rig_.engine->stopwatches().Start(0, tenant, std::move(name), rig_.http->clock.mono);
    rig_.http->RunTurns();
  }
  // Of a streamed answer.
  std::string AskStreamed(std::string_view request) {
    HttpClient client(*rig_.http);
    client.Send(request);
    rig_.http->RunUntil([&] { return ReadChunks(client.Received()).ended; });
    return ReadChunks(client.Received()).text;
  }

  HttpApiRig rig_;
};

TEST_F(StopwatchRoutesTest, IsCreatedThenReset) {
  const std::string created = Start("tea");
  EXPECT_EQ(StatusLine(created), "HTTP/1.1 201 Created");
  EXPECT_TRUE(HasLine(created, "Content-Type: application/json"));
  EXPECT_EQ(BodyOf(created), R"({"name":"tea","elapsed":0})");
  rig_.http->Advance(1234);
  EXPECT_EQ(GetAll(), R"({"tea":1234})");
  const std::string reset = Start("tea");
  EXPECT_EQ(StatusLine(reset), "HTTP/1.1 200 OK");
  EXPECT_EQ(BodyOf(reset), R"({"name":"tea","elapsed":0})");
  rig_.http->Advance(7);
  EXPECT_EQ(GetAll(), R"({"tea":7})");
}

TEST_F(StopwatchRoutesTest, IsAnsweredOnceItIsDurable) {
  rig_.hold_ops = true;
  rig_.client->Send(PostJson("/api/stopwatch", R"({"name":"tea"})"));
  rig_.http->RunTurns(50);
  EXPECT_EQ(rig_.client->Received(), "");
  rig_.ReleaseOps();
  EXPECT_EQ(StatusLine(rig_.client->Responses(1)[0]), "HTTP/1.1 201 Created");
}

TEST_F(StopwatchRoutesTest, ListsTheCallersOwn) {
  EXPECT_EQ(GetAll(), "{}");
  Start("run");
  rig_.http->Advance(50);
  Start("tea");
  StartAs(kBob, "tea");
  StartAs(kBob, "swim");
  rig_.http->Advance(5);
  EXPECT_EQ(GetAll(), R"({"run":55,"tea":5})");
}

TEST_F(StopwatchRoutesTest, ListsEverybodysOfANameToWhoHasOne) {
  Start("tea");
  rig_.http->Advance(10);
  StartAs(kBob, "tea");
  StartAs(kBob, "teapot");
  rig_.http->Advance(1);
  const std::string answer = GetName("tea");
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 200 OK");
  EXPECT_EQ(BodyOf(answer), R"({"local":11,"bob":1})");
}

TEST_F(StopwatchRoutesTest, WhoHasNoneGetsTheSame403WhetherAnybodyHasOneOrNot) {
  StartAs(kBob, "tea");
  const std::string somebodys = GetName("tea");
  const std::string nobodys = GetName("tee");
  EXPECT_EQ(StatusLine(somebodys), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(StatusLine(nobodys), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(BodyOf(somebodys), BodyOf(nobodys));
  EXPECT_NE(BodyOf(nobodys).find("/problems/not-owned"), std::string::npos);
  EXPECT_EQ(BodyOf(nobodys).find("tee"), std::string::npos);
}

TEST_F(StopwatchRoutesTest, ADeleteIsAlways204) {
  Start("tea");
  StartAs(kBob, "tea");
  for (int i = 0; i < 2; ++i) {
    const std::string gone = rig_.Delete("/api/stopwatch/tea");
    EXPECT_EQ(StatusLine(gone), "HTTP/1.1 204 No Content");
    EXPECT_EQ(BodyOf(gone), "");
  }
  EXPECT_EQ(GetAll(), "{}");
  EXPECT_EQ(StatusLine(GetName("tea")), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(StatusLine(Start("tea")), "HTTP/1.1 201 Created");
  EXPECT_EQ(BodyOf(GetName("tea")), R"({"local":0,"bob":0})");
}

TEST_F(StopwatchRoutesTest, NamesArePercentEncodedInPaths) {
  const std::pair<const char*, const char*> names[] = {{"a b", "a%20b"},
                                                       {"a/b", "a%2Fb"},
                                                       {"t\xc3\xa9", "t%C3%A9"},
                                                       {"100%", "100%25"},
                                                       {"?#&=", "%3F%23&="},
                                                       {"\xf0\x9f\x8d\xb5", "%f0%9F%8d%b5"},
                                                       {"..", ".."},
                                                       {"+", "+"}};
  for (const auto& [name, segment] : names) {
    EXPECT_EQ(StatusLine(Start(name)), "HTTP/1.1 201 Created") << name;
    const std::string encoded(segment);
    EXPECT_EQ(BodyOf(GetName(encoded)), R"({"local":0})") << name;
    EXPECT_EQ(GetAll(), "{\"" + std::string(name) + "\":0}");
    EXPECT_EQ(StatusLine(rig_.Delete("/api/stopwatch/" + encoded)), "HTTP/1.1 204 No Content");
    EXPECT_EQ(GetAll(), "{}") << name;
  }
}

TEST_F(StopwatchRoutesTest, ANameHas1To128CodePoints) {
  std::string longest;
  for (size_t i = 0; i < kUserNameCharsMax; ++i) longest += "\xf0\x9f\x8d\xb5";
  EXPECT_EQ(StatusLine(Start(longest)), "HTTP/1.1 201 Created");
  EXPECT_EQ(StatusLine(Start(longest + "x")), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(StatusLine(Start("")), "HTTP/1.1 400 Bad Request");
  std::string segment;
  for (size_t i = 0; i < kUserNameCharsMax; ++i) segment += "%F0%9F%8D%B5";
  EXPECT_EQ(BodyOf(GetName(segment)), R"({"local":0})");
  EXPECT_EQ(StatusLine(GetName(segment + "x")), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(StatusLine(GetName("")), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(StatusLine(GetName("a/b")), "HTTP/1.1 404 Not Found");
}

TEST_F(StopwatchRoutesTest, ControlCharactersAndBytesThatAreNoUtf8AreRefused) {
  for (const char* escaped :
       {"\\u0000", "a\\u0000b", "\\n", "\\u001f", "\\u007f", "\\u0080", "\\u009f", "\\t"}) {
    const std::string refused = Start(escaped);
    EXPECT_EQ(StatusLine(refused), "HTTP/1.1 400 Bad Request") << escaped;
    EXPECT_NE(BodyOf(refused).find(R"("pointer":"/name")"), std::string::npos);
  }
  EXPECT_EQ(StatusLine(Start("\\u00a0")), "HTTP/1.1 201 Created");
  for (const char* segment : {"%00", "a%00b", "%0A", "%7f", "%C2%80", "%FF", "%C0%80", "%ED%A0%80",
                              "%F4%90%80%80", "%E2%82", "%80", "%zz", "%4"}) {
    for (const std::string& request :
         {Get("/api/stopwatch/" + std::string(segment)),
          "DELETE /api/stopwatch/" + std::string(segment) + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
          Get("/api/stopwatch/events?name=" + std::string(segment))}) {
      EXPECT_EQ(StatusLine(rig_.Ask(request)), "HTTP/1.1 400 Bad Request") << request;
    }
  }
}

TEST_F(StopwatchRoutesTest, ABodyIsReadStrictly) {
  for (const char* body :
       {"", "{}", R"({"name":1})", R"({"name":null})", R"({"Name":"tea"})",
        R"({"name":"tea","x":1})", R"({"name":"tea","name":"tea"})", "[]", R"({"name":"tea"} x)"}) {
    EXPECT_EQ(StatusLine(rig_.Ask(PostJson("/api/stopwatch", body))), "HTTP/1.1 400 Bad Request")
        << body;
  }
  EXPECT_EQ(
      StatusLine(rig_.Ask("POST /api/stopwatch HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                          "14\r\n\r\n{\"name\":\"tea\"}")),
      "HTTP/1.1 415 Unsupported Media Type");
  EXPECT_EQ(GetAll(), "{}");
}

TEST_F(StopwatchRoutesTest, PathsMethodsAndParametersAreKnownOrRefused) {
  const auto status = [&](std::string_view verb, std::string_view path) {
    return StatusLine(rig_.Ask(std::string(verb) + " " + std::string(path) +
                               " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  };
  EXPECT_EQ(status("PUT", "/api/stopwatch"), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(status("DELETE", "/api/stopwatch"), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(status("PUT", "/api/stopwatch/tea"), "HTTP/1.1 405 Method Not Allowed");
  EXPECT_EQ(status("GET", "/api/stopwatch?x=1"), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(status("GET", "/api/stopwatch/tea?x=1"), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(status("GET", "/api/stopwatches"), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(status("GET", "/api"), "HTTP/1.1 404 Not Found");
}

TEST_F(StopwatchRoutesTest, HeadHasTheHeadOfGet) {
  Start("tea");
  for (const char* path : {"/api/stopwatch", "/api/stopwatch/tea"}) {
    HttpClient client(*rig_.http);
    client.Send("HEAD " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    rig_.http->RunUntil([&] { return HttpClient::Split(client.Received(), true).size() == 1; });
    EXPECT_EQ(StatusLine(client.Received()), "HTTP/1.1 200 OK");
    EXPECT_TRUE(client.Received().ends_with("\r\n\r\n"));
  }
}

TEST_F(StopwatchRoutesTest, EventsWithoutParametersIsAStopwatchOfThatName) {
  EXPECT_EQ(StatusLine(GetName("events")), "HTTP/1.1 403 Forbidden");
  Start("events");
  EXPECT_EQ(BodyOf(GetName("events")), R"({"local":0})");
  EXPECT_EQ(BodyOf(GetName("events?")), R"({"local":0})");
  EXPECT_EQ(BodyOf(GetName("%65vents")), R"({"local":0})");
  EXPECT_EQ(StatusLine(GetName("%65vents?name=events")), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(StatusLine(rig_.Delete("/api/stopwatch/events")), "HTTP/1.1 204 No Content");
  EXPECT_EQ(GetAll(), "{}");
}

TEST_F(StopwatchRoutesTest, ALongListIsStreamedPageByPage) {
  std::string expected = "{";
  for (int i = 0; i < 40; ++i) {
    const std::string name = "n" + std::to_string(100 + i);
    Start(name);
    expected += (i == 0 ? "\"" : ",\"") + name + "\":0";
  }
  EXPECT_EQ(AskStreamed(Get("/api/stopwatch")), expected + "}");
  for (TenantId tenant = 2; tenant < 9; ++tenant) StartAs(tenant, "n100");
  EXPECT_EQ(AskStreamed(Get("/api/stopwatch/n100")),
            R"({"local":0,"bob":0,"carol":0,"carol":0,"carol":0,"carol":0,"carol":0,"carol":0})");
}

TEST_F(StopwatchRoutesTest, NoFurtherPageIsReadBeforeTheClientTookTheLast) {
  const std::string name(kUserNameCharsMax - 4, 'x');
  for (int i = 0; i < 1000; ++i) {
    rig_.engine->stopwatches().Start(0, kLocalTenant, name + std::to_string(1000 + i),
                                     rig_.http->clock.mono);
  }
  rig_.http->RunTurns();
  const std::string tail = name + "1999\":0}";
  StreamCollector slow;
  const ReplyTo to = slow.New();
  rig_.lists().Answer(to, kLocalTenant, "");
  rig_.http->RunUntil([&] { return slow.at(to).streamed; });
  rig_.http->RunTurns(200);
  EXPECT_EQ(rig_.queries_run, 1u);
  slow.GiveRoom(to);
  rig_.http->RunTurns(400);
  // As much as there was room for, to a page, and no page that waits here.
  const std::string& text = slow.at(to).text;
  EXPECT_LE(text.size(), kStreamUnsentBytesMax + HttpApiRig::kPageRows * (tail.size() + 2));
  EXPECT_EQ(rig_.queries_run * HttpApiRig::kPageRows,
            static_cast<size_t>(std::count(text.begin(), text.end(), ':')));
  for (int room = 0; room < 3; ++room) {
    slow.GiveRoom(to);
    rig_.http->RunTurns(400);
  }
  EXPECT_TRUE(slow.at(to).ended);
  EXPECT_TRUE(text.ends_with(tail));
  EXPECT_EQ(static_cast<size_t>(std::count(text.begin(), text.end(), ',')), 999u);
}

TEST_F(StopwatchRoutesTest, AClientThatGoesAwayLeavesNothingBehind) {
  for (int i = 0; i < 10; ++i) Start("n" + std::to_string(i));
  rig_.hold_queries = true;
  {
    HttpClient gone(*rig_.http);
    gone.Send(Get("/api/stopwatch"));
    rig_.http->RunUntil([&] { return !rig_.held_queries.empty(); });
  }
  rig_.http->RunTurns();
  rig_.hold_queries = false;
  rig_.http->RunTurns(50);
  EXPECT_EQ(rig_.replies->size(), 0u);
  EXPECT_EQ(rig_.http->server->connections(), 1u);
}

TEST_F(StopwatchRoutesTest, WhatCannotBeDoneIsSaid) {
  rig_.engine->SetNoSpace(true);
  EXPECT_EQ(StatusLine(Start("tea")), "HTTP/1.1 507 Insufficient Storage");
  rig_.engine->SetNoSpace(false);
  rig_.disk->FailCommit(1, false);
  EXPECT_EQ(StatusLine(Start("tea")), "HTTP/1.1 500 Internal Server Error");
  EXPECT_EQ(StatusLine(rig_.Delete("/api/stopwatch/tea")), "HTTP/1.1 503 Service Unavailable");
}

TEST(StopwatchRoutesWithTokens, EachUserSeesTheirOwnAndWhoSharesAName) {
  HttpApiRig rig({}, Authentication::Mode::kToken);
  rig.Admit("b", 2);
  rig.Admit("c", 3);
  const auto bearer = [](const char* token) {
    return "Authorization: Bearer " + std::string(token) + "\r\n";
  };
  for (const char* path : {"/api/stopwatch", "/api/stopwatch/tea", "/api/stopwatch/events",
                           "/api/stopwatch/events?own=true"}) {
    EXPECT_EQ(StatusLine(rig.Ask(Get(path))), "HTTP/1.1 401 Unauthorized") << path;
  }
  const auto start = [&](const char* token, std::string_view body) {
    return StatusLine(rig.Ask(PostJson("/api/stopwatch", body, bearer(token))));
  };
  EXPECT_EQ(start("b", R"({"name":"tea"})"), "HTTP/1.1 201 Created");
  EXPECT_EQ(BodyOf(rig.Ask(Get("/api/stopwatch", bearer("c")))), "{}");
  const std::string somebodys = rig.Ask(Get("/api/stopwatch/tea", bearer("c")));
  const std::string nobodys = rig.Ask(Get("/api/stopwatch/sit", bearer("c")));
  EXPECT_EQ(StatusLine(somebodys), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(BodyOf(somebodys), BodyOf(nobodys));
  EXPECT_EQ(start("c", R"({"name":"tea"})"), "HTTP/1.1 201 Created");
  EXPECT_EQ(BodyOf(rig.Ask(Get("/api/stopwatch/tea", bearer("c")))), R"({"bob":0,"carol":0})");
  rig.Ask("DELETE /api/stopwatch/tea HTTP/1.1\r\nHost: h\r\n" + bearer("c") + "\r\n");
  EXPECT_EQ(BodyOf(rig.Ask(Get("/api/stopwatch", bearer("b")))), R"({"tea":0})");
}

}  // namespace
}  // namespace belfry
