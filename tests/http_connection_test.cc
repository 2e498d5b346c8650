#include <gtest/gtest.h>

#include <utility>

#include "tests/support/http_rig.h"

namespace belfry {
namespace {

TEST(HttpConnection, AnswersAndStaysOpen) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  const std::string first = client.Ask(Get("/a"));
  EXPECT_EQ(StatusLine(first), "HTTP/1.1 200 OK");
  EXPECT_EQ(BodyOf(first), "/a");
  EXPECT_TRUE(HasLine(first, "Date: Sat, 21 Nov 2026 08:00:00 GMT"));
  EXPECT_TRUE(HasLine(first, "Content-Type: application/json"));
  EXPECT_FALSE(HasLine(first, "Connection: close"));
  EXPECT_EQ(BodyOf(client.Ask(Get("/b"))), "/b");
  EXPECT_EQ(rig.server->connections(), 1u);
}

TEST(HttpConnection, ABodyMayComeInPieces) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  const std::string request = PostJson("/p", std::string(200'000, 'x'));
  client.Send(request.substr(0, 20));
  rig.RunTurns();
  client.Send(request.substr(20, 70'000));
  rig.RunTurns();
  client.Send(request.substr(70'020));
  EXPECT_EQ(client.Responses(1).size(), 1u);
  EXPECT_EQ(handler.seen, std::vector<std::string>{"POST /p " + std::string(200'000, 'x')});
}

TEST(HttpConnection, PipelinedAnswersKeepTheOrder) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig);
  std::string requests;
  for (int i = 0; i < 64; ++i) requests += Get("/" + std::to_string(i));
  client.Send(requests);
  rig.RunUntil([&] { return handler.open.size() == 64; });
  for (size_t i = handler.open.size(); i-- > 0;) {
    Response response;
    response.body = "answer " + std::to_string(i);
    Respond(handler.open[i], std::move(response));
    if (i > 0) {
      rig.RunTurns(1);
      EXPECT_EQ(client.Received(), "") << i;
    }
  }
  const auto responses = client.Responses(64);
  ASSERT_EQ(responses.size(), 64u);
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(BodyOf(responses[i]), "answer " + std::to_string(i));
}

TEST(HttpConnection, AReadDoesNotOvertakeTheChangeItWasSentBehindNorTheReverse) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig);
  const auto answer_all = [&] {
    for (const ReplyTo& to : std::exchange(handler.open, {})) Respond(to, Response{});
  };
  client.Send(PostJson("/a", "{}") + PostJson("/b", "{}") + Get("/c"));
  rig.RunTurns(50);
  EXPECT_EQ(handler.open.size(), 2u);
  client.Send("\r\n" + Get("/d") + "DEL");
  rig.RunTurns(50);
  EXPECT_EQ(handler.open.size(), 2u);
  answer_all();
  rig.RunUntil([&] { return handler.open.size() == 2; });
  client.Send("ETE /e HTTP/1.1\r\nHost: h\r\n\r\n");
  rig.RunTurns(50);
  EXPECT_EQ(handler.open.size(), 2u);
  answer_all();
  rig.RunUntil([&] { return handler.open.size() == 1; });
  answer_all();
  EXPECT_EQ(client.Responses(5).size(), 5u);
  EXPECT_EQ(handler.seen, (std::vector<std::string>{"POST /a {}", "POST /b {}", "GET /c ",
                                                    "GET /d ", "DELETE /e "}));
}

TEST(HttpConnection, AReadBehindHalfAnEmptyLineDoesNotOvertakeEither) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send(PostJson("/a", "{}") + "\r");
  rig.RunUntil([&] { return handler.open.size() == 1; });
  client.Send("\n\r");
  rig.RunTurns(50);
  client.Send("\n" + Get("/b"));
  rig.RunTurns(50);
  EXPECT_EQ(handler.open.size(), 1u);
  handler.AnswerNext("a");
  rig.RunUntil([&] { return handler.open.size() == 1; });
  handler.AnswerNext("b");
  EXPECT_EQ(client.Responses(2).size(), 2u);
}

TEST(HttpConnection, ThousandsOfPipelinedRequestsAreAllAnswered) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  std::string requests;
  for (int i = 0; i < 5000; ++i) requests += Get("/" + std::to_string(i));
  client.Send(requests);
  const auto responses = client.Responses(5000);
  ASSERT_EQ(responses.size(), 5000u);
  for (size_t i = 0; i < 5000; ++i) EXPECT_EQ(BodyOf(responses[i]), "/" + std::to_string(i));
}

TEST(HttpConnection, BeyondTheBoundRequestsWaitUntilAnswersAreGiven) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig);
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += Get("/" + std::to_string(i));
  client.Send(requests);
  rig.RunUntil([&] { return handler.open.size() == kPipelinedRequestsMax; });
  rig.RunTurns();
  EXPECT_EQ(handler.seen.size(), size_t{kPipelinedRequestsMax});
  handler.AnswerNext("0");
  rig.RunUntil([&] { return handler.seen.size() == kPipelinedRequestsMax + 1u; });
  for (int i = 1; i < 100; ++i) {
    rig.RunUntil([&] { return !handler.open.empty(); });
    handler.AnswerNext(std::to_string(i));
  }
  const auto responses = client.Responses(100);
  ASSERT_EQ(responses.size(), 100u);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(BodyOf(responses[i]), std::to_string(i));
}

TEST(HttpConnection, AClientThatDoesNotReadIsNotReadFrom) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig, 4096);
  client.Send(Get("/large"));
  rig.RunUntil([&] { return handler.open.size() == 1; });
  handler.AnswerNext(std::string(32 * 1024 * 1024, 'x'));
  rig.RunTurns();
  client.Send(Get("/a") + Get("/b"));
  rig.RunTurns(100);
  EXPECT_EQ(handler.seen.size(), 1u);
  // Once it reads, all goes on.
  handler.answer_at_once = true;
  EXPECT_EQ(client.Responses(3).size(), 3u);
}

