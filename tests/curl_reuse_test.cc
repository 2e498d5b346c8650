// Connections that are used again: one request on the wire is one recorded attempt.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "delivery/curl_sender.h"
#include "tests/support/receiver_http.h"
#include "tests/support/receiver_rig.h"

namespace belfry {
namespace {

const std::vector<std::string>& Bodies() {
  static const std::vector<std::string> bodies{"", "body", std::string(100 * 1024, 'b')};
  return bodies;
}

TEST(CurlReuse, OneConnectionCarriesManyAttempts) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  EXPECT_EQ(receiver.connections(), 1);
}

TEST(CurlReuse, DroppedAfterReadingTheRequestIsNotSentAgain) {
  for (const Then then : {Then::kClose, Then::kReset}) {
    for (const std::string& body : Bodies()) {
      SenderRig rig;
      Receiver receiver(rig.loop);
      receiver.OnRequest([&](const Received& request) {
        return request.index == 1 ? AnswerWith(200) : Answer{"", then};
      });
      for (int i = 0; i < 10; ++i) {
        rig.Send(receiver.url("/"), body);
        // Each second attempt goes out on a connection that then dies.
        if (i % 2 == 1) {
          EXPECT_EQ(rig.outcomes.back().kind, OutcomeKind::kFailed);
          EXPECT_EQ(rig.outcomes.back().error, "connection lost");
          EXPECT_TRUE(rig.outcomes.back().closed_while_idle);
        } else {
          EXPECT_EQ(rig.outcomes.back().status, 200);
        }
      }
      EXPECT_EQ(rig.outcomes.size(), 10u);
      EXPECT_EQ(receiver.requests().size(), 10u) << body.size();
    }
  }
}

TEST(CurlReuse, DroppedBeforeReadingTheRequestIsNotSentAgain) {
  for (const std::string& body : Bodies()) {
    SenderRig rig;
    Receiver receiver(rig.loop);
    receiver.ResetUnreadAfter(1);
    for (int i = 0; i < 10; ++i) {
      const Outcome outcome = rig.Send(receiver.url("/"), body);
      EXPECT_EQ(outcome.kind, i % 2 == 0 ? OutcomeKind::kAnswered : OutcomeKind::kFailed) << i;
    }
    EXPECT_EQ(receiver.requests().size(), 5u) << body.size();
    EXPECT_EQ(receiver.resets_unread(), 5);
    EXPECT_EQ(receiver.connections(), 5);
  }
}

TEST(CurlReuse, AFreshConnectionThatIsDroppedWasNotIdle) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) { return Answer{"", Then::kClose}; });
  const Outcome outcome = rig.Send(receiver.url("/"));
  EXPECT_EQ(outcome.error, "closed");
  EXPECT_FALSE(outcome.closed_while_idle);
}

TEST(CurlReuse, ADroppedRequestIsNotSentAgainOverAnotherOpenConnection) {
  for (const std::string& body : Bodies()) {
    SenderRig rig;
    Receiver receiver(rig.loop);
    for (int i = 0; i < 4; ++i) rig.Start(receiver.url("/"), body);
    ASSERT_TRUE(rig.Settle());
    ASSERT_EQ(receiver.open_connections(), 4);
    receiver.OnRequest([](const Received&) { return Answer{"", Then::kClose}; });
    EXPECT_EQ(rig.Send(receiver.url("/"), body).error, "connection lost");
    EXPECT_EQ(receiver.requests().size(), 5u);
    EXPECT_EQ(receiver.connections(), 4);
  }
}

TEST(CurlReuse, AConnectionClosedWhileIdleCostsNothing) {
  for (const std::string& body : Bodies()) {
    SenderRig rig;
    Receiver receiver(rig.loop);
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(rig.Send(receiver.url("/"), body).status, 200);
      receiver.CloseAll();
      rig.loop.RunTurns(3);
    }
    EXPECT_EQ(receiver.requests().size(), 5u);
  }
}

// curl keeps the status of the attempt before until it sends the next.
TEST(CurlReuse, AnAttemptThatWasNotSentIsNotJudgedByTheAnswerBefore) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  rig.Start(receiver.url("/"));
  rig.sender->InterruptAll();
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes.back().kind, OutcomeKind::kInterrupted);
  EXPECT_EQ(receiver.requests().size(), 1u);
}

TEST(CurlReuse, AnAnswerNobodyAskedForAnswersNothing) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  receiver.Say("HTTP/1.1 299 Unasked\r\nContent-Length: 0\r\n\r\n");
  rig.loop.RunTurns(3);
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  EXPECT_EQ(receiver.requests().size(), 2u);
}

TEST(CurlReuse, TwoAnswersToOneRequestAnswerOnlyThat) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  receiver.OnRequest([](const Received&) {
    return Answer{AnswerWith(200).bytes + "HTTP/1.1 299 Again\r\nContent-Length: 0\r\n\r\n",
                  Then::kKeep};
  });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  EXPECT_EQ(receiver.requests().size(), 5u);
}

TEST(CurlReuse, ATightenedPolicyHoldsForOpenConnections) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  const std::string by_name = "http://localhost:" + std::to_string(receiver.port()) + "/";
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  EXPECT_EQ(rig.Send(by_name).status, 200);
  const size_t before = receiver.requests().size();
  rig.sender->SetPolicy(PolicyOf({"loopback"}, {"127.0.0.1"}));
  EXPECT_EQ(rig.Send(receiver.url("/")).kind, OutcomeKind::kForbidden);
  EXPECT_EQ(rig.Send(by_name).kind, OutcomeKind::kForbidden);
  EXPECT_EQ(receiver.requests().size(), before);
}

