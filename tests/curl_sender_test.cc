// What one attempt sends, and what its outcome says.
#include "delivery/curl_sender.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>

#include "tests/support/receiver_http.h"
#include "tests/support/receiver_rig.h"

namespace belfry {
namespace {

TEST(CurlSender, SendsExactlyTheContractsRequest) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  const Outcome outcome = rig.Send(receiver.url("/hook"));
  EXPECT_EQ(outcome.kind, OutcomeKind::kAnswered);
  EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.id, 1u);
  EXPECT_EQ(outcome.started, rig.clock.wall);
  ASSERT_EQ(receiver.requests().size(), 1u);
  EXPECT_EQ(receiver.requests()[0].head,
            "POST /hook/1 HTTP/1.1\r\n"
            "Host: 127.0.0.1:" +
                std::to_string(receiver.port()) +
                "\r\n"
                "User-Agent: belfry/1.2.3\r\n"
                "webhook-id: abcdefghij-1\r\n"
                "webhook-timestamp: 1795248000\r\n"
                "webhook-attempt: 1\r\n"
                "webhook-due: 2026-11-21T08:00:00.000Z\r\n"
                "Content-Length: 0\r\n\r\n");
}

TEST(CurlSender, SendsABodyWithTheTimersOwnHeaders) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  Timer& timer = rig.NewTimer(receiver.url("/q?x=1"));
  timer.body = std::string("{\"a\":1}\0\xff", 9);
  timer.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}, {"x-CaSe", "a: b"}};
  rig.Send(timer, 7);
  ASSERT_EQ(receiver.requests().size(), 1u);
  const Received& request = receiver.requests()[0];
  EXPECT_EQ(request.line(), "POST /q/1?x=1 HTTP/1.1");
  EXPECT_EQ(request.body, timer.body);
  EXPECT_EQ(request.header("webhook-attempt"), "7");
  EXPECT_NE(request.head.find("\r\nContent-Type: application/json\r\nX-Empty:\r\nx-CaSe: a: b\r\n"),
            std::string::npos)
      << request.head;
}

TEST(CurlSender, ALargeBodyIsSentWithoutExpect) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  const std::string body(kBodyBytesMax, 'b');
  EXPECT_EQ(rig.Send(receiver.url("/"), body).status, 200);
  ASSERT_EQ(receiver.requests().size(), 1u);
  EXPECT_EQ(receiver.requests()[0].body, body);
  EXPECT_EQ(receiver.requests()[0].header("Expect"), "");
}

TEST(CurlSender, NothingOfAnAttemptRemainsForTheNext) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  Timer& first = rig.NewTimer(receiver.url("/a"));
  first.method = Method::kPut;
  first.body = "body";
  first.headers = {{"X-Secret", "s"}, {"Accept", "mine"}};
  rig.Send(first);
  for (const Method method : {Method::kGet, Method::kDelete}) {
    Timer& timer = rig.NewTimer(receiver.url("/b"));
    timer.method = method;
    timer.append_id = false;
    rig.Send(timer);
  }
  rig.Send(receiver.url("/c"));
  ASSERT_EQ(receiver.requests().size(), 4u);
  EXPECT_EQ(receiver.requests()[0].line(), "PUT /a/1 HTTP/1.1");
  EXPECT_EQ(receiver.requests()[0].header("Accept"), "mine");
  EXPECT_EQ(receiver.requests()[1].line(), "GET /b HTTP/1.1");
  EXPECT_EQ(receiver.requests()[2].line(), "DELETE /b HTTP/1.1");
  EXPECT_EQ(receiver.requests()[3].line(), "POST /c/4 HTTP/1.1");
  for (size_t i = 1; i < 4; ++i) {
    const Received& request = receiver.requests()[i];
    EXPECT_EQ(request.header("X-Secret"), "");
    EXPECT_EQ(request.header("Accept"), "");
    EXPECT_EQ(request.header("Content-Length"), i == 3 ? "0" : "") << i;
    EXPECT_EQ(request.body, "");
  }
}