TEST(HttpConnection, KeepAliveOfHttp10IsConfirmed) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient keeps(rig);
  EXPECT_TRUE(HasLine(keeps.Ask("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
                      "Connection: keep-alive"));
  EXPECT_EQ(BodyOf(keeps.Ask("GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")), "/b");
  HttpClient leaves(rig);
  leaves.Send("GET /c HTTP/1.0\r\n\r\n");
  const std::string all = leaves.UntilEnd();
  EXPECT_TRUE(HasLine(all, "Connection: close"));
  EXPECT_EQ(BodyOf(all), "/c");
}

TEST(HttpConnection, BehindConnectionCloseNothingIsTaken) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send(Get("/a", "Connection: close\r\n") + Get("/b"));
  const std::string all = client.UntilEnd();
  EXPECT_EQ(BodyOf(all), "/a");
  EXPECT_FALSE(client.reset);
  EXPECT_EQ(handler.seen, std::vector<std::string>{"GET /a "});
}

TEST(HttpConnection, HeadTellsTheLengthOnly) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send("HEAD /abc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string all = client.UntilEnd();
  EXPECT_TRUE(HasLine(all, "Content-Length: 4"));
  EXPECT_EQ(BodyOf(all), "");
}

TEST(HttpConnection, EveryAnswerHasARequestId) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  const auto id_of = [](const std::string& response) {
    const size_t at = response.find("\r\nX-Request-Id: ");
    EXPECT_NE(at, std::string::npos);
    return response.substr(at + 16, response.find("\r\n", at + 2) - at - 16);
  };
  EXPECT_EQ(id_of(client.Ask(Get("/", "X-Request-Id: mine-1\r\n"))), "mine-1");
  const std::string first = id_of(client.Ask(Get("/")));
  const std::string second = id_of(client.Ask(Get("/")));
  EXPECT_NE(first, second);
  EXPECT_FALSE(first.empty());
  for (const std::string bad : {"a b", "a\"b", "", "a,b"}) {
    EXPECT_NE(id_of(client.Ask(Get("/", "X-Request-Id: " + bad + "\r\n"))), bad);
  }
  const std::string longest(kRequestIdBytesMax, 'x');
  EXPECT_EQ(id_of(client.Ask(Get("/", "X-Request-Id: " + longest + "\r\n"))), longest);
  EXPECT_NE(id_of(client.Ask(Get("/", "X-Request-Id: " + longest + "x\r\n"))), longest + "x");
  EXPECT_NE(id_of(client.Ask("bad\r\n\r\n")), "");
}