// The request waits for its turn when the policy changes: only the check before writing sees it.
TEST(CurlReuse, ThePolicyIsJudgedAgainBeforeTheRequestIsWritten) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  EXPECT_EQ(rig.Send(receiver.url("/")).status, 200);
  rig.Start(receiver.url("/"));
  rig.sender->SetPolicy(PolicyOf({"public"}));
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes.back().kind, OutcomeKind::kForbidden);
  EXPECT_EQ(rig.outcomes.back().error, "policy");
  EXPECT_EQ(receiver.requests().size(), 1u);
  EXPECT_EQ(receiver.connections(), 1);  // it was reused up to this check
}

// Likewise before the first connection: only the check of the socket's own address sees it.
TEST(CurlReuse, ThePolicyIsJudgedWhenTheSocketIsOpened) {
  SenderRig rig;
  Receiver receiver(rig.loop);
  rig.Start(receiver.url("/"));
  rig.sender->SetPolicy(PolicyOf({"public"}));
  ASSERT_TRUE(rig.Settle());
  EXPECT_EQ(rig.outcomes.back().kind, OutcomeKind::kForbidden);
  EXPECT_EQ(receiver.connections(), 0);
}

// A sender with two attempts at most and two idle connections beside them, and the connections that
// it has to each of many receivers.
class FewConnections {
 public:
  FewConnections() : rig(Options()) {
    for (int i = 0; i < 10; ++i) receivers.push_back(std::make_unique<Receiver>(rig.loop));
  }
  static SenderOptions Options() {
    SenderOptions options = SenderRig::LoopbackOptions();
    options.max_in_flight = 2;
    options.idle_connections_max = 2;
    return options;
  }
  [[nodiscard]] int open_connections() const {
    int open = 0;
    for (const auto& receiver : receivers) open += receiver->open_connections();
    return open;
  }
  // Attempts to the first `count` receivers, one after the other, each answered.
  void SendToEach(size_t count) {
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(rig.Send(receivers[i]->url("/")).status, 200);
  }

  SenderRig rig;
  std::vector<std::unique_ptr<Receiver>> receivers;
};

TEST(CurlReuse, IdleConnectionsAreBounded) {
  FewConnections few;
  few.SendToEach(few.receivers.size());
  EXPECT_TRUE(few.rig.loop.RunUntil([&] { return few.open_connections() <= 4; }));
  few.rig.loop.RunTurns(3);
  EXPECT_EQ(few.open_connections(), 4);  // and used up to the bound
}

TEST(CurlReuse, ConnectionsInUseAndIdleOnesAreBoundedTogether) {
  FewConnections few;
  for (const auto& receiver : few.receivers) {
    receiver->OnRequest([](const Received&) { return Answer{"", Then::kKeep}; });
  }
  few.receivers[0]->OnRequest([](const Received&) { return AnswerWith(200); });
  few.receivers[1]->OnRequest([](const Received&) { return AnswerWith(200); });
  few.SendToEach(2);
  for (size_t i = 2; i < few.receivers.size(); ++i) few.rig.Start(few.receivers[i]->url("/"));
  ASSERT_TRUE(few.rig.loop.RunUntil([&] {
    return few.open_connections() == 4 && few.receivers[0]->open_connections() == 0 &&
           few.receivers[1]->open_connections() == 0;
  }));
  few.rig.loop.RunTurns(3);
  EXPECT_EQ(few.open_connections(), 4);
  for (size_t i = 2; i < few.receivers.size(); ++i) few.receivers[i]->CloseAll();
  ASSERT_TRUE(few.rig.loop.RunUntil([&] { return few.rig.outcomes.size() >= 2 + 4; }));
}

// No file can be opened while this lives.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    const int next = dup(0);
    close(next);
    CHECK(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit limit{static_cast<rlim_t>(next), before_.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
  }
  ~NoMoreFiles() { CHECK(setrlimit(RLIMIT_NOFILE, &before_) == 0); }

 private:
  rlimit before_;
};

size_t OpenFiles() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

TEST(CurlReuse, IdleConnectionsGiveWayWhenThereAreNoFiles) {
  FewConnections few;
  few.SendToEach(3);
  ASSERT_EQ(few.open_connections(), 3);
  const size_t before = OpenFiles();
  {
    const NoMoreFiles none;
    EXPECT_EQ(few.rig.Send(few.receivers[3]->url("/")).kind, OutcomeKind::kLocalFault);
    ASSERT_TRUE(few.rig.loop.RunUntil([&] { return few.open_connections() == 0; }));
  }
  EXPECT_EQ(OpenFiles(), before - 2 * 3);  // both ends of each
  few.SendToEach(5);
}

TEST(CurlReuse, IdleConnectionsGiveWayBesideAnAttemptUnderWay) {
  FewConnections few;
  few.SendToEach(2);
  few.receivers[2]->OnRequest([](const Received&) { return Answer{"", Then::kKeep}; });
  const Timer& hangs = few.rig.Start(few.receivers[2]->url("/"));
  ASSERT_TRUE(few.rig.loop.RunUntil([&] { return few.receivers[2]->requests().size() == 1; }));
  {
    const NoMoreFiles none;
    few.rig.Start(few.receivers[3]->url("/"));
    ASSERT_TRUE(few.rig.loop.RunUntil([&] { return few.rig.outcomes.size() == 3; }));
    EXPECT_EQ(few.rig.outcomes.back().kind, OutcomeKind::kLocalFault);
    ASSERT_TRUE(few.rig.loop.RunUntil([&] { return few.open_connections() == 1; }));
  }
  few.receivers[2]->Say(AnswerWith(200).bytes);
  ASSERT_TRUE(few.rig.Settle());
  EXPECT_EQ(few.rig.outcomes.back().id, hangs.id);
  EXPECT_EQ(few.rig.outcomes.back().status, 200);
}

}  // namespace
}  // namespace belfry