TEST(CurlSender, PutAndPatchWithoutABodySayLengthZero) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  for (const Method method : {Method::kPut, Method::kPatch}) {
    Timer& timer = rig.NewTimer(receiver.url("/"));
    timer.method = method;
    rig.Send(timer);
    EXPECT_EQ(receiver.requests().back().header("Content-Length"), "0");
  }
}

TEST(CurlSender, EveryStatusIsAnAnswer) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  for (const int status : {200, 202, 301, 302, 307, 308, 400, 404, 410, 429, 500, 503}) {
    receiver.OnRequest([&](const Received&) {
      return AnswerWith(status, "Location: " + receiver.url("/elsewhere") + "\r\n");
    });
    const Outcome outcome = rig.Send(receiver.url("/"));
    EXPECT_EQ(outcome.kind, OutcomeKind::kAnswered) << status;
    EXPECT_EQ(outcome.status, status);
  }
  EXPECT_EQ(receiver.requests().size(), 12u);  // no redirect was followed
}

TEST(CurlSender, RetryAfterIsRead) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) { return AnswerWith(503, "retry-AFTER:  120\r\n"); });
  EXPECT_EQ(rig.Send(receiver.url("/")).retry_after_ms, 120 * kSecondMs);
  receiver.OnRequest([](const Received&) { return AnswerWith(503); });
  EXPECT_EQ(rig.Send(receiver.url("/")).retry_after_ms, std::nullopt);
  receiver.OnRequest([](const Received&) {
    Answer answer = AnswerWith(503);
    answer.bytes = "HTTP/1.1 103 Early\r\nRetry-After: 5\r\n\r\n" + answer.bytes;
    return answer;
  });
  const Outcome outcome = rig.Send(receiver.url("/"));
  EXPECT_EQ(outcome.status, 503);
  EXPECT_EQ(outcome.retry_after_ms, std::nullopt);
}

TEST(CurlSender, AStatusThatWasReadStandsWhateverComesLater) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  for (const Then then : {Then::kClose, Then::kReset, Then::kFlood}) {
    receiver.OnRequest([&](const Received&) {
      return Answer{"HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", Then::kKeep};
    });
    rig.Send(receiver.url("/"));
    receiver.OnRequest([&](const Received&) {
      return Answer{"HTTP/1.1 201 x\r\nContent-Length: 99999999\r\n\r\nab", then};
    });
    const Outcome outcome = rig.Send(receiver.url("/"));
    EXPECT_EQ(outcome.kind, OutcomeKind::kAnswered) << static_cast<int>(then);
    EXPECT_EQ(outcome.status, 201);
  }
}

TEST(CurlSender, AnEndlessBodyIsCutAndItsStatusKept) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) {
    return Answer{"HTTP/1.1 200 x\r\n\r\nabc", Then::kFlood};
  });
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  EXPECT_TRUE(rig.loop.RunUntil([&] { return receiver.open_connections() == 0; }));
  EXPECT_LT(receiver.bytes_sent(),
            64u * 1024 * 1024);  // what the sockets took; not the 15 s' worth
}

// Each in a timer that may take longer than a test may.
TEST(CurlSender, WhatFollowsTheStatusHoldsNoSlot) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  for (const char* bytes :
       {"HTTP/1.1 200 OK\r\nX: half a he", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"}) {
    receiver.OnRequest([&](const Received&) { return Answer{bytes, Then::kKeep}; });
    Timer& timer = rig.NewTimer(receiver.url("/"));
    timer.timeout_ms = kTimeoutMsMax;
    EXPECT_EQ(rig.Send(timer).status, 200);
    EXPECT_TRUE(rig.loop.RunUntil([&] { return receiver.open_connections() == 0; }));
  }
}