TEST(HttpConnection, AMalformedRequestGetsOne400BehindTheAnswersBeforeIt) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send(Get("/a") + "GET / HTTP/1.1\nHost: a\r\n\r\n" + Get("/smuggled"));
  rig.RunUntil([&] { return handler.open.size() == 1; });
  rig.RunTurns();
  EXPECT_EQ(client.Received(), "");
  handler.AnswerNext("first");
  const auto responses = HttpClient::Split(client.UntilEnd());
  ASSERT_EQ(responses.size(), 2u);
  EXPECT_EQ(BodyOf(responses[0]), "first");
  EXPECT_EQ(StatusLine(responses[1]), "HTTP/1.1 400 Bad Request");
  EXPECT_TRUE(HasLine(responses[1], "Connection: close"));
  EXPECT_TRUE(HasLine(responses[1], "Content-Type: application/problem+json"));
  EXPECT_EQ(BodyOf(responses[1]),
            "{\"type\":\"/problems/malformed-request\",\"title\":\"Malformed request\","
            "\"status\":400,\"detail\":\"a line ends without a carriage return\"}");
  EXPECT_FALSE(client.reset);
  EXPECT_EQ(handler.seen.size(), 1u);
  HttpClient other(rig);
  handler.answer_at_once = true;
  EXPECT_EQ(BodyOf(other.Ask(Get("/still"))), "/still");
}

TEST(HttpConnection, AnEarlyErrorCanBeReadThoughTheBodyKeepsComing) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 307200\r\n\r\n");
  client.Send(std::string(300 * 1024, 'x'));
  const std::string all = client.UntilEnd();
  EXPECT_EQ(StatusLine(all), "HTTP/1.1 413 Content Too Large");
  EXPECT_FALSE(client.reset);
  client.Close();
  rig.RunUntil([&] { return rig.server->connections() == 0; });
}

TEST(HttpConnection, ADrainedConnectionIsCutAtABoundOfBytesAndOfTime) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient floods(rig);
  floods.Send("garbage\r\n\r\n");
  floods.UntilEnd();
  const std::string piece(64 * 1024, 'x');
  rig.RunUntil([&] { return !floods.Send(piece) || rig.server->connections() == 0; });
  HttpClient lingers(rig);
  lingers.Send("garbage\r\n\r\n");
  lingers.UntilEnd();
  EXPECT_EQ(rig.server->connections(), 1u);
  rig.Advance(kDrainTimeoutMs - 1);
  EXPECT_EQ(rig.server->connections(), 1u);
  rig.Advance(1);
  EXPECT_EQ(rig.server->connections(), 0u);
}

TEST(HttpConnection, Expect100ContinueIsAnsweredInItsTurn) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send(Get("/a") +
              "POST /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  rig.RunUntil([&] { return handler.open.size() == 1; });
  rig.RunTurns();
  EXPECT_EQ(client.Received(), "");
  handler.AnswerNext("A");
  auto responses = client.Responses(2);
  ASSERT_EQ(responses.size(), 2u);
  EXPECT_EQ(responses[1], "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("{}");
  rig.RunUntil([&] { return handler.open.size() == 1; });
  handler.AnswerNext("B");
  responses = client.Responses(3);
  ASSERT_EQ(responses.size(), 3u);
  EXPECT_EQ(BodyOf(responses[2]), "B");
  EXPECT_EQ(handler.seen.back(), "POST /b {}");
}

TEST(HttpConnection, ExpectOfATooLargeBodyIsRefusedAtOnce) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send(
      "POST /b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 300000\r\n\r\n");
  EXPECT_EQ(StatusLine(client.UntilEnd()), "HTTP/1.1 413 Content Too Large");
}

