// Hosts with which no connection comes about: curl closes such a socket without telling us, and
// the loop must not go on watching its number.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/receiver_rig.h"

namespace belfry {
namespace {

// Listens on loopback and accepts nothing.
class SilentPort {
 public:
  explicit SilentPort(int backlog) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof(address);
    CHECK(bind(fd_, any, size) == 0 && listen(fd_, backlog) == 0);
    CHECK(getsockname(fd_, any, &size) == 0);
    port_ = ntohs(address.sin_port);
    address_ = address;
  }
  ~SilentPort() {
    for (const int fd : queued_) close(fd);
    close(fd_);
  }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;

  // From now on SYNs are dropped.
  void FillQueue() {
    for (int i = 0; i < 4; ++i) {
      queued_.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      // In progress or refused by the full queue: both are what is wanted.
      (void)connect(queued_.back(), reinterpret_cast<sockaddr*>(&address_), sizeof(address_));
    }
  }
  [[nodiscard]] std::string Url(const std::string& scheme) const {
    return scheme + "://127.0.0.1:" + std::to_string(port_) + "/";
  }

 private:
  int fd_;
  int port_ = 0;
  sockaddr_in address_{};
  std::vector<int> queued_;
};

class CurlStall : public testing::Test {
 protected:
  static SenderOptions Impatient() {
    SenderOptions options = SenderRig::LoopbackOptions();
    options.timeout_ms = 100;
    return options;
  }
  // Ten at once, twice.
  void ExpectTimeouts(const std::string& url) {
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 10; ++i) rig_.Start(url);
      ASSERT_TRUE(rig_.Settle());
    }
    ASSERT_EQ(rig_.outcomes.size(), 20u);
    for (const Outcome& outcome : rig_.outcomes) {
      EXPECT_EQ(outcome.kind, OutcomeKind::kTimeout);
      EXPECT_EQ(outcome.error, "timeout");
    }
  }

  SenderRig rig_{Impatient()};
};

TEST_F(CurlStall, AHostThatDropsWhatWeSendTimesOut) {
  SilentPort hole(0);
  hole.FillQueue();
  ExpectTimeouts(hole.Url("http"));
}

TEST_F(CurlStall, AHostThatStallsInTheTlsHandshakeTimesOut) {
  const SilentPort silent(128);
  ExpectTimeouts(silent.Url("https"));
}

TEST_F(CurlStall, AHostThatNeverAnswersTimesOut) {
  const SilentPort silent(128);
  ExpectTimeouts(silent.Url("http"));
}

}  // namespace
}  // namespace belfry
