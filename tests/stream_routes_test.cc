// /users and their streams over loopback, with the real scheduler and the ledger in memory.

#include <gtest/gtest.h>

#include "base/limits.h"
#include "base/rfc3339.h"
#include "tests/support/http_api_rig.h"

namespace belfry {
namespace {

constexpr TenantId kBob = kLocalTenant + 1;

// As the rig makes them.
std::string Uuid(uint64_t n) { return FormatUuid(UuidV4(2 * n - 1, 2 * n)); }

std::string Send(std::string_view verb, std::string_view path, std::string_view headers = "") {
  return std::string(verb) + " " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" +
         std::string(headers) + "\r\n";
}

class StreamRoutesTest : public testing::Test {
 protected:
  explicit StreamRoutesTest(bool require_user = false)
      : rig_({}, Authentication::Mode::kNone, require_user) {}

  std::string Post(std::string_view path, std::string_view body = "{}") {
    return rig_.Ask(PostJson(path, body));
  }
  std::string StartOne(std::string_view body = "{}") { return Post("/users/joe/streams", body); }
  std::string Put(std::string_view path) { return rig_.Ask(Send("PUT", path)); }
  std::string GetBody(std::string_view path) { return BodyOf(rig_.Ask(Get(path))); }
  std::string At(int64_t after_ms) const { return FormatRfc3339(rig_.http->clock.wall + after_ms); }
  void ExpectNotFound(const std::string& answer) {
    EXPECT_EQ(StatusLine(answer), "HTTP/1.1 404 Not Found");
    EXPECT_NE(BodyOf(answer).find("/problems/not-found"), std::string::npos) << answer;
  }
  // The pointer is named, and nothing was made.
  void ExpectRefused(std::string_view path, std::string_view body, std::string_view pointer) {
    const std::string answer = Post(path, body);
    EXPECT_EQ(StatusLine(answer), "HTTP/1.1 400 Bad Request") << body;
    EXPECT_NE(answer.find("\"pointer\":\"" + std::string(pointer) + "\""), std::string::npos)
        << answer;
  }