TEST(CurlSender, ASlowAnswerBehindAnInterimOneIsWaitedFor) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) {
    return Answer{"HTTP/1.1 102 Processing\r\n\r\n", Then::kKeep};
  });
  Timer& timer = rig.NewTimer(receiver.url("/"));
  timer.timeout_ms = 3 * kSecondMs;
  const Outcome outcome = rig.Send(timer);
  EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout);
}

TEST(CurlSender, AnEndlessHeadIsNoAnswer) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  for (const bool interim : {false, true}) {
    receiver.OnRequest([&](const Received&) {
      std::string bytes = interim ? "" : "HTTP/1.1 100 x\r\n";
      while (bytes.size() < 2 * kResponseHeadBytesMax) {
        bytes += interim ? "HTTP/1.1 100 Continue\r\n\r\n" : "X-Filler: abcdefghijklmnop\r\n";
      }
      return Answer{bytes, Then::kKeep};
    });
    const Outcome outcome = rig.Send(receiver.url("/"));
    EXPECT_EQ(outcome.kind, OutcomeKind::kFailed);
    EXPECT_EQ(outcome.error, "protocol");
  }
}

// curl takes lines of 100 KiB at most and reports longer ones as lack of memory.
TEST(CurlSender, AnEndlessHeaderLineIsNoAnswer) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  const std::string filler(200 * 1024, 'a');
  for (const char* start : {"HTTP/1.1 200 ", "HTTP/1.1 100 ", "HTTP/1.1 100 Continue\r\nX: ",
                            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ", "HTTP/1.1 "}) {
    receiver.OnRequest([&](const Received&) { return Answer{start + filler, Then::kKeep}; });
    const Outcome outcome = rig.Send(receiver.url("/"));
    EXPECT_EQ(outcome.kind, OutcomeKind::kFailed) << start;
    EXPECT_EQ(outcome.error, "protocol") << start;
  }
}

TEST(CurlSender, WhatIsNoHttpIsAFailedAttempt) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  const std::vector<std::string> garbage{
      "garbage\r\n\r\n",  "HTTP/9.9 200 OK\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
      "<html>200</html>", "HTTP/1.1 99 x\r\n\r\n",   "HTTP/1.1 OK\r\n\r\n",
      "\r\n\r\n\r\n"};
  for (const std::string& bytes : garbage) {
    receiver.OnRequest([&](const Received&) { return Answer{bytes, Then::kClose}; });
    const Outcome outcome = rig.Send(receiver.url("/"));
    EXPECT_EQ(outcome.kind, OutcomeKind::kFailed) << bytes;
    EXPECT_EQ(outcome.status, 0) << bytes;
    EXPECT_NE(outcome.error, "") << bytes;
  }
  EXPECT_EQ(receiver.requests().size(), garbage.size());
}

TEST(CurlSender, AConnectionThatDiesWithoutAnAnswerIsAFailedAttempt) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) { return Answer{"", Then::kClose}; });
  EXPECT_EQ(rig.Send(receiver.url("/")).error, "closed");
  receiver.OnRequest([](const Received&) { return Answer{"", Then::kReset}; });
  EXPECT_EQ(rig.Send(receiver.url("/")).error, "reset");
  EXPECT_EQ(receiver.requests().size(), 2u);
}

TEST(CurlSender, ARefusedConnectionIsAFailedAttempt) {
  SenderRig rig;
  std::string url;
  {
    Receiver receiver(rig.loop);
    url = receiver.url("/");
  }
  const Outcome outcome = rig.Send(url);
  EXPECT_EQ(outcome.kind, OutcomeKind::kFailed);
  EXPECT_EQ(outcome.error, "refused");
}

TEST(CurlSender, ATlsHandshakeThatFailsIsAFailedAttempt) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) { return Answer{"", Then::kClose}; });
  rig.Start("https://127.0.0.1:" + std::to_string(receiver.port()) + "/");
  ASSERT_TRUE(rig.loop.RunUntil([&] { return receiver.open_connections() == 1; }));
  receiver.Say("this is no TLS record at all\r\n\r\n");
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes[0].error, "tls");
  EXPECT_TRUE(receiver.requests().empty());  // nothing in the clear
}