TEST(HttpConnection, AClientThatLeavesIsForgottenAndItsAnswerDropped) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  {
    HttpClient client(rig);
    client.Send(Get("/a"));
    rig.RunUntil([&] { return handler.open.size() == 1; });
    const linger now{1, 0};
    setsockopt(client.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  rig.RunUntil([&] { return rig.server->connections() == 0; });
  HttpClient next(rig);  // takes the same place
  next.Send(Get("/b"));
  rig.RunUntil([&] { return handler.open.size() == 2; });
  handler.AnswerNext("for nobody");
  handler.AnswerNext("for next");
  EXPECT_EQ(BodyOf(next.Responses(1)[0]), "for next");
}

TEST(HttpConnection, AHalfClosedClientStillGetsItsAnswers) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send(Get("/a") + Get("/b") + "GET /half HT");
  client.ShutdownWriting();
  rig.RunUntil([&] { return handler.open.size() == 2; });
  rig.RunTurns();
  handler.AnswerNext("A");
  handler.AnswerNext("B");
  EXPECT_EQ(HttpClient::Split(client.UntilEnd()).size(), 2u);
  rig.RunUntil([&] { return rig.server->connections() == 0; });
}

TEST(HttpConnection, TooManyHalfSentBytesAreRefused) {
  EchoHandler handler;
  ServerOptions options;
  options.buffered_bytes_max = 100'000;
  HttpRig rig(handler, options);
  HttpClient first(rig);
  HttpClient second(rig);
  const std::string request = PostJson("/p", std::string(90'000, 'x'));
  first.Send(request.substr(0, 80'000));
  rig.RunTurns();
  second.Send(request.substr(0, 80'000));
  const std::string refused = second.UntilEnd();
  EXPECT_EQ(StatusLine(refused), "HTTP/1.1 503 Service Unavailable");
  EXPECT_TRUE(HasLine(refused, "Retry-After: 1"));
  first.Send(request.substr(80'000));
  EXPECT_EQ(StatusLine(first.Responses(1)[0]), "HTTP/1.1 200 OK");
}

TEST(HttpConnection, AnswersNobodyTakesAreDroppedBeyondABoundForAll) {
  EchoHandler handler;
  handler.answer_at_once = false;
  ServerOptions options;
  options.buffered_bytes_max = 24 * 1024 * 1024;
  HttpRig rig(handler, options);
  HttpClient first(rig, 4096);
  HttpClient second(rig, 4096);
  for (HttpClient* client : {&first, &second}) {
    client->Send(Get("/large"));
    rig.RunUntil([&] { return handler.open.size() == 1; });
    handler.AnswerNext(std::string(16 * 1024 * 1024, 'x'));
    rig.RunTurns();
  }
  rig.RunUntil([&] { return rig.server->connections() == 1; });
  EXPECT_EQ(first.Responses(1).size(), 1u);
}

TEST(HttpConnection, NothingIsTakenBehindARequestThatHolds) {
  class Holding final : public RequestHandler {
   public:
    void Handle(const Request&, const ReplyTo& to) override {
      to.responder->HoldFurther(to);
      open.push_back(to);
    }
    std::vector<ReplyTo> open;
  } handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send(Get("/a") + Get("/b") + Get("/c"));
  for (size_t i = 0; i < 3; ++i) {
    rig.RunUntil([&] { return handler.open.size() == i + 1; });
    rig.RunTurns();
    ASSERT_EQ(handler.open.size(), i + 1);
    Response response;
    response.body = std::to_string(i);
    Respond(handler.open[i], std::move(response));
  }
  EXPECT_EQ(BodyOf(client.Responses(3)[2]), "2");
}

TEST(HttpConnection, AnAnsweredRequestHoldsNothing) {
  EchoHandler handler;
  ServerOptions options;
  options.buffered_bytes_max = 100'000;
  HttpRig rig(handler, options);
  std::vector<std::unique_ptr<HttpClient>> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(std::make_unique<HttpClient>(rig));
    EXPECT_EQ(StatusLine(idle.back()->Ask(PostJson("/p", std::string(90'000, 'x')))),
              "HTTP/1.1 200 OK");
  }
  // Nor does one that was handed on and waits for its answer.
  handler.answer_at_once = false;
  for (const auto& client : idle) client->Send(PostJson("/p", std::string(90'000, 'x')));
  rig.RunUntil([&] { return handler.open.size() == idle.size(); });
  EXPECT_EQ(rig.server->connections(), idle.size());
}

// Answers all but the first request at once, with a long body.
class FirstWaits final : public RequestHandler {
 public:
  explicit FirstWaits(size_t bytes) : bytes_(bytes) {}
  void Handle(const Request&, const ReplyTo& to) override {
    if (seen++ == 0) {
      first = to;
    } else {
      Answer(to);
    }
  }
  void Answer(const ReplyTo& to) const {
    Response response;
    response.body = std::string(bytes_, 'x');
    Respond(to, std::move(response));
  }

  size_t seen = 0;
  ReplyTo first;

 private:
  const size_t bytes_;
};

TEST(HttpConnection, AnswersThatWaitForTheirTurnAreBounded) {
  FirstWaits handler(kUnsentBytesMax / 2);
  HttpRig rig(handler);
  HttpClient client(rig);
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += Get("/");
  client.Send(requests);
  rig.RunTurns(50);
  EXPECT_EQ(handler.seen, 4u) << "one waits, two fill the bound, one goes beyond it";
  handler.Answer(handler.first);
  EXPECT_EQ(client.Responses(20).size(), 20u);
  EXPECT_EQ(handler.seen, 20u);
}

TEST(HttpConnection, AnswersThatWaitForTheirTurnCountForAll) {
  FirstWaits handler(200'000);
  ServerOptions options;
  options.buffered_bytes_max = 150'000;
  HttpRig rig(handler, options);
  HttpClient client(rig);
  client.Send(Get("/a") + Get("/b"));
  rig.RunUntil([&] { return handler.seen == 2; });
  rig.RunUntil([&] { return rig.server->connections() == 0; });
}

TEST(HttpConnection, EarlyErrorsTellTheClientsRequestIdOnceTheHeadIsKnown) {
  EchoHandler handler;
  HttpRig rig(handler);
  const std::string id = "X-Request-Id: mine-1\r\n";
  const auto post = [&](std::string_view headers, std::string_view body = "") {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + id + std::string(headers) + "\r\n" +
           std::string(body);
  };
  const std::pair<std::string, std::string> cases[] = {
      {post("Content-Length: 300000\r\n"), "413"},
      {post("Content-Length: 3\r\nExpect: a-miracle\r\n"), "417"},
      {post("Host: b\r\n"), "400"},
      {post("Transfer-Encoding: chunked\r\n", "zz\r\n"), "400"},
      {post("Transfer-Encoding: chunked\r\n", "fffff\r\n"), "413"},
  };
  for (const auto& [request, status] : cases) {
    for (const size_t cut : {request.size(), request.size() - 3, size_t{20}}) {
      HttpClient client(rig);
      client.Send(request.substr(0, cut));
      rig.RunTurns();
      client.Send(request.substr(cut));
      const std::string response = client.UntilEnd();
      EXPECT_EQ(StatusLine(response).substr(9, 3), status) << request;
      EXPECT_TRUE(HasLine(response, "X-Request-Id: mine-1")) << request << cut << response;
    }
  }
  HttpClient slow(rig);
  slow.Send(post("Content-Length: 3\r\n", "a"));
  rig.RunTurns();
  rig.Advance(2 * kBodyTimeoutMs);
  const std::string late = slow.UntilEnd();
  EXPECT_EQ(StatusLine(late), "HTTP/1.1 408 Request Timeout");
  EXPECT_TRUE(HasLine(late, "X-Request-Id: mine-1"));
}

TEST(HttpConnection, AnEarlyErrorToHeadHasNoBody) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send("HEAD / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n");
  const std::string response = client.UntilEnd();
  EXPECT_EQ(StatusLine(response), "HTTP/1.1 417 Expectation Failed");
  EXPECT_FALSE(HasLine(response, "Content-Length: 0"));
  EXPECT_EQ(BodyOf(response), "");
}

}  // namespace
}  // namespace belfry