  HttpApiRig rig_;
};

TEST_F(StreamRoutesTest, AUserIsMadeOnce) {
  const std::string made = Post("/users", R"({"userId":"joe","limit":5})");
  EXPECT_EQ(StatusLine(made), "HTTP/1.1 201 Created");
  EXPECT_TRUE(HasLine(made, "Location: /users/joe"));
  EXPECT_EQ(BodyOf(made),
            R"({"userId":"joe","limit":5,"active":0,"watching":[],"lastOnline":null})");
  const std::string again = Post("/users", R"({"userId":"joe"})");
  EXPECT_EQ(StatusLine(again), "HTTP/1.1 409 Conflict");
  EXPECT_NE(BodyOf(again).find("/problems/user-exists"), std::string::npos);
  EXPECT_EQ(GetBody("/users/joe"), BodyOf(made));
  EXPECT_EQ(BodyOf(Post("/users", R"({"userId":"jane"})")),
            R"({"userId":"jane","limit":3,"active":0,"watching":[],"lastOnline":null})");
}

TEST_F(StreamRoutesTest, AUserNeedsANameAndALimitWithinBounds) {
  ExpectRefused("/users", "{}", "/userId");
  ExpectRefused("/users", R"({"userId":""})", "/userId");
  ExpectRefused("/users", R"({"userId":7})", "/userId");
  ExpectRefused("/users", R"({"userId":"a\u0000"})", "/userId");
  ExpectRefused("/users", "{\"userId\":\"" + std::string(129, 'a') + "\"}", "/userId");
  ExpectRefused("/users", R"({"userId":"a","limit":0})", "/limit");
  ExpectRefused("/users", R"({"userId":"a","limit":257})", "/limit");
  ExpectRefused("/users", R"({"userId":"a","limit":1.5})", "/limit");
  ExpectRefused("/users", R"({"userId":"a","limit":null})", "/limit");
  ExpectRefused("/users", R"({"userId":"a","limits":3})", "/limits");
  EXPECT_EQ(StatusLine(Post("/users", "{\"userId\":\"" + std::string(128, 'a') + "\"}")),
            "HTTP/1.1 201 Created");
  EXPECT_EQ(StatusLine(Post("/users", R"({"userId":"b","limit":256})")), "HTTP/1.1 201 Created");
  EXPECT_EQ(StatusLine(rig_.Ask(Send("POST", "/users"))), "HTTP/1.1 400 Bad Request");
}

TEST_F(StreamRoutesTest, NamesArePercentEncodedInPaths) {
  Post("/users", R"({"userId":"a b/ü"})");
  const std::string answer = rig_.Ask(Get("/users/a%20b%2F%C3%BC"));
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 200 OK");
  EXPECT_NE(BodyOf(answer).find(R"("userId":"a b/ü")"), std::string::npos);
  const std::string started = Post("/users/a%20b%2F%C3%BC/streams");
  EXPECT_TRUE(HasLine(started, "Location: /users/a%20b%2F%C3%BC/streams/" + Uuid(1))) << started;
  for (const char* bad : {"/users/%00", "/users/%zz", "/users/%ff", "/users/%00/streams"}) {
    const std::string refused = rig_.Ask(Get(bad));
    EXPECT_EQ(StatusLine(refused), "HTTP/1.1 400 Bad Request") << bad;
    EXPECT_NE(refused.find("/problems/invalid-name"), std::string::npos) << bad;
  }
}

TEST_F(StreamRoutesTest, UsersAreListedByNameInPages) {
  EXPECT_EQ(GetBody("/users"), "[]");
  for (const char* name : {"c", "a", "b/d"}) {
    Post("/users", "{\"userId\":\"" + std::string(name) + "\"}");
  }
  const std::string first = rig_.Ask(Get("/users?limit=2"));
  EXPECT_TRUE(HasLine(first, "Link: </users?limit=2&after=b%2Fd>; rel=\"next\"")) << first;
  EXPECT_EQ(BodyOf(first),
            R"([{"userId":"a","limit":3,"active":0,"watching":[],"lastOnline":null},)"
            R"({"userId":"b/d","limit":3,"active":0,"watching":[],"lastOnline":null}])");
  const std::string last = rig_.Ask(Get("/users?limit=2&after=b%2Fd"));
  EXPECT_EQ(BodyOf(last),
            R"([{"userId":"c","limit":3,"active":0,"watching":[],"lastOnline":null}])");
  EXPECT_EQ(last.find("Link:"), std::string::npos);
  for (const char* bad : {"/users?limit=0", "/users?limit=1001", "/users?after=", "/users?x=1"}) {
    EXPECT_EQ(StatusLine(rig_.Ask(Get(bad))), "HTTP/1.1 400 Bad Request") << bad;
  }
}

TEST_F(StreamRoutesTest, AStreamMakesItsUserAndSaysHowManyThereAre) {
  const std::string started = StartOne(R"({"content":"stream_100","ttl":"60s"})");
  EXPECT_EQ(StatusLine(started), "HTTP/1.1 201 Created");
  EXPECT_TRUE(HasLine(started, "Location: /users/joe/streams/" + Uuid(1)));
  EXPECT_EQ(BodyOf(started), "{\"streamId\":\"" + Uuid(1) + "\",\"active\":1,\"limit\":3}");
  EXPECT_EQ(BodyOf(rig_.Ask(Send("POST", "/users/joe/streams"))),
            "{\"streamId\":\"" + Uuid(2) + "\",\"active\":2,\"limit\":3}");
  EXPECT_EQ(GetBody("/users/joe"), R"({"userId":"joe","limit":3,"active":2,)"
                                   R"("watching":["stream_100"],"lastOnline":null})");
  EXPECT_EQ(GetBody("/users/joe/streams"),
            "{\"count\":2,\"limit\":3,\"streams\":[{\"streamId\":\"" + Uuid(1) +
                "\",\"content\":\"stream_100\",\"startedAt\":\"" + At(0) + "\",\"expiresAt\":\"" +
                At(60'000) + "\"},{\"streamId\":\"" + Uuid(2) +
                "\",\"content\":null,\"startedAt\":\"" + At(0) + "\",\"expiresAt\":\"" +
                At(60'000) + "\"}]}");
}

TEST_F(StreamRoutesTest, AStreamIsAnsweredOnceItIsDurable) {
  rig_.hold_ops = true;
  rig_.client->Send(PostJson("/users/joe/streams", "{}"));
  rig_.http->RunTurns(50);
  EXPECT_EQ(rig_.client->Received(), "");
  rig_.ReleaseOps();
  EXPECT_EQ(StatusLine(rig_.client->Responses(1)[0]), "HTTP/1.1 201 Created");
}

TEST_F(StreamRoutesTest, BehindWhatMayListAllStreamsARequestWaits) {
  StartOne();
  rig_.hold_ops = true;
  rig_.hold_queries = true;
  for (const char* path : {"/users", "/users/joe", "/users/joe/streams"}) {
    HttpClient client(*rig_.http);
    rig_.held_queries.clear();
    client.Send(Get(path) + Get(path));
    rig_.http->RunTurns(50);
    EXPECT_EQ(rig_.held_queries.size(), 1u) << path;
  }
  HttpClient starting(*rig_.http);
  starting.Send(PostJson("/users/joe/streams", "{}") + PostJson("/users/joe/streams", "{}"));
  rig_.http->RunTurns(50);
  EXPECT_EQ(rig_.held.size(), 1u);
  HttpClient beating(*rig_.http);
  const std::string beat = Send("PUT", "/users/joe/streams/" + Uuid(1));
  beating.Send(beat + beat);
  rig_.http->RunTurns(50);
  EXPECT_EQ(rig_.held.size(), 3u);
  rig_.hold_queries = false;
  rig_.ReleaseOps();
  EXPECT_EQ(beating.Responses(2).size(), 2u);
}

TEST_F(StreamRoutesTest, MembersOfAStreamAreReadStrictly) {
  const char kPath[] = "/users/joe/streams";
  ExpectRefused(kPath, R"({"content":""})", "/content");
  ExpectRefused(kPath, R"({"content":7})", "/content");
  ExpectRefused(kPath, "{\"content\":\"" + std::string(257, 'c') + "\"}", "/content");
  ExpectRefused(kPath, R"({"ttl":60})", "/ttl");
  ExpectRefused(kPath, R"({"ttl":"999ms"})", "/ttl");
  ExpectRefused(kPath, R"({"ttl":"30d1s"})", "/ttl");
  ExpectRefused(kPath, R"({"ttl":"soon"})", "/ttl");
  ExpectRefused(kPath, R"({"on_expire":"http://x"})", "/on_expire");
  ExpectRefused(kPath, R"({"on_expire":{}})", "/on_expire/url");
  ExpectRefused(kPath, R"({"on_expire":{"url":"ftp://x"}})", "/on_expire/url");
  ExpectRefused(kPath, R"({"on_expire":{"url":"http://a b"}})", "/on_expire/url");
  ExpectRefused(kPath, R"({"on_expire":{"url":"http://x","body":"b"}})", "/on_expire/body");
  ExpectRefused(kPath, R"({"policy":"evict"})", "/policy");
  ExpectRefused(kPath, R"({"contents":"c"})", "/contents");
  EXPECT_EQ(StatusLine(StartOne("[]")), "HTTP/1.1 400 Bad Request");
  ExpectNotFound(rig_.Ask(Get("/users/joe")));
}

TEST_F(StreamRoutesTest, AtTheLimitTheProblemSaysWhatIsPlaying) {
  for (int i = 0; i < 3; ++i) StartOne(R"({"content":"c"})");
  const std::string full = StartOne();
  EXPECT_EQ(StatusLine(full), "HTTP/1.1 409 Conflict");
  EXPECT_TRUE(HasLine(full, "Content-Type: application/problem+json"));
  EXPECT_NE(full.find("\"type\":\"/problems/stream-limit\""), std::string::npos);
  EXPECT_NE(full.find("\"limit\":3,\"active\":3,\"streams\":[{\"streamId\":\"" + Uuid(1)),
            std::string::npos)
      << full;
  EXPECT_NE(GetBody("/users/joe/streams").find("\"count\":3"), std::string::npos);
}

TEST_F(StreamRoutesTest, EvictOldestNamesTheOneItEnded) {
  Post("/users", R"({"userId":"joe","limit":2})");
  const char kEvict[] = R"({"policy":"evict_oldest"})";
  EXPECT_EQ(BodyOf(StartOne(kEvict)).find("evicted"), std::string::npos);
  StartOne(R"({"policy":"reject"})");
  EXPECT_EQ(BodyOf(StartOne(kEvict)), "{\"streamId\":\"" + Uuid(3) +
                                          "\",\"active\":2,\"limit\":2,\"evicted\":[\"" + Uuid(1) +
                                          "\"]}");
  ExpectNotFound(Put("/users/joe/streams/" + Uuid(1)));
}

TEST_F(StreamRoutesTest, AHeartbeatRenewsWhatIsAlive) {
  StartOne(R"({"ttl":"10s"})");
  const std::string path = "/users/joe/streams/" + Uuid(1);
  rig_.http->Advance(9000);
  const std::string renewed = Put(path);
  EXPECT_EQ(StatusLine(renewed), "HTTP/1.1 200 OK");
  EXPECT_EQ(BodyOf(renewed), "{\"expiresAt\":\"" + At(10'000) + "\"}");
  rig_.http->Advance(9999);
  EXPECT_EQ(StatusLine(Put(path)), "HTTP/1.1 200 OK");
  rig_.http->Advance(10'000);
  ExpectNotFound(Put(path));
  ExpectNotFound(Put(path));
}

TEST_F(StreamRoutesTest, AHeartbeatOfWhatIsNotThereIs404) {
  StartOne();
  ExpectNotFound(Put("/users/joe/streams/" + Uuid(2)));
  ExpectNotFound(Put("/users/jane/streams/" + Uuid(1)));
  ExpectNotFound(Put("/users/joe/streams/1"));
  EXPECT_EQ(StatusLine(rig_.Ask(Send("PUT", "/users/joe/streams/" + Uuid(1),
                                     "Content-Type: application/json\r\nContent-Length: 9\r\n") +
                                R"({"ttl":1})")),
            "HTTP/1.1 400 Bad Request");
}

TEST_F(StreamRoutesTest, AStreamIsEndedHoweverOftenItIsAskedFor) {
  for (int i = 0; i < 3; ++i) StartOne();
  const std::string path = "/users/joe/streams/" + Uuid(2);
  for (int i = 0; i < 3; ++i) {
    const std::string ended = rig_.Delete(path);
    EXPECT_EQ(StatusLine(ended), "HTTP/1.1 204 No Content");
    EXPECT_EQ(BodyOf(ended), "");
  }
  EXPECT_EQ(StatusLine(rig_.Delete("/users/joe/streams/" + Uuid(9))), "HTTP/1.1 204 No Content");
  EXPECT_EQ(StatusLine(rig_.Delete("/users/joe/streams/nonsense")), "HTTP/1.1 204 No Content");
  ExpectNotFound(rig_.Delete("/users/jane/streams/nonsense"));
  ExpectNotFound(rig_.Delete("/users/jane/streams/" + Uuid(1)));
  // One slot was freed, not three.
  EXPECT_EQ(StatusLine(StartOne()), "HTTP/1.1 201 Created");
  EXPECT_EQ(StatusLine(StartOne()), "HTTP/1.1 409 Conflict");
}

TEST_F(StreamRoutesTest, LastOnlineIsSetWhenTheLastStreamIsGone) {
  StartOne(R"({"ttl":"5s"})");
  rig_.http->Advance(1000);
  rig_.Delete("/users/joe/streams/" + Uuid(1));
  const std::string ended = At(0);
  rig_.http->Advance(500);
  EXPECT_NE(GetBody("/users/joe").find("\"active\":0,\"watching\":[],\"lastOnline\":\"" + ended),
            std::string::npos);
  StartOne(R"({"ttl":"5s"})");
  EXPECT_NE(GetBody("/users/joe").find("\"lastOnline\":null"), std::string::npos);
  const std::string lapsed = At(5000);
  rig_.http->Advance(9000);
  EXPECT_NE(GetBody("/users/joe").find("\"lastOnline\":\"" + lapsed), std::string::npos);
}

TEST_F(StreamRoutesTest, ALapseFreesTheSlotAndTellsOnce) {
  StartOne(R"({"content":"film","ttl":"5s","on_expire":{"url":"http://r/gone"}})");
  const std::string expired = At(5000);
  rig_.http->Advance(5000);
  rig_.http->RunTurns();
  ASSERT_EQ(rig_.started.size(), 1u);
  const Timer& call = *rig_.started[0].timer;
  EXPECT_EQ(call.url, "http://r/gone");
  EXPECT_TRUE(call.append_id);
  EXPECT_EQ(
      call.headers,
      (std::vector<std::pair<std::string, std::string>>{{"Content-Type", "application/json"}}));
  EXPECT_EQ(call.body, "{\"userId\":\"joe\",\"streamId\":\"" + Uuid(1) +
                           "\",\"content\":\"film\",\"expiredAt\":\"" + expired + "\"}");
  const std::string view = GetBody("/timers/" + std::to_string(call.id) + "?view=full");
  EXPECT_NE(view.find("\"state\":\"firing\""), std::string::npos) << view;
  rig_.PassAndAnswer(10, 200);
  rig_.http->Advance(60'000);
  rig_.http->RunTurns();
  EXPECT_TRUE(rig_.started.empty());
  EXPECT_EQ(GetBody("/users/joe/streams"), R"({"count":0,"limit":3,"streams":[]})");
  EXPECT_EQ(GetBody("/timers/count"), R"({"count":1})");
}

TEST_F(StreamRoutesTest, WhatIsRenewedOrEndedTellsNobody) {
  const char kBody[] = R"({"ttl":"5s","on_expire":{"url":"http://r/gone"}})";
  StartOne(kBody);
  StartOne(kBody);
  rig_.Delete("/users/joe/streams/" + Uuid(2));
  for (int i = 0; i < 5; ++i) {
    rig_.http->Advance(4000);
    EXPECT_EQ(StatusLine(Put("/users/joe/streams/" + Uuid(1))), "HTTP/1.1 200 OK");
  }
  EXPECT_TRUE(rig_.started.empty());
  rig_.http->Advance(5000);
  rig_.http->RunTurns();
  EXPECT_EQ(rig_.started.size(), 1u);
}

TEST_F(StreamRoutesTest, AStartTakesTheSlotOfWhatHasLapsedAtOnce) {
  for (int i = 0; i < 3; ++i) StartOne(R"({"ttl":"5s","on_expire":{"url":"http://r/gone"}})");
  // Nothing of the scheduler runs before the start.
  rig_.http->clock.wall = rig_.http->clock.wall + 5000;
  EXPECT_EQ(BodyOf(StartOne()), "{\"streamId\":\"" + Uuid(4) + "\",\"active\":1,\"limit\":3}");
  rig_.http->RunTurns();
  EXPECT_EQ(rig_.started.size(), 3u);
}

TEST_F(StreamRoutesTest, AClockThatStepsBackEndsNothingEarlyAndRevivesNothing) {
  StartOne(R"({"ttl":"10s"})");
  const std::string path = "/users/joe/streams/" + Uuid(1);
  rig_.http->Advance(5000);
  rig_.http->clock.wall = rig_.http->clock.wall + -60'000;
  EXPECT_EQ(BodyOf(Put(path)), "{\"expiresAt\":\"" + At(10'000) + "\"}");
  rig_.http->clock.wall = rig_.http->clock.wall + 3'600'000;
  ExpectNotFound(Put(path));
  rig_.http->RunTurns();
  rig_.http->clock.wall = rig_.http->clock.wall + -3'600'000;
  ExpectNotFound(Put(path));
  EXPECT_NE(GetBody("/users/joe/streams").find("\"count\":0"), std::string::npos);
}

TEST_F(StreamRoutesTest, AClockThatWasAheadForAMomentTakesNoSlotForLong) {
  rig_.http->clock.wall = rig_.http->clock.wall + kDayMs;
  for (int i = 0; i < 3; ++i) StartOne(R"({"ttl":"10s","on_expire":{"url":"http://r/gone"}})");
  rig_.http->clock.wall = rig_.http->clock.wall + -kDayMs;
  EXPECT_EQ(StatusLine(Put("/users/joe/streams/" + Uuid(1))), "HTTP/1.1 200 OK");
  EXPECT_EQ(StatusLine(StartOne()), "HTTP/1.1 409 Conflict");
  rig_.http->Advance(10'000);
  rig_.http->RunTurns();
  EXPECT_EQ(rig_.started.size(), 3u);
  EXPECT_EQ(StatusLine(StartOne()), "HTTP/1.1 201 Created");
}

TEST_F(StreamRoutesTest, AUserIsDeletedWithTheirStreams) {
  StartOne(R"({"ttl":"5s","on_expire":{"url":"http://r/gone"}})");
  EXPECT_EQ(StatusLine(rig_.Delete("/users/joe")), "HTTP/1.1 204 No Content");
  ExpectNotFound(rig_.Delete("/users/joe"));
  ExpectNotFound(rig_.Ask(Get("/users/joe")));
  ExpectNotFound(rig_.Ask(Get("/users/joe/streams")));
  ExpectNotFound(Put("/users/joe/streams/" + Uuid(1)));
  rig_.http->Advance(60'000);
  rig_.http->RunTurns();
  EXPECT_TRUE(rig_.started.empty());
}

TEST_F(StreamRoutesTest, DeletingAllTimersEndsNoStream) {
  StartOne(R"({"ttl":"5s","on_expire":{"url":"http://r/gone"}})");
  EXPECT_EQ(BodyOf(rig_.Delete("/timers")), "{}");
  EXPECT_NE(GetBody("/users/joe/streams").find("\"count\":1"), std::string::npos);
  rig_.http->Advance(5000);
  rig_.http->RunTurns();
  EXPECT_EQ(rig_.started.size(), 1u);
}

TEST_F(StreamRoutesTest, NoTimerRouteReachesADeadline) {
  StartOne();
  EXPECT_EQ(GetBody("/timers"), "[]");
  EXPECT_EQ(GetBody("/timers/count"), R"({"count":0})");
  ExpectNotFound(rig_.Ask(Get("/timers/1")));
  ExpectNotFound(rig_.Ask(Get("/timers/1?view=full")));
  ExpectNotFound(rig_.Delete("/timers/1"));
  ExpectNotFound(Post("/timers/1/retry"));
  EXPECT_NE(GetBody("/users/joe/streams").find("\"count\":1"), std::string::npos);
}

TEST_F(StreamRoutesTest, WithoutSpaceNothingStartsAndHeartbeatsGoOn) {
  StartOne();
  rig_.engine->SetNoSpace(true);
  for (const std::string& answer : {StartOne(), Post("/users", R"({"userId":"jane"})")}) {
    EXPECT_EQ(StatusLine(answer), "HTTP/1.1 507 Insufficient Storage");
  }
  EXPECT_EQ(StatusLine(Put("/users/joe/streams/" + Uuid(1))), "HTTP/1.1 200 OK");
  EXPECT_EQ(StatusLine(rig_.Delete("/users/joe/streams/" + Uuid(1))), "HTTP/1.1 204 No Content");
}

TEST_F(StreamRoutesTest, AFailedStoreLeavesTheOutcomeOpen) {
  rig_.disk->FailCommit(1, false);
  const std::string answer = StartOne();
  EXPECT_EQ(StatusLine(answer), "HTTP/1.1 500 Internal Server Error");
  EXPECT_NE(answer.find("/problems/outcome-unknown"), std::string::npos);
}

TEST_F(StreamRoutesTest, OtherMethodsAreNamed) {
  EXPECT_TRUE(HasLine(rig_.Ask(Send("PUT", "/users")), "Allow: POST, GET, HEAD"));
  EXPECT_TRUE(HasLine(rig_.Ask(Send("POST", "/users/joe")), "Allow: GET, HEAD, DELETE"));
  EXPECT_TRUE(HasLine(rig_.Ask(Send("PUT", "/users/joe/streams")), "Allow: POST, GET, HEAD"));
  EXPECT_TRUE(HasLine(rig_.Ask(Get("/users/joe/streams/" + Uuid(1))), "Allow: PUT, DELETE"));
}

class StreamRoutesRequiringUsers : public StreamRoutesTest {
 protected:
  StreamRoutesRequiringUsers() : StreamRoutesTest(true) {}
};

TEST_F(StreamRoutesRequiringUsers, AStreamNeedsAUserThatIsThere) {
  ExpectNotFound(StartOne());
  Post("/users", R"({"userId":"joe"})");
  EXPECT_EQ(StatusLine(StartOne()), "HTTP/1.1 201 Created");
}

class StreamRoutesOfTwo : public testing::Test {
 protected:
  StreamRoutesOfTwo() {
    rig_.Admit("a-token", kLocalTenant);
    rig_.Admit("b-token", kBob);
    Scopes timers;
    timers.Add(Scope::kTimersRead);
    timers.Add(Scope::kTimersWrite);
    rig_.Admit("t-token", kBob + 1, timers);
  }
  std::string As(const std::string& token, std::string_view verb, std::string_view path) {
    return rig_.Ask(Send(verb, path, "Authorization: Bearer " + token + "\r\n"));
  }

  HttpApiRig rig_{{}, Authentication::Mode::kToken};
};

TEST_F(StreamRoutesOfTwo, UsersOfAnotherAccountAreNotThere) {
  EXPECT_EQ(StatusLine(As("a-token", "POST", "/users/joe/streams")), "HTTP/1.1 201 Created");
  const std::string stream = "/users/joe/streams/" + Uuid(1);
  const std::pair<const char*, std::string> asked[] = {{"GET", "/users/joe"},
                                                       {"DELETE", "/users/joe"},
                                                       {"GET", "/users/joe/streams"},
                                                       {"PUT", stream},
                                                       {"DELETE", stream}};
  for (const auto& [verb, path] : asked) {
    EXPECT_EQ(StatusLine(As("b-token", verb, path)), "HTTP/1.1 404 Not Found") << verb << path;
  }
  EXPECT_EQ(BodyOf(As("b-token", "GET", "/users")), "[]");
  // A user of the same name is another one.
  for (int i = 0; i < 3; ++i) As("b-token", "POST", "/users/joe/streams");
  EXPECT_EQ(StatusLine(As("b-token", "POST", "/users/joe/streams")), "HTTP/1.1 409 Conflict");
  EXPECT_EQ(StatusLine(As("b-token", "PUT", stream)), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(StatusLine(As("b-token", "DELETE", stream)), "HTTP/1.1 204 No Content");
  EXPECT_EQ(StatusLine(As("a-token", "PUT", stream)), "HTTP/1.1 200 OK");
}

TEST_F(StreamRoutesOfTwo, TheScopeIsNeeded) {
  EXPECT_EQ(StatusLine(As("t-token", "GET", "/users")), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(StatusLine(As("t-token", "POST", "/users/joe/streams")), "HTTP/1.1 403 Forbidden");
  EXPECT_EQ(StatusLine(rig_.Ask(Get("/users"))), "HTTP/1.1 401 Unauthorized");
}

}  // namespace
}  // namespace belfry