TEST(CurlSender, AReceiverThatHangsIsATimeout) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) { return Answer{"", Then::kKeep}; });
  Timer& timer = rig.NewTimer(receiver.url("/"));
  timer.timeout_ms = kTimeoutMsMin;
  const Outcome outcome = rig.Send(timer);
  EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout);
  EXPECT_EQ(outcome.error, "timeout");
  EXPECT_EQ(receiver.requests().size(), 1u);
}

TEST(CurlSender, TheConfiguredTimeoutHoldsForTimersWithoutTheirOwn) {
  SenderOptions options = SenderRig::LoopbackOptions();
  options.timeout_ms = kTimeoutMsMin;
  SenderRig rig(options);
  Receiver receiver(rig.loop);
  receiver.StopReading();
  EXPECT_EQ(rig.Send(receiver.url("/")).kind, OutcomeKind::kTimeout);
}

TEST(CurlSender, TheWatchdogCutsWhatCurlMissed) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) { return Answer{"", Then::kKeep}; });
  rig.Start(receiver.url("/"));
  ASSERT_TRUE(rig.loop.RunUntil([&] { return receiver.requests().size() == 1; }));
  rig.clock.mono = rig.clock.mono + kMinuteMs;  // curl's own clock does not see this
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes[0].kind, OutcomeKind::kTimeout);
  EXPECT_EQ(rig.outcomes[0].duration_ms, kMinuteMs);
}

TEST(CurlSender, AProxyInTheEnvironmentIsIgnored) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  Receiver proxy(rig.loop);
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) {
    setenv(name, proxy.url("").c_str(), 1);
  }
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) unsetenv(name);
  EXPECT_EQ(receiver.requests().size(), 1u);
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(CurlSender, AForbiddenAddressIsNeverConnectedTo) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  Receiver receiver6(rig.loop, true);
  rig.sender->SetPolicy(PolicyOf({"public", "private"}));
  for (const std::string& url :
       {receiver.url("/"), receiver6.url("/"),
        "http://[::ffff:127.0.0.1]:" + std::to_string(receiver.port()) + "/",
        "http://localhost:" + std::to_string(receiver.port()) + "/"}) {
    const Outcome outcome = rig.Send(url);
    EXPECT_EQ(outcome.kind, OutcomeKind::kForbidden) << url;
    EXPECT_EQ(outcome.error, "policy");
  }
  EXPECT_EQ(receiver.connections(), 0);
  EXPECT_EQ(receiver6.connections(), 0);
}

TEST(CurlSender, Ipv6IsSentTo) {
  SenderRig rig;
  Receiver receiver(rig.loop, true);
  EXPECT_EQ(rig.Send(receiver.url("/x")).status, 200);
  EXPECT_EQ(receiver.requests()[0].header("Host"), "[::1]:" + std::to_string(receiver.port()));
}

TEST(CurlSender, AHeaderThatMayNotBeSentForbidsTheAttempt) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"X", "a\r\nY: b"}, {"X: y", "v"}, {"", "v"}, {"Content-Length", "5"}}) {
    Timer& timer = rig.NewTimer(receiver.url("/"));
    timer.headers = {{name, value}};
    EXPECT_EQ(rig.Send(timer).kind, OutcomeKind::kForbidden) << name;
  }
  EXPECT_EQ(receiver.connections(), 0);
}

TEST(CurlSender, WithoutFileDescriptorsItIsALocalFault) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  receiver.CloseAll();
  rig.loop.RunTurns(3);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const Outcome outcome = rig.Send(receiver.url("/"));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(outcome.kind, OutcomeKind::kLocalFault);
  EXPECT_EQ(outcome.fault_scope, FaultScope::kHost);
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
}

