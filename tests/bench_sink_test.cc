// What the sink says of a burst of webhooks, and of connections that it closed.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "bench/arrival_log.h"
#include "bench/receiver.h"
#include "bench/sink.h"

namespace belfry {
namespace {

constexpr int64_t kDueMs = 1'700'000'000'000;

int64_t AfterDue(int64_t ms) { return (kDueMs + ms) * 1'000'000; }

TEST(BurstArrivals, CountsFromTheDueTimeWhateverTheOrder) {
  BurstArrivals arrivals({.expected = 3, .due_ms = kDueMs, .limit_ms = 0});
  arrivals.Add("/hook/2", AfterDue(20));
  arrivals.Add("/hook/1", AfterDue(10));
  EXPECT_FALSE(arrivals.all_came());
  EXPECT_EQ(arrivals.missing(), 1u);
  arrivals.Add("/hook/3", AfterDue(15));
  EXPECT_TRUE(arrivals.clean());
  EXPECT_EQ(arrivals.first_ns(), 10'000'000);
  EXPECT_EQ(arrivals.last_ns(), 20'000'000);
  EXPECT_EQ(arrivals.late_ns().max(), 20'000'000);
}

TEST(BurstArrivals, ASecondOneOfTheSamePathIsADuplicateAndNotLate) {
  BurstArrivals arrivals({.expected = 1, .due_ms = kDueMs, .limit_ms = 0});
  arrivals.Add("/hook/1", AfterDue(10));
  arrivals.Add("/hook/1", AfterDue(5000));
  EXPECT_EQ(arrivals.duplicates(), 1u);
  EXPECT_EQ(arrivals.last_ns(), 10'000'000);
  EXPECT_TRUE(arrivals.all_came());
  EXPECT_FALSE(arrivals.clean());
}

TEST(BurstArrivals, AnEarlyOneCountsAsArrivedButNotInTheLateness) {
  BurstArrivals arrivals({.expected = 2, .due_ms = kDueMs, .limit_ms = 0});
  arrivals.Add("/hook/1", AfterDue(-3));
  arrivals.Add("/hook/2", AfterDue(4));
  EXPECT_EQ(arrivals.early(), 1u);
  EXPECT_EQ(arrivals.first_ns(), -3'000'000);
  EXPECT_EQ(arrivals.late_ns().count(), 1u);
  EXPECT_FALSE(arrivals.clean());
}

TEST(BurstArrivals, WithoutABurstNothingIsKeptButTheCount) {
  BurstArrivals arrivals({});
  arrivals.Add("/hook/1", AfterDue(1));
  arrivals.Add("/hook/1", AfterDue(2));
  EXPECT_EQ(arrivals.different(), 0u);
  EXPECT_EQ(arrivals.Json(), "{\"received\":2}\n");
  EXPECT_EQ(arrivals.Text(), "received    2\n");
}

TEST(BurstArrivals, JsonIsOneObjectOnOneLine) {
  BurstArrivals arrivals({.expected = 2, .due_ms = kDueMs, .limit_ms = 0});
  arrivals.Add("/hook/1", AfterDue(10));
  EXPECT_EQ(arrivals.Json(),
            "{\"received\":1,\"expected\":2,\"arrived\":1,\"missing\":1,\"duplicates\":0,"
            "\"early\":0,\"first_ms\":10.000,\"last_ms\":10.000,\"p50_ms\":10.000,"
            "\"p99_ms\":10.000,\"max_ms\":10.000}\n");
}

TEST(BurstArrivals, NothingAtAllIsAllMissing) {
  const BurstArrivals arrivals({.expected = 2, .due_ms = kDueMs, .limit_ms = 0});
  EXPECT_EQ(arrivals.missing(), 2u);
  EXPECT_NE(arrivals.Text().find("arrived     0 of 2"), std::string::npos);
}

TEST(RequestCounts, WhatComesAfterAnAnswerIsADuplicate) {
  RequestCounts counts;
  counts.Add("/hook/7", false);
  counts.Add("/hook/7", true);
  counts.Add("/hook/8", true);
  EXPECT_EQ(counts.duplicates(), 0u);
  counts.Add("/hook/7", false);
  counts.Add("/hook/8?x", true);
  EXPECT_EQ(counts.duplicates(), 1u);
  EXPECT_EQ(counts.unknown(), 1u);
  EXPECT_EQ(counts.timers(), 2u);
  EXPECT_EQ(counts.answered(), 2u);
  EXPECT_EQ(counts.unanswered(), 2u);
}

TEST(RequestCounts, TheFileHasALineForEachTimer) {
  RequestCounts counts;
  counts.Add("/hook/7", true);
  counts.Add("/hook/7", false);
  char path[] = "/tmp/belfry-counts-XXXXXX";
  close(mkstemp(path));
  ASSERT_TRUE(counts.WriteTo(path).ok());
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  EXPECT_EQ(text.str(), "7 1 1\n");
  EXPECT_FALSE(counts.WriteTo("/no/such/directory/counts").ok());
}

TEST(ArrivalLog, TheFileHasALineForEachRequestInTheOrderTheyCame) {
  ArrivalLog log;
  log.Add("/hook/8", AfterDue(1));
  log.Add("/hook/7?x=1", AfterDue(0));
  log.Add("/hook/8", AfterDue(2));
  char path[] = "/tmp/belfry-arrivals-XXXXXX";
  close(mkstemp(path));
  ASSERT_TRUE(log.WriteTo(path).ok());
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  EXPECT_EQ(text.str(),
            "1700000000001000000 /hook/8\n1700000000000000000 /hook/7?x=1\n"
            "1700000000002000000 /hook/8\n");
  EXPECT_FALSE(log.WriteTo("/no/such/directory/arrivals").ok());
}

// Asks twice on one connection, the second time when the other side has ended.
void AskBehindTheEnd(const Endpoint& receiver) {
  const std::string request = "POST /hook/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(fd, receiver.get(), sizeof(sockaddr_in)), 0);
  send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  char bytes[4096];
  while (recv(fd, bytes, sizeof(bytes), 0) > 0) {
  }
  send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  close(fd);
}

TEST(Receiver, SeesARequestThatWasOnItsWayWhenItClosedAnIdleConnection) {
  EventLoop loop;
  std::vector<std::string> answered;
  std::vector<std::string> unanswered;
  const auto into = [](std::vector<std::string>* list) {
    return [list](std::string_view target, int64_t) { list->emplace_back(target); };
  };
  const auto receiver = Receiver::Listen(loop, *ParseEndpoint("127.0.0.1:0"), into(&answered),
                                         {1, into(&unanswered)});
  ASSERT_TRUE(receiver.ok());
  const Endpoint endpoint = *ParseEndpoint((*receiver)->address());
  int looks = 0;
  LoopTimer look(loop, [&] {
    if (!unanswered.empty() || ++looks > 20'000) loop.Stop();
  });
  look.Start(1, 1);
  std::thread client([&endpoint] { AskBehindTheEnd(endpoint); });
  loop.Run();
  EXPECT_EQ(answered, std::vector<std::string>{"/hook/1"});
  EXPECT_EQ(unanswered, answered);
  EXPECT_EQ((*receiver)->closed_idle(), 1u);
  if (unanswered.empty()) (*receiver)->EndAll();
  client.join();
}

}  // namespace
}  // namespace belfry
