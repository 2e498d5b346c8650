#include "daemon/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace belfry {
namespace {

// What systemd would be: a datagram socket at a path or an abstract name ('@...').
class StubManager {
 public:
  explicit StubManager(const std::string& name) : name_(name) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    const bool abstract = name[0] == '@';
    if (abstract) address.sun_path[0] = '\0';
    const size_t bytes = offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(bytes)),
              0);
  }
  ~StubManager() {
    close(fd_);
    if (name_[0] == '/') unlink(name_.c_str());
  }
  // The next message; "" when there is none.
  std::string Next() {
    std::array<char, 4096> buffer{};
    const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
    return got <= 0 ? "" : std::string(buffer.data(), static_cast<size_t>(got));
  }

 private:
  std::string name_;
  int fd_;
};

std::string FreshName(const std::string& prefix) {
  static int number = 0;
  return prefix + "belfry_notify_" + std::to_string(getpid()) + "_" + std::to_string(++number);
}

Notifier OpenAt(const std::string& name) {
  auto notifier = Notifier::Open({name, "", ""});
  EXPECT_TRUE(notifier.ok()) << notifier.status().message();
  return std::move(notifier.value());
}

class NotifySocket : public testing::TestWithParam<bool> {
 protected:
  static std::string Name() { return FreshName(GetParam() ? "@" : testing::TempDir()); }
};

TEST_P(NotifySocket, CarriesEveryMessage) {
  const std::string name = Name();
  StubManager manager(name);
  Notifier notifier = OpenAt(name);
  EXPECT_TRUE(notifier.enabled());
  EXPECT_TRUE(notifier.SayReady("serving").ok());
  EXPECT_EQ(manager.Next(), "READY=1\nSTATUS=serving");
  EXPECT_TRUE(notifier.FeedWatchdog().ok());
  EXPECT_EQ(manager.Next(), "WATCHDOG=1");
  EXPECT_TRUE(notifier.SayReady("two\nlines").ok());
  EXPECT_EQ(manager.Next(), "READY=1\nSTATUS=two lines");
  EXPECT_TRUE(notifier.ExtendTimeout(30'000).ok());
  EXPECT_EQ(manager.Next(), "EXTEND_TIMEOUT_USEC=30000000");
  EXPECT_TRUE(notifier.SayStopping().ok());
  EXPECT_EQ(manager.Next(), "STOPPING=1\nSTATUS=stopping");
  EXPECT_EQ(manager.Next(), "");
}

TEST_P(NotifySocket, AMovedNotifierSpeaksOn) {
  const std::string name = Name();
  StubManager manager(name);
  Notifier first = OpenAt(name);
  Notifier second;
  second = std::move(first);
  EXPECT_TRUE(second.FeedWatchdog().ok());
  EXPECT_EQ(manager.Next(), "WATCHDOG=1");
}

TEST_P(NotifySocket, AManagerThatIsGoneIsAnErrorAndNoMore) {
  const std::string name = Name();
  Notifier notifier = OpenAt(name);
  EXPECT_EQ(notifier.FeedWatchdog().code(), StatusCode::kIoError);
  StubManager manager(name);
  EXPECT_TRUE(notifier.FeedWatchdog().ok()) << "it came back";
}

TEST_P(NotifySocket, AManagerThatDoesNotReadIsNotWaitedFor) {
  const std::string name = Name();
  StubManager manager(name);
  Notifier notifier = OpenAt(name);
  Status status;
  for (int i = 0; i < 100'000 && status.ok(); ++i) status = notifier.FeedWatchdog();
  EXPECT_FALSE(status.ok());
}

INSTANTIATE_TEST_SUITE_P(PathAndAbstract, NotifySocket, testing::Bool(),
                         [](const auto& info) { return info.param ? "Abstract" : "Path"; });

TEST(Notify, WithoutASocketEveryCallIsFine) {
  Notifier notifier = OpenAt("");
  EXPECT_FALSE(notifier.enabled());
  EXPECT_TRUE(notifier.SayReady("x").ok());
  EXPECT_TRUE(notifier.FeedWatchdog().ok());
  EXPECT_TRUE(notifier.SayStopping().ok());
  EXPECT_EQ(notifier.watchdog_interval_ms(), std::nullopt);
}

TEST(Notify, ABadSocketNameIsAnError) {
  for (const std::string& name : {std::string("relative"), std::string("@"), std::string("/"),
                                  std::string("vsock:2:1"), "/" + std::string(200, 'x')}) {
    EXPECT_FALSE(Notifier::Open({name, "", ""}).ok()) << name;
  }
}

TEST(Notify, FeedsTwiceAsOftenAsAskedFor) {
  const std::string pid = std::to_string(getpid());
  const auto interval = [](const std::string& usec, const std::string& watched) {
    auto notifier = Notifier::Open({"@belfry_nobody", usec, watched});
    EXPECT_TRUE(notifier.ok());
    return notifier.value().watchdog_interval_ms();
  };
  EXPECT_EQ(interval("20000000", ""), 10'000);
  EXPECT_EQ(interval("20000000", pid), 10'000);
  EXPECT_EQ(interval("100", pid), 1);
  EXPECT_EQ(interval("", pid), std::nullopt);
  EXPECT_EQ(interval("20000000", "1"), std::nullopt) << "another process is watched";
}

TEST(Notify, NumbersThatAreNoneAreErrors) {
  for (const char* usec : {"x", "-1", "0", "1x", "99999999999999999999"}) {
    EXPECT_FALSE(Notifier::Open({"@belfry_nobody", usec, ""}).ok()) << usec;
  }
  EXPECT_FALSE(Notifier::Open({"@belfry_nobody", "1000", "x"}).ok());
}

TEST(Notify, TheEnvironmentIsTakenOnce) {
  setenv("NOTIFY_SOCKET", "@x", 1);
  setenv("WATCHDOG_USEC", "5", 1);
  setenv("WATCHDOG_PID", "6", 1);
  const NotifyEnvironment environment = TakeNotifyEnvironment();
  EXPECT_EQ(environment.socket, "@x");
  EXPECT_EQ(environment.watchdog_usec, "5");
  EXPECT_EQ(environment.watchdog_pid, "6");
  EXPECT_EQ(std::getenv("NOTIFY_SOCKET"), nullptr);
  EXPECT_EQ(TakeNotifyEnvironment().socket, "");
}

}  // namespace
}  // namespace belfry