TEST(CurlSender, InterruptAllEndsEverythingUnderWay) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received& request) {
    const bool answers = request.line().find("/answered") != std::string::npos;
    return Answer{answers ? "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n" : "", Then::kKeep};
  });
  for (int i = 0; i < 10; ++i) rig.Start(receiver.url("/hangs"));
  rig.Start(receiver.url("/answered"));
  rig.Start("http://no.such.name.invalid/");
  ASSERT_TRUE(rig.loop.RunUntil([&] { return receiver.requests().size() == 11; }));
  rig.loop.RunTurns(3);
  rig.Start(receiver.url("/not-even-connected"));
  rig.sender->InterruptAll();
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes.size(), 13u);
  int interrupted = 0;
  for (const Outcome& outcome : rig.outcomes) {
    if (outcome.kind == OutcomeKind::kInterrupted) ++interrupted;
    if (outcome.id == 11) {
      EXPECT_EQ(outcome.status, 200);  // its final status had been read
    }
  }
  EXPECT_GE(interrupted, 11);
  EXPECT_EQ(receiver.requests().size(), 11u);
}

TEST(CurlSender, TwoHundredAtOnceAreAllDelivered) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  Receiver other(rig.loop);
  for (int i = 0; i < 100; ++i) {
    rig.Start(receiver.url("/"), "body");
    rig.Start(other.url("/"));
  }
  EXPECT_EQ(rig.sender->in_flight(), 200u);
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes.size(), 200u);
  for (const Outcome& outcome : rig.outcomes) EXPECT_EQ(outcome.status, 200);
  EXPECT_EQ(receiver.requests().size() + other.requests().size(), 200u);
}

TEST(CurlSender, OneTargetBeyondOneMultiSpillsOver) {
  SenderOptions options = SenderRig::LoopbackOptions();
  options.max_in_flight = 4 * kTransfersPerMulti;
  SenderRig rig(options);
  Receiver receiver(rig.loop);
  const size_t many = 3 * kTransfersPerMulti + 1;
  for (size_t i = 0; i < many; ++i) rig.Start(receiver.url("/"));
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(receiver.requests().size(), many);
}

TEST(CurlSender, StartFromWithinDoneGoesOn) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  int left = 500;
  std::unique_ptr<CurlSender> chain;
  const Timer& timer = rig.NewTimer(receiver.url("/"));
  auto opened = CurlSender::Open(rig.loop.get(), rig.clock, SenderRig::LoopbackOptions(),
                                 [&](const Outcome& outcome) {
                                   EXPECT_EQ(outcome.status, 200);
                                   if (--left > 0) chain->Start({&timer, 1});
                                 });
  chain = std::move(opened.value());
  chain->Start({&timer, 1});
  ASSERT_TRUE(rig.loop.RunUntil([&] { return left == 0; }));
  EXPECT_EQ(receiver.connections(), 1);
  EXPECT_EQ(receiver.requests().size(), 500u);
}

size_t OpenFiles() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

TEST(CurlSender, DestroyedInTheMiddleItLeavesNothingOpen) {
  { const SenderRig first; }  // libuv and OpenSSL keep files of their own from here on
  const size_t before = OpenFiles();
  {
    SenderRig rig;
    Receiver receiver(rig.loop);
    receiver.OnRequest([](const Received&) { return Answer{"", Then::kKeep}; });
    rig.Start(receiver.url("/"));
    rig.Start("http://no.such.name.invalid/");
    ASSERT_TRUE(rig.loop.RunUntil([&] { return receiver.requests().size() == 1; }));
    rig.Start(receiver.url("/"));
    rig.sender.reset();
    EXPECT_TRUE(rig.outcomes.empty() || rig.outcomes.size() == 1);
  }
  EXPECT_EQ(OpenFiles(), before);
}

}  // namespace
}  // namespace belfry
