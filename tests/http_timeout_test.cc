#include <gtest/gtest.h>

#include "tests/support/http_rig.h"

namespace belfry {
namespace {

TEST(HttpTimeout, AnIdleConnectionIsClosedWithoutAWord) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient silent(rig);
  HttpClient used(rig);
  rig.RunUntil([&] { return rig.server->connections() == 2; });
  rig.Advance(kIdleTimeoutMs - 1);
  EXPECT_EQ(BodyOf(used.Ask(Get("/a"))), "/a");
  EXPECT_EQ(rig.server->connections(), 2u);
  rig.Advance(1);
  EXPECT_EQ(silent.UntilEnd(), "");
  EXPECT_EQ(rig.server->connections(), 1u);
  rig.Advance(kIdleTimeoutMs - 2);
  EXPECT_EQ(BodyOf(used.Ask(Get("/b"))), "/b");
}

TEST(HttpTimeout, ASlowHeadGets408HoweverItTrickles) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  const std::string request = Get("/a", "X: " + std::string(100, 'x') + "\r\n");
  for (int64_t at = 0; at < kHeadTimeoutMs; at += 100) {
    client.Send(request.substr(static_cast<size_t>(at / 100), 1));
    rig.RunTurns();
    EXPECT_EQ(client.Received(), "");
    rig.Advance(100);
  }
  const std::string all = client.UntilEnd();
  EXPECT_EQ(StatusLine(all), "HTTP/1.1 408 Request Timeout");
  EXPECT_TRUE(HasLine(all, "Connection: close"));
  EXPECT_TRUE(handler.seen.empty());
}

// Sends `body` at this pace until the time is up or an answer comes; what came.
std::string SendSlowly(HttpRig& rig, HttpClient& client, std::string_view body, size_t bytes,
                       int64_t every_ms, int64_t for_ms) {
  for (int64_t at = 0; at < for_ms && !body.empty() && !client.ended; at += every_ms) {
    const std::string_view piece = body.substr(0, bytes);
    client.Send(piece);
    body.remove_prefix(piece.size());
    rig.RunTurns();
    if (!client.Received().empty()) break;
    rig.Advance(every_ms);
  }
  return client.Received();
}

TEST(HttpTimeout, ASlowBodyGets408HoweverItTrickles) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  const std::string body(1000, 'x');
  const std::string request = PostJson("/a", body);
  client.Send(request.substr(0, request.size() - body.size()));
  rig.RunTurns();
  // Ten bytes a second win ten times two milliseconds a second, and no more.
  EXPECT_EQ(SendSlowly(rig, client, body, 1, 100, kBodyTimeoutMs), "");
  SendSlowly(rig, client, body, 1, 100, 500);
  EXPECT_EQ(StatusLine(client.UntilEnd()), "HTTP/1.1 408 Request Timeout");
  EXPECT_TRUE(handler.seen.empty());
}

TEST(HttpTimeout, AStalledBodyGets408) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  const std::string request = PostJson("/a", std::string(1000, 'x'));
  client.Send(request.substr(0, request.size() - 500));
  rig.RunTurns();
  rig.Advance(kBodyTimeoutMs + 500 * kSecondMs / kBodyBytesPerSecondMin - 1);
  EXPECT_EQ(client.Received(), "");
  rig.Advance(1);
  EXPECT_EQ(StatusLine(client.UntilEnd()), "HTTP/1.1 408 Request Timeout");
}

TEST(HttpTimeout, ASlowBodyThatGoesOnIsTaken) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  const std::string body(60 * kBodyBytesPerSecondMin, 'x');
  const std::string request = PostJson("/a", body);
  client.Send(request.substr(0, request.size() - body.size()));
  rig.RunTurns();
  SendSlowly(rig, client, body, kBodyBytesPerSecondMin, 1000, 120 * kSecondMs);
  EXPECT_EQ(StatusLine(client.Responses(1)[0]), "HTTP/1.1 200 OK");
}

TEST(HttpTimeout, AWaitingClientIsNotIdle) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient client(rig);
  client.Send(Get("/a"));
  rig.RunUntil([&] { return handler.open.size() == 1; });
  rig.Advance(10 * kIdleTimeoutMs);
  handler.AnswerNext("late");
  EXPECT_EQ(BodyOf(client.Responses(1)[0]), "late");
}

TEST(HttpTimeout, AClientThatDoesNotReadItsAnswerIsCut) {
  EchoHandler handler;
  handler.answer_at_once = false;
  ServerOptions options;
  options.buffered_bytes_max = 128 * 1024 * 1024;
  HttpRig rig(handler, options);
  HttpClient client(rig, 4096);
  client.Send(Get("/a"));
  rig.RunUntil([&] { return handler.open.size() == 1; });
  handler.AnswerNext(std::string(64 * 1024 * 1024, 'x'));
  rig.RunTurns();
  rig.Advance(1);
  // As long as it takes something now and then, it stays.
  for (int i = 0; i < 3; ++i) {
    rig.Advance(kWriteStallTimeoutMs - 10);
    const size_t before = client.Received().size();
    rig.RunUntil([&] { return client.Received().size() > before + 1'000'000; });
    rig.Advance(1);
    EXPECT_EQ(rig.server->connections(), 1u);
  }
  // What the kernel still takes into its buffers counts as progress once more.
  for (int i = 0; i < 3; ++i) rig.Advance(kWriteStallTimeoutMs);
  EXPECT_EQ(rig.server->connections(), 0u);
}

TEST(HttpTimeout, TricklingClientsDoNotKeepOthersOut) {
  EchoHandler handler;
  ServerOptions options;
  options.connections_max = 64;
  HttpRig rig(handler, options);
  std::vector<std::unique_ptr<HttpClient>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<HttpClient>(rig));
    slow.back()->Send("GET / HTTP/1.1\r\n");
  }
  rig.RunTurns();
  EXPECT_EQ(rig.server->connections(), 64u);
  HttpClient patient(rig);
  patient.Send(Get("/patient"));
  for (int i = 0; i < 4; ++i) {
    rig.Advance(kHeadTimeoutMs);
    rig.Advance(kDrainTimeoutMs);
  }
  EXPECT_EQ(BodyOf(patient.Responses(1)[0]), "/patient");
}

}  // namespace
}  // namespace belfry
