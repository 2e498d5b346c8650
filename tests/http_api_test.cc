#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/support/http_api_rig.h"

namespace belfry {
namespace {

TEST(HttpApi, ASetTimerIsAnsweredOnceItIsDurable) {
  HttpApiRig rig;
  const std::string response =
      rig.Ask(PostJson("/timers", R"({"hours":4,"minutes":0,"seconds":1,"url":"http://a/x"})"));
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 201 Created");
  EXPECT_TRUE(HasLine(response, "Location: /timers/1"));
  EXPECT_TRUE(HasLine(response, "Content-Type: application/json"));
  EXPECT_EQ(BodyOf(response), R"({"id":1})");
  rig.hold_ops = true;
  rig.client->Send(PostJson("/timers", R"({"seconds":1,"url":"http://a/x"})"));
  rig.http->RunTurns(50);
  EXPECT_EQ(rig.client->Received(), response);
  EXPECT_EQ(rig.replies->size(), 1u);
  rig.ReleaseOps();
  EXPECT_EQ(BodyOf(rig.client->Responses(2)[1]), R"({"id":2})");
  EXPECT_EQ(rig.replies->size(), 0u);
}

TEST(HttpApi, SixtyFourPipelinedSetsAreAnsweredInOrder) {
  HttpApiRig rig;
  std::string requests;
  for (int i = 0; i < 64; ++i) requests += PostJson("/timers", R"({"seconds":9,"url":"http://a"})");
  rig.client->Send(requests);
  const auto responses = rig.client->Responses(64);
  ASSERT_EQ(responses.size(), 64u);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(BodyOf(responses[static_cast<size_t>(i)]), "{\"id\":" + std::to_string(i + 1) + "}");
  }
}

TEST(HttpApi, TheShortViewCountsDownRoundedUp) {
  HttpApiRig rig;
  rig.Set(645);
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/1"))), R"({"id":1,"time_left":645})");
  rig.http->Advance(1);
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/1"))), R"({"id":1,"time_left":645})");
  rig.http->Advance(999);
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/1"))), R"({"id":1,"time_left":644})");
  rig.PassAndAnswer(644'000, 200);
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/1"))), R"({"id":1,"time_left":0})");
}

TEST(HttpApi, TheFullViewFromPendingToDelivered) {
  HttpApiRig rig;
  rig.Ask(PostJson("/timers", R"({"seconds":10,"url":"http://r/x","method":"PUT"})"));
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/1?view=full"))),
            R"({"id":1,"time_left":10,"state":"pending","due":"2026-11-21T08:00:10.000Z",)"
            R"("created_at":"2026-11-21T08:00:00.000Z","url":"http://r/x","method":"PUT",)"
            R"("attempts":[],"next_attempt":"2026-11-21T08:00:10.000Z","lateness_ms":null,)"
            R"("reason":null})");
  rig.PassAndAnswer(10'003, 503);
  const std::string retrying = BodyOf(rig.Ask(Get("/timers/1?view=full")));
  EXPECT_NE(retrying.find(R"("time_left":0,"state":"retrying")"), std::string::npos) << retrying;
  EXPECT_NE(retrying.find(R"("attempts":[{"at":"2026-11-21T08:00:10.003Z","status":503,)"
                          R"("error":null,"duration_ms":7}],"next_attempt":"2026-11-21T08:00:11)"),
            std::string::npos)
      << retrying;
  rig.PassAndAnswer(2000, 200);
  const std::string delivered = BodyOf(rig.Ask(Get("/timers/1?view=full")));
  EXPECT_NE(delivered.find(R"("state":"delivered")"), std::string::npos) << delivered;
  EXPECT_NE(delivered.find(R"("next_attempt":null,"lateness_ms":3,"reason":null})"),
            std::string::npos)
      << delivered;
}

TEST(HttpApi, CancelSaysExactlyWhatIsTrue) {
  HttpApiRig rig;
  for (int i = 0; i < 3; ++i) rig.Set(10 + 100 * i);
  const std::string cancelled = rig.Delete("/timers/3");
  EXPECT_EQ(StatusLine(cancelled), "HTTP/1.1 200 OK");
  EXPECT_EQ(BodyOf(cancelled), R"({"id":3,"result":"cancelled"})");
  EXPECT_EQ(BodyOf(rig.Delete("/timers/3")), R"({"id":3,"result":"cancelled"})");
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/3"))), R"({"id":3,"time_left":0})");

  rig.http->Advance(10'000);
  ASSERT_EQ(rig.started.size(), 1u);
  const std::string firing = rig.Delete("/timers/1");
  EXPECT_EQ(StatusLine(firing), "HTTP/1.1 409 Conflict");
  EXPECT_TRUE(HasLine(firing, "Content-Type: application/problem+json"));
  EXPECT_EQ(BodyOf(firing),
            R"({"type":"/problems/too-late","title":"Too late","status":409,"detail":)"
            R"("the timer is being delivered; nothing changed","id":1,"result":"already_firing"})");
  EXPECT_NE(BodyOf(rig.Ask(Get("/timers/1?view=full"))).find(R"("state":"firing")"),
            std::string::npos);
  rig.PassAndAnswer(0, 204);
  EXPECT_NE(BodyOf(rig.Delete("/timers/1")).find(R"("id":1,"result":"fired"})"), std::string::npos);
  rig.PassAndAnswer(100'000, 410);
  EXPECT_NE(BodyOf(rig.Delete("/timers/2")).find(R"("id":2,"result":"dead"})"), std::string::npos);
  EXPECT_NE(BodyOf(rig.Ask(Get("/timers/2?view=full"))).find(R"("reason":"gone"})"),
            std::string::npos);
  for (const std::string path : {"/timers/4", "/timers/0", "/timers/01", "/timers/x",
                                 "/timers/18446744073709551616", "/timers/-1", "/timers/1x"}) {
    EXPECT_EQ(StatusLine(rig.Delete(path)), "HTTP/1.1 404 Not Found") << path;
    EXPECT_EQ(StatusLine(rig.Ask(Get(path))), "HTTP/1.1 404 Not Found") << path;
  }
}

TEST(HttpApi, DeletingAllLeavesNothing) {
  HttpApiRig rig;
  for (int i = 0; i < 5; ++i) rig.Set(10);
  EXPECT_EQ(BodyOf(rig.Delete("/timers")), "{}");
  EXPECT_EQ(StatusLine(rig.Ask(Get("/timers/1"))), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/count"))), R"({"count":0})");
  rig.http->Advance(20'000);
  EXPECT_TRUE(rig.started.empty());
  EXPECT_EQ(rig.Set(1), R"({"id":6})");
  for (const std::string query : {"?state=pending", "?dry_run=true", "?x"}) {
    EXPECT_EQ(StatusLine(rig.Delete("/timers" + query)), "HTTP/1.1 400 Bad Request");
  }
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/count"))), R"({"count":1})");
}

std::string LinkOf(const std::string& response) {
  const size_t at = response.find("\r\nLink: <");
  if (at == std::string::npos) return "";
  EXPECT_NE(response.find(">; rel=\"next\"\r\n", at), std::string::npos);
  return response.substr(at + 9, response.find('>', at) - at - 9);
}

TEST(HttpApi, ListsArePagedByLinks) {
  HttpApiRig rig;
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers"))), "[]");
  for (int i = 0; i < 7; ++i) rig.Set(10 * (i + 1));
  rig.Delete("/timers/2");
  std::string path = "/timers?limit=3";
  std::string ids;
  int pages = 0;
  for (; !path.empty() && pages < 10; ++pages) {
    const std::string response = rig.Ask(Get(path));
    const std::string body = BodyOf(response);
    for (size_t at = 0; (at = body.find("{\"id\":", at)) != std::string::npos; ++at) {
      ids += body[at + 6];
    }
    path = LinkOf(response);
  }
  EXPECT_EQ(ids, "1234567");
  EXPECT_EQ(rig.Ask(Get("/timers?limit=3")).find("rel=\"prev\""), std::string::npos);

  // Filters stay in the link.
  const std::string filtered =
      rig.Ask(Get("/timers?state=pending&limit=2&due_after=2026-11-21T09:00:10.000%2B01:00"
                  "&due_before=2026-11-21T08:01:10Z"));
  EXPECT_NE(BodyOf(filtered).find("[{\"id\":3,"), std::string::npos) << filtered;
  EXPECT_EQ(LinkOf(filtered),
            "/timers?limit=2&state=pending&due_after=2026-11-21T09%3A00%3A10.000%2B01%3A00"
            "&due_before=2026-11-21T08%3A01%3A10Z&after=4");
  const std::string rest = rig.Ask(Get(LinkOf(filtered)));
  EXPECT_NE(BodyOf(rest).find("[{\"id\":5,"), std::string::npos);
  EXPECT_NE(BodyOf(rest).find(",{\"id\":6,"), std::string::npos);
}

TEST(HttpApi, APageThatGrowsTooLongEndsEarlyAndGoesOn) {
  HttpApiRig rig;
  const std::string url = "http://r/" + std::string(kUrlBytesMax - 9, 'x');
  constexpr size_t kTimers = kListBytesMax / kUrlBytesMax + 20;
  for (size_t i = 0; i < kTimers; ++i) {
    rig.Ask(PostJson("/timers", "{\"seconds\":9,\"url\":\"" + url + "\"}"));
  }
  const auto count = [](const std::string& body) {
    size_t found = 0;
    for (size_t at = 0; (at = body.find("{\"id\":", at)) != std::string::npos; ++at) ++found;
    return found;
  };
  const std::string first = rig.Ask(Get("/timers?limit=1000"));
  EXPECT_LT(first.size(), kListBytesMax + 2 * kUrlBytesMax);
  ASSERT_NE(LinkOf(first), "");
  const std::string second = rig.Ask(Get(LinkOf(first)));
  EXPECT_EQ(LinkOf(second), "");
  EXPECT_EQ(count(BodyOf(first)) + count(BodyOf(second)), kTimers);
}

TEST(HttpApi, CountsWithAndWithoutFilters) {
  HttpApiRig rig;
  for (int i = 0; i < 4; ++i) rig.Set(10 * (i + 1));
  rig.Delete("/timers/1");
  const auto count = [&](std::string_view query) {
    return BodyOf(rig.Ask(Get("/timers/count" + std::string(query))));
  };
  EXPECT_EQ(count(""), R"({"count":4})");
  EXPECT_EQ(count("?state=cancelled"), R"({"count":1})");
  EXPECT_EQ(count("?state=pending"), R"({"count":3})");
  EXPECT_EQ(count("?state=pending&due_after=2026-11-21T08:00:20Z"), R"({"count":2})");
  EXPECT_EQ(count("?due_before=2026-11-21T08:00:20+00:00"), R"({"count":1})");
}

TEST(HttpApi, QueriesAreStrict) {
  HttpApiRig rig;
  rig.Set(10);
  for (const std::string path : {"/timers?limit=0",
                                 "/timers?limit=1001",
                                 "/timers?limit=x",
                                 "/timers?limit=",
                                 "/timers?limit=1&limit=1",
                                 "/timers?limit",
                                 "/timers?Limit=1",
                                 "/timers?label=a:b",
                                 "/timers?state=paused",
                                 "/timers?state=",
                                 "/timers?due_after=yesterday",
                                 "/timers?due_after=2026-11-21T08:00:00",
                                 "/timers?limit=%zz",
                                 "/timers?limit=1&",
                                 "/timers?&limit=1",
                                 "/timers?=1",
                                 "/timers?after=-1",
                                 "/timers/count?limit=1",
                                 "/timers/1?view=",
                                 "/timers/1?view=short",
                                 "/timers/1?full",
                                 "/timers/1?view=full&x=1",
                                 "/health?x=1",
                                 "/ready?x=1"}) {
    const std::string response = rig.Ask(Get(path));
    EXPECT_EQ(StatusLine(response), "HTTP/1.1 400 Bad Request") << path;
    EXPECT_NE(BodyOf(response).find("/problems/invalid-query"), std::string::npos) << path;
  }
  EXPECT_EQ(StatusLine(rig.Ask(PostJson("/timers?x=1", R"({"seconds":1,"url":"http://a"})"))),
            "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(StatusLine(rig.Ask(Get("/timers?"))), "HTTP/1.1 200 OK");
  EXPECT_EQ(StatusLine(rig.Ask(Get("/timers/1?view=f%75ll"))), "HTTP/1.1 200 OK");
}

TEST(HttpApi, PathsAndMethods) {
  HttpApiRig rig;
  const auto ask = [&](std::string_view method, std::string_view path) {
    return rig.Ask(std::string(method) + " " + std::string(path) +
                   " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  };
  for (const std::string path :
       {"/index.html", "/timer", "/timers/", "/timers/1/fire", "//timers", "/timers/1/", "/TIMERS",
        "/api/stopwatch/", "/metrics", "/timers/bulk", "/timers/1/retries", "/timers/0",
        "/timers/01", "/timers/1x", "/timers/-1", "/timers/%31"}) {
    for (const std::string method : {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
      const std::string response = ask(method, path);
      EXPECT_EQ(StatusLine(response), "HTTP/1.1 404 Not Found") << method << " " << path;
      EXPECT_NE(BodyOf(response).find("/problems/not-found"), std::string::npos);
    }
  }
  const auto allow = [&](std::string_view method, std::string_view path) {
    const std::string response = ask(method, path);
    EXPECT_EQ(StatusLine(response), "HTTP/1.1 405 Method Not Allowed") << method << path;
    const size_t at = response.find("\r\nAllow: ") + 9;
    return response.substr(at, response.find("\r\n", at) - at);
  };
  EXPECT_EQ(allow("PUT", "/timers"), "POST, GET, HEAD, DELETE");
  EXPECT_EQ(allow("PATCH", "/timers/1"), "GET, HEAD, DELETE");
  EXPECT_EQ(allow("POST", "/timers/1"), "GET, HEAD, DELETE");
  EXPECT_EQ(allow("DELETE", "/timers/count"), "GET, HEAD");
  EXPECT_EQ(allow("GET", "/timers/retry"), "POST");
  EXPECT_EQ(allow("GET", "/timers/1/retry"), "POST");
  EXPECT_EQ(allow("OPTIONS", "/timers"), "POST, GET, HEAD, DELETE");
  EXPECT_EQ(allow("PROPFIND", "/health"), "GET, HEAD");
  EXPECT_EQ(StatusLine(ask("OPTIONS", "*")), "HTTP/1.1 404 Not Found");
}

TEST(HttpApi, DeadTimersComeBackOneByOneAndByRange) {
  HttpApiRig rig;
  const auto retry = [&](std::string_view what) {
    return rig.Ask("POST /timers/" + std::string(what) +
                   "retry HTTP/1.1\r\nHost: localhost\r\n\r\n");
  };
  rig.Set(0);
  rig.PassAndAnswer(0, 410);
  std::string response = retry("1/");
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 202 Accepted");
  EXPECT_EQ(BodyOf(response), R"({"id":1,"state":"pending"})");
  response = retry("1/");
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 409 Conflict");
  EXPECT_NE(BodyOf(response).find(R"("id":1,"result":"already_firing"})"), std::string::npos);
  EXPECT_EQ(StatusLine(retry("2/")), "HTTP/1.1 404 Not Found");
  rig.PassAndAnswer(0, 410);
  EXPECT_EQ(BodyOf(rig.Ask("POST /timers/retry?dry_run=true HTTP/1.1\r\nHost: localhost\r\n\r\n")),
            R"({"count":1})");
  response = retry("");
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 202 Accepted");
  EXPECT_EQ(BodyOf(response), R"({"count":1})");
  rig.PassAndAnswer(100, 200);
  EXPECT_NE(BodyOf(rig.Ask(Get("/timers/1?view=full"))).find(R"("state":"delivered")"),
            std::string::npos);
  EXPECT_EQ(BodyOf(retry("")), R"({"count":0})");
}

TEST(HttpApi, HeadAnswersWhereGetDoes) {
  HttpApiRig rig;
  rig.Set(10);
  HttpClient client(*rig.http);
  client.Send("HEAD /timers/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string all = client.UntilEnd();
  EXPECT_EQ(StatusLine(all), "HTTP/1.1 200 OK");
  EXPECT_TRUE(HasLine(all, "Content-Length: 23"));
  EXPECT_EQ(BodyOf(all), "");
}

TEST(HttpApi, IdempotencyKeysGiveTheFirstAnswerAgain) {
  HttpApiRig rig;
  const std::string body = R"({"seconds":10,"url":"http://a"})";
  const auto set = [&](std::string_view header, std::string_view with = "") {
    const std::string response = rig.Ask(PostJson(
        "/timers", with.empty() ? body : with, "Idempotency-Key: " + std::string(header) + "\r\n"));
    return StatusLine(response).substr(9, 3) + " " + BodyOf(response).substr(0, 40);
  };
  EXPECT_EQ(set("k1"), R"(201 {"id":1})");
  EXPECT_EQ(set("k1"), R"(201 {"id":1})");
  EXPECT_EQ(set("\"k1\""), R"(201 {"id":1})") << "quoted or bare";
  const std::string second = set("k2");
  EXPECT_EQ(second.substr(0, 3), "201");
  EXPECT_NE(second, R"(201 {"id":1})");
  EXPECT_EQ(set("k2"), second);
  EXPECT_EQ(set(R"("a\"b\\")").substr(0, 3), "201");
  EXPECT_EQ(set("k1", R"({"seconds":11,"url":"http://a"})").substr(0, 3), "422");
  for (const std::string bad : {"", "\"", "\"\"", "\"a", "\"a\"b\"", "\"a\\x\"", "\xc3\xa4"}) {
    EXPECT_EQ(set(bad).substr(0, 3), "400") << bad;
  }
  EXPECT_EQ(set(std::string(kIdempotencyKeyBytesMax, 'k')).substr(0, 3), "201");
  EXPECT_EQ(set(std::string(kIdempotencyKeyBytesMax + 1, 'k')).substr(0, 3), "400");
  EXPECT_EQ(StatusLine(
                rig.Ask(PostJson("/timers", body, "Idempotency-Key: a\r\nIdempotency-Key: a\r\n"))),
            "HTTP/1.1 400 Bad Request");

  rig.hold_ops = true;
  rig.client->Send(PostJson("/timers", body, "Idempotency-Key: slow\r\n"));
  rig.http->RunTurns();
  HttpClient other(*rig.http);
  const std::string busy = other.Ask(PostJson("/timers", body, "Idempotency-Key: slow\r\n"));
  EXPECT_EQ(StatusLine(busy), "HTTP/1.1 409 Conflict");
  EXPECT_NE(BodyOf(busy).find("/problems/idempotency-in-progress"), std::string::npos);
  rig.ReleaseOps();
}

TEST(HttpApi, BodiesNeedAContentTypeAndAnObject) {
  HttpApiRig rig;
  const std::string body = R"({"seconds":10,"url":"http://a"})";
  const auto with_type = [&](std::string_view header) {
    return StatusLine(rig.Ask("POST /timers HTTP/1.1\r\nHost: localhost\r\n" + std::string(header) +
                              "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                              body));
  };
  EXPECT_EQ(with_type("Content-Type: application/json\r\n"), "HTTP/1.1 201 Created");
  EXPECT_EQ(with_type("Content-Type: Application/JSON; charset=utf-8\r\n"), "HTTP/1.1 201 Created");
  for (const std::string bad :
       {"", "Content-Type: text/plain\r\n", "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/jsonx\r\n", "Content-Type:\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n"}) {
    EXPECT_EQ(with_type(bad), "HTTP/1.1 415 Unsupported Media Type") << bad;
  }
  // Where no body is taken, only an empty one and `{}` are nothing.
  const auto delete_with = [&](std::string_view text) {
    return StatusLine(
        rig.Ask("DELETE /timers/1 HTTP/1.1\r\nHost: localhost\r\n"
                "Content-Type: application/json\r\nContent-Length: " +
                std::to_string(text.size()) + "\r\n\r\n" + std::string(text)));
  };
  EXPECT_EQ(delete_with(" { }\n"), "HTTP/1.1 200 OK");
  EXPECT_EQ(delete_with(R"({"force":true})"), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(delete_with("[]"), "HTTP/1.1 400 Bad Request");
}

TEST(HttpApi, ABodyThatIsRefusedAsAWholeNamesTheWhole) {
  HttpApiRig rig;
  for (const std::string body : {"[]", "null"}) {
    EXPECT_NE(BodyOf(rig.Ask(PostJson("/timers", body)))
                  .find(R"("errors":[{"pointer":"","detail":"must be a JSON object"}])"),
              std::string::npos);
  }
  const std::string get = rig.Ask(
      "GET /timers HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 7\r\n\r\n{\"a\":1}");
  EXPECT_EQ(StatusLine(get), "HTTP/1.1 400 Bad Request");
  EXPECT_NE(BodyOf(get).find(R"("errors":[{"pointer":"","detail":"must be absent or `{}`"}])"),
            std::string::npos);
}

TEST(HttpApi, ALongParameterNameIsToldAgainInShort) {
  HttpApiRig rig;
  const std::string response = rig.Ask(Get("/timers?" + std::string(5000, 'q') + "=1"));
  EXPECT_NE(BodyOf(response).find(" `" + std::string(kEchoedBytesMax, 'q') + "...` here\""),
            std::string::npos)
      << response;
}

TEST(HttpApi, AnInvalidBodyNamesItsMembers) {
  HttpApiRig rig;
  const std::string response =
      rig.Ask(PostJson("/timers", R"({"seconds":-1,"url":"ftp://a","typo":1})"));
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 400 Bad Request");
  EXPECT_EQ(BodyOf(response),
            R"({"type":"/problems/invalid-body","title":"Invalid body","status":400,)"
            R"("detail":"/seconds must be from 0 to 253402300799",)"
            R"("errors":[{"pointer":"/seconds","detail":"must be from 0 to 253402300799"},)"
            R"({"pointer":"/url","detail":"must start with http://"},)"
            R"({"pointer":"/typo","detail":"there is no such member"}]})");
  EXPECT_FALSE(HasLine(response, "Connection: close"));
  EXPECT_NE(BodyOf(rig.Ask(PostJson("/timers", "{"))).find("/problems/invalid-json"),
            std::string::npos);
}

// The list of bad input that the product has to stand; each time: one clear answer, nothing stored,
// still serving.
TEST(HttpApi, BadInputStoresNothingAndServingGoesOn) {
  HttpApiRig rig;
  using std::string_literals::operator""s;
  const std::string good = R"({"seconds":1,"url":"http://a"})";
  const std::string length = "Content-Length: " + std::to_string(good.size()) + "\r\n";
  const auto raw = [&](std::string_view headers) {
    return "POST /timers HTTP/1.1\r\nContent-Type: application/json\r\n" + std::string(headers) +
           "\r\n" + good;
  };
  struct Case {
    std::string request;
    int status;
    bool closed;
  };
  const Case cases[] = {
      {PostJson("/timers", "{\"seconds\":1"), 400, false},
      {PostJson("/timers", R"({"seconds":"1","url":"http://a"})"), 400, false},
      {PostJson("/timers", R"({"seconds":-1,"url":"http://a"})"), 400, false},
      {PostJson("/timers", R"({"hours":9223372036854775807,"url":"http://a"})"), 400, false},
      {PostJson("/timers", R"({"seconds":1,"url":"someserver.com"})"), 400, false},
      {PostJson("/timers", R"({"seconds":1,"url":"ftp://a"})"), 400, false},
      {PostJson("/timers", R"({"seconds":1})"), 400, false},
      {PostJson("/timers", R"({"seconds":1,"url":"http://a","x":1})"), 400, false},
      {PostJson("/timers?x=1", good), 400, false},
      {PostJson("/timers", std::string(300 * 1024, ' ')), 413, true},
      {raw("Host: a\r\nX: " + std::string(20 * 1024, 'x') + "\r\n" + length), 431, true},
      {PostJson("/timers?" + std::string(20 * 1024, 'x'), good), 414, true},
      {raw("Host: a\r\nX: \0\r\n"s + length), 400, true},
      {PostJson("/timers", "{\"seconds\":1,\"url\":\"http://a\0\"}"s), 400, false},
      {raw("Host: localhost\r\nTransfer-Encoding: chunked\r\n" + length), 400, true},
      {raw("Host: localhost\r\n" + length + "Content-Length: 5\r\n"), 400, true},
      {raw("Host: localhost\n" + length), 400, true},
      {raw("Host: localhost\r\nX: a\r\n b\r\n" + length), 400, true},
      {raw(length), 400, true},
      {raw("Host: localhost\r\nHost: localhost\r\n" + length), 400, true},
      {raw("Host: localhost\r\nContent-Length: x\r\n"), 400, true},
      {raw("Host: localhost\r\nTransfer-Encoding: gzip\r\n"), 400, true},
      {raw("Host: evil.example\r\n" + length), 421, false},
  };
  for (const Case& bad : cases) {
    HttpClient client(*rig.http);
    client.Send(bad.request);
    const auto responses = client.Responses(1);
    ASSERT_EQ(responses.size(), 1u) << bad.request.substr(0, 200);
    EXPECT_EQ(StatusLine(responses[0]).substr(9, 3), std::to_string(bad.status))
        << bad.request.substr(0, 200);
    EXPECT_TRUE(HasLine(responses[0], "Content-Type: application/problem+json"));
    EXPECT_EQ(HasLine(responses[0], "Connection: close"), bad.closed) << bad.request.substr(0, 200);
    if (bad.closed) {
      EXPECT_EQ(client.UntilEnd(), responses[0]) << "one answer, then the end";
    }
    EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/count"))), R"({"count":0})");
  }
  EXPECT_EQ(rig.Set(1), R"({"id":1})");
}

TEST(HttpApi, OnlyLocalHostsWithoutTokens) {
  HttpApiRig rig;
  const auto with_host = [&](std::string_view path, std::string_view host) {
    return StatusLine(rig.Ask("GET " + std::string(path) +
                              " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"))
        .substr(9, 3);
  };
  for (const std::string host : {"localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1",
                                 "[::1]:8080", "10.0.0.1", "[fe80::1]"}) {
    EXPECT_EQ(with_host("/timers", host), "200") << host;
  }
  for (const std::string host : {"evil.example", "localhost.evil.example", "127.0.0.1.nip.io",
                                 "127.1", "localhost.", "0x7f.0.0.1", "2130706433"}) {
    EXPECT_EQ(with_host("/timers", host), "421") << host;
    EXPECT_EQ(with_host("/nowhere", host), "421") << host;
    EXPECT_EQ(with_host("/health", host), "200") << host;
    EXPECT_EQ(with_host("/ready", host), "200") << host;
  }
  EXPECT_EQ(
      StatusLine(rig.Ask("GET http://evil.example/timers HTTP/1.1\r\nHost: localhost\r\n\r\n")),
      "HTTP/1.1 421 Misdirected Request");
  EXPECT_EQ(StatusLine(rig.Ask("GET http://127.0.0.1/timers HTTP/1.1\r\nHost: evil.com\r\n\r\n")),
            "HTTP/1.1 421 Misdirected Request");
  EXPECT_EQ(StatusLine(rig.Ask("GET http://127.0.0.1/timers HTTP/1.1\r\nHost: localhost\r\n\r\n")),
            "HTTP/1.1 200 OK");
  HttpClient old(*rig.http);
  old.Send("GET /timers HTTP/1.0\r\n\r\n");
  EXPECT_EQ(StatusLine(old.UntilEnd()), "HTTP/1.1 421 Misdirected Request");

  HttpApiRig open({}, Authentication::Mode::kToken);
  open.Admit("secret", kLocalTenant);
  EXPECT_EQ(StatusLine(open.Ask("GET /timers HTTP/1.1\r\nHost: any.example\r\n"
                                "Authorization: Bearer secret\r\n\r\n")),
            "HTTP/1.1 200 OK");
}

TEST(HttpApi, HealthAndReady) {
  HttpApiRig rig;
  EXPECT_EQ(BodyOf(rig.Ask(Get("/health"))), R"({"status":"ok"})");
  EXPECT_EQ(StatusLine(rig.Ask(Get("/ready"))), "HTTP/1.1 200 OK");
  rig.why_not_ready = "the clock is a year behind";
  const std::string response = rig.Ask(Get("/ready"));
  EXPECT_TRUE(HasLine(response, "Retry-After: 1"));
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 503 Service Unavailable");
  EXPECT_NE(BodyOf(response).find("\"detail\":\"the clock is a year behind\""), std::string::npos);
  EXPECT_EQ(StatusLine(rig.Ask(Get("/health"))), "HTTP/1.1 200 OK");
}

TEST(HttpApi, CorsOnlyForConfiguredOrigins) {
  HttpApiRig rig({.cors_origins = {"https://app.example"}});
  const std::string preflight = rig.Ask(
      "OPTIONS /timers HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n"
      "Access-Control-Request-Method: POST\r\n\r\n");
  EXPECT_EQ(StatusLine(preflight), "HTTP/1.1 204 No Content");
  EXPECT_TRUE(HasLine(preflight, "Access-Control-Allow-Origin: https://app.example"));
  EXPECT_TRUE(HasLine(preflight, "Access-Control-Allow-Methods: POST, GET, HEAD, DELETE, OPTIONS"));
  EXPECT_TRUE(HasLine(preflight, "Vary: Origin"));
  EXPECT_EQ(preflight.find("Content-Length"), std::string::npos);
  const std::string other = rig.Ask(
      "OPTIONS /timers HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n"
      "Access-Control-Request-Method: POST\r\n\r\n");
  EXPECT_EQ(other.find("Access-Control"), std::string::npos);
  const std::string set = rig.Ask(
      PostJson("/timers", R"({"seconds":1,"url":"http://a"})", "Origin: https://app.example\r\n"));
  EXPECT_TRUE(HasLine(set, "Access-Control-Allow-Origin: https://app.example"));
}

TEST(HttpApi, EarlyErrorsCanBeReadByThePagesOfConfiguredOrigins) {
  HttpApiRig rig({.cors_origins = {"https://app.example"}});
  const std::string origin = "Origin: https://app.example\r\n";
  const std::string too_large = rig.Ask("POST /timers HTTP/1.1\r\nHost: localhost\r\n" + origin +
                                        "Content-Length: 300000\r\n\r\n");
  EXPECT_EQ(StatusLine(too_large), "HTTP/1.1 413 Content Too Large");
  const std::string misdirected =
      rig.Ask("GET /timers HTTP/1.1\r\nHost: evil.example\r\n" + origin + "\r\n");
  EXPECT_EQ(StatusLine(misdirected), "HTTP/1.1 421 Misdirected Request");
  for (const std::string& response : {too_large, misdirected}) {
    EXPECT_TRUE(HasLine(response, "Vary: Origin")) << response;
    EXPECT_TRUE(HasLine(response, "Access-Control-Allow-Origin: https://app.example")) << response;
  }
}

TEST(HttpApi, RefusalsOfTheSchedulerAreTold) {
  HttpApiRig rig;
  const std::string set = PostJson("/timers", R"({"seconds":1,"url":"http://a"})");
  rig.engine->SetNoSpace(true);
  const std::string full = rig.Ask(set);
  EXPECT_EQ(StatusLine(full), "HTTP/1.1 507 Insufficient Storage");
  EXPECT_NE(BodyOf(full).find("\"type\":\"/problems/no-space\""), std::string::npos);
  rig.engine->SetNoSpace(false);

  rig.hold_ops = true;
  rig.client->Send(set);
  rig.http->RunTurns();
  rig.engine->StoreFailed();
  const auto responses = rig.client->Responses(2);
  ASSERT_EQ(responses.size(), 2u);
  EXPECT_EQ(StatusLine(responses[1]), "HTTP/1.1 500 Internal Server Error");
  EXPECT_NE(BodyOf(responses[1]).find("\"type\":\"/problems/outcome-unknown\""), std::string::npos);
}

TEST(HttpApi, OverloadTellsToComeBack) {
  HttpApiRig rig;
  rig.hold_ops = true;
  std::vector<std::unique_ptr<HttpClient>> clients;
  const std::string set = PostJson("/timers", R"({"seconds":1,"url":"http://a"})");
  std::string batch;
  for (int i = 0; i < kPipelinedRequestsMax; ++i) batch += set;
  for (size_t i = 0; i < kSetsQueuedMax / kPipelinedRequestsMax; ++i) {
    clients.push_back(std::make_unique<HttpClient>(*rig.http));
    clients.back()->Send(batch);
  }
  rig.http->RunUntil([&] { return rig.replies->size() == kSetsQueuedMax; });
  const std::string refused = rig.Ask(set);
  EXPECT_EQ(StatusLine(refused), "HTTP/1.1 503 Service Unavailable");
  EXPECT_TRUE(HasLine(refused, "Retry-After: 1"));
  EXPECT_NE(BodyOf(refused).find("\"type\":\"/problems/overloaded\""), std::string::npos);
  rig.ReleaseOps();
  EXPECT_EQ(clients[0]->Responses(kPipelinedRequestsMax).size(), size_t{kPipelinedRequestsMax});
}

TEST(HttpApi, AClientThatLeftStillHasItsTimer) {
  HttpApiRig rig;
  rig.hold_ops = true;
  {
    HttpClient leaves(*rig.http);
    leaves.Send(PostJson("/timers", R"({"seconds":9,"url":"http://a"})"));
    rig.http->RunUntil([&] { return rig.replies->size() == 1; });
  }
  rig.http->RunTurns();
  rig.ReleaseOps();
  rig.http->RunTurns();
  EXPECT_EQ(rig.replies->size(), 0u);
  EXPECT_EQ(BodyOf(rig.Ask(Get("/timers/1"))), R"({"id":1,"time_left":9})");
}

}  // namespace
}  // namespace belfry
