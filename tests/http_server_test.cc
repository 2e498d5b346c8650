#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/http_rig.h"

namespace belfry {
namespace {

TEST(HttpServer, BeyondTheCapClientsWaitForARoom) {
  EchoHandler handler;
  ServerOptions options;
  options.connections_max = 2;
  HttpRig rig(handler, options);
  HttpClient first(rig);
  HttpClient second(rig);
  rig.RunUntil([&] { return rig.server->connections() == 2; });
  HttpClient third(rig);
  third.Send(Get("/third"));
  rig.RunTurns(50);
  EXPECT_EQ(rig.server->connections(), 2u);
  EXPECT_EQ(third.Received(), "");
  first.Close();
  EXPECT_EQ(BodyOf(third.Responses(1)[0]), "/third");
}

TEST(HttpServer, WhenFullTheIdleMakeRoom) {
  EchoHandler handler;
  ServerOptions options;
  options.connections_max = 1;
  HttpRig rig(handler, options);
  HttpClient idle(rig);
  EXPECT_EQ(BodyOf(idle.Ask(Get("/a"))), "/a");
  HttpClient waits(rig);
  waits.Send(Get("/waits"));
  rig.RunTurns();
  EXPECT_EQ(waits.Received(), "");
  rig.Advance(kCrowdedIdleTimeoutMs);
  EXPECT_EQ(BodyOf(waits.Responses(1)[0]), "/waits");
  idle.UntilEnd();
}

TEST(HttpServer, AUnixSocketServesAndIsRemovedAtTheEnd) {
  const std::string path = testing::TempDir() + "http_server_test.sock";
  std::filesystem::remove(path);
  EchoHandler handler;
  {
    HttpRig rig(handler);
    ASSERT_TRUE(rig.server->ListenUnix(path).ok());
    EXPECT_EQ(rig.server->ListenUnix(path).code(), StatusCode::kIoError);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const std::string request = Get("/local");
    ASSERT_EQ(send(fd, request.data(), request.size(), 0), ssize_t(request.size()));
    std::string received;
    rig.RunUntil([&] {
      char buffer[4096];
      const ssize_t count = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (count > 0) received.append(buffer, static_cast<size_t>(count));
      return received.ends_with("/local");
    });
    close(fd);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(HttpServer, AStaleUnixSocketIsReplacedButNoOtherFile) {
  const std::string path = testing::TempDir() + "http_server_test.stale";
  std::filesystem::remove(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(fd);
  EchoHandler handler;
  HttpRig rig(handler);
  EXPECT_TRUE(rig.server->ListenUnix(path).ok());
  EXPECT_EQ(rig.server->ListenUnix("/dev/null").code(), StatusCode::kInvalid);
  EXPECT_EQ(rig.server->ListenUnix(std::string(200, 'x')).code(), StatusCode::kInvalid);
}

TEST(HttpServer, AUnixSocketHasItsModeWhateverTheUmask) {
  const std::string path = testing::TempDir() + "http_server_test.mode";
  std::filesystem::remove(path);
  EchoHandler handler;
  HttpRig rig(handler);
  const mode_t before = umask(0177);
  EXPECT_TRUE(rig.server->ListenUnix(path, 0666).ok());
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0666u);
}

TEST(HttpServer, WhatTookThePlaceOfItsSocketIsLeftAlone) {
  const std::string path = testing::TempDir() + "http_server_test.taken";
  std::filesystem::remove(path);
  EchoHandler handler;
  {
    HttpRig rig(handler);
    ASSERT_TRUE(rig.server->ListenUnix(path).ok());
    std::filesystem::remove(path);
    std::ofstream(path) << "mine";
  }
  EXPECT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
}

// Four at one stale socket, ten times: one of them listens, and whoever asks reaches it.
TEST(HttpServer, OfManyWhoFindAStaleSocketOneGetsIt) {
  const std::string path = testing::TempDir() + "http_server_test.race";
  for (int round = 0; round < 10; ++round) {
    std::filesystem::remove(path);
    const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    close(stale);
    std::atomic<int> listening = 0;
    std::vector<std::thread> threads;
    std::vector<std::unique_ptr<EchoHandler>> handlers(4);
    std::vector<std::unique_ptr<HttpRig>> rigs(4);
    for (size_t i = 0; i < rigs.size(); ++i) {
      handlers[i] = std::make_unique<EchoHandler>();
      rigs[i] = std::make_unique<HttpRig>(*handlers[i]);
      threads.emplace_back([&, i] {
        if (rigs[i]->server->ListenUnix(path).ok()) ++listening;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(listening, 1);
  }
}

TEST(HttpServer, APortInUseIsAnErrorThatNamesIt) {
  EchoHandler handler;
  HttpRig rig(handler);
  const Result<uint16_t> again = rig.server->ListenTcp("127.0.0.1", rig.port);
  ASSERT_FALSE(again.ok());
  EXPECT_NE(again.status().message().find("127.0.0.1:" + std::to_string(rig.port)),
            std::string::npos);
  EXPECT_FALSE(rig.server->ListenTcp("example.com", 0).ok());
}

TEST(HttpServer, WithoutDescriptorsItRestsAndRecovers) {
  EchoHandler handler;
  HttpRig rig(handler);
  HttpClient before(rig);
  EXPECT_EQ(BodyOf(before.Ask(Get("/a"))), "/a");
  HttpClient waits(rig);  // in the backlog
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int lowest_free = dup(0);
  close(lowest_free);
  rlimit tight = limit;
  tight.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  waits.Send(Get("/waits"));
  rig.RunTurns(50);
  EXPECT_EQ(rig.server->connections(), 1u);
  EXPECT_EQ(BodyOf(before.Ask(Get("/b"))), "/b");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(BodyOf(waits.Responses(1)[0]), "/waits");
}

TEST(HttpServer, StoppingServesOpenConnectionsOnceMore) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient waiting(rig);
  HttpClient idle(rig);
  waiting.Send(Get("/a") + Get("/b"));
  rig.RunUntil([&] { return handler.open.size() == 2 && rig.server->connections() == 2; });
  rig.server->StopAccepting();
  rig.RunTurns();
  EXPECT_FALSE(rig.server->Flushed());
  handler.AnswerNext("A");
  handler.AnswerNext("B");
  const auto responses = HttpClient::Split(waiting.UntilEnd());
  ASSERT_EQ(responses.size(), 2u);
  EXPECT_FALSE(HasLine(responses[0], "Connection: close"));
  EXPECT_TRUE(HasLine(responses[1], "Connection: close"));
  handler.answer_at_once = true;
  idle.Send(Get("/c"));
  const std::string last = idle.UntilEnd();
  EXPECT_EQ(BodyOf(last), "/c");
  EXPECT_TRUE(HasLine(last, "Connection: close"));
  EXPECT_TRUE(rig.server->Flushed());
}

TEST(HttpServer, AfterStopReadingOnlyWhatWasTakenIsAnswered) {
  EchoHandler handler;
  handler.answer_at_once = false;
  HttpRig rig(handler);
  HttpClient waiting(rig);
  HttpClient idle(rig);
  HttpClient half(rig);
  waiting.Send(Get("/a"));
  half.Send("GET /half HTTP/1.1\r\n");
  rig.RunUntil([&] { return handler.open.size() == 1 && rig.server->connections() == 3; });
  rig.RunTurns();
  rig.server->StopAccepting();
  rig.server->StopReading();
  EXPECT_EQ(idle.UntilEnd(), "");
  EXPECT_EQ(half.UntilEnd(), "");
  waiting.Send(Get("/b"));
  rig.RunTurns();
  EXPECT_FALSE(rig.server->Flushed());
  handler.AnswerNext("A");
  rig.RunUntil([&] { return rig.server->Flushed(); });
  EXPECT_EQ(BodyOf(waiting.UntilEnd()), "A");
  EXPECT_EQ(handler.seen.size(), 1u);
}

}  // namespace
}  // namespace belfry
