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

TEST(HttpTimeout, ASlowBodyGets408) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient client(rig);
  const std::string request = PostJson("/a", std::string(1000, 'x'));
  client.Send(request.substr(0, request.size() - 900));
  for (int64_t at = 0; at < kBodyTimeoutMs; at += 1000) {
    rig.RunTurns();
    EXPECT_EQ(client.Received(), "");
    client.Send("x");
    rig.Advance(1000);
  }
  EXPECT_EQ(StatusLine(client.UntilEnd()), "HTTP/1.1 408 Request Timeout");
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
