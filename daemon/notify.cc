#include "daemon/notify.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/time.h"

namespace belfry {
namespace {

constexpr int64_t kUsecPerMs = 1000;

std::string Take(const char* name) {
  const char* value = std::getenv(name);
  std::string out = value == nullptr ? "" : value;
  unsetenv(name);
  return out;
}

std::optional<int64_t> PositiveNumber(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

// nullopt inside the Result: systemd watches nobody, or another process.
Result<std::optional<int64_t>> WatchdogIntervalMs(const NotifyEnvironment& environment) {
  std::optional<int64_t> interval_ms;
  if (environment.watchdog_usec.empty()) return interval_ms;
  const auto usec = PositiveNumber(environment.watchdog_usec);
  if (!usec) return Invalid("WATCHDOG_USEC=" + environment.watchdog_usec + ": not a number");
  if (!environment.watchdog_pid.empty()) {
    const auto pid = PositiveNumber(environment.watchdog_pid);
    if (!pid) return Invalid("WATCHDOG_PID=" + environment.watchdog_pid + ": not a number");
    if (*pid != getpid()) return interval_ms;
  }
  interval_ms = std::max<int64_t>(*usec / kUsecPerMs / 2, 1);
  return interval_ms;
}

// One variable a line: a line break in a value would start another.
std::string OneLine(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

}  // namespace

NotifyEnvironment TakeNotifyEnvironment() {
  return {Take("NOTIFY_SOCKET"), Take("WATCHDOG_USEC"), Take("WATCHDOG_PID")};
}

Notifier::~Notifier() {
  if (fd_ >= 0) close(fd_);
}

Notifier::Notifier(Notifier&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      address_(other.address_),
      address_bytes_(other.address_bytes_),
      interval_ms_(std::exchange(other.interval_ms_, std::nullopt)) {}

Notifier& Notifier::operator=(Notifier&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(address_, other.address_);
  std::swap(address_bytes_, other.address_bytes_);
  std::swap(interval_ms_, other.interval_ms_);
  return *this;
}

Result<Notifier> Notifier::Open(const NotifyEnvironment& environment) {
  Notifier notifier;
  const std::string& name = environment.socket;
  if (name.empty()) return notifier;
  if ((name[0] != '/' && name[0] != '@') || name.size() < 2 ||
      name.size() >= sizeof(notifier.address_.sun_path)) {
    return Invalid("NOTIFY_SOCKET=" + name + ": not a path or an abstract name");
  }
  auto interval_ms = WatchdogIntervalMs(environment);
  if (!interval_ms.ok()) return interval_ms.status();

  notifier.address_.sun_family = AF_UNIX;
  std::memcpy(notifier.address_.sun_path, name.data(), name.size());
  // An abstract name starts with a NUL and is not ended by one.
  const bool abstract = name[0] == '@';
  if (abstract) notifier.address_.sun_path[0] = '\0';
  notifier.address_bytes_ =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
  notifier.interval_ms_ = interval_ms.value();
  notifier.fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (notifier.fd_ < 0) return IoError(std::string("notify socket: ") + std::strerror(errno));
  return notifier;
}

Status Notifier::SayReady(std::string_view status) {
  return Send("READY=1\nSTATUS=" + OneLine(status));
}

Status Notifier::SayStopping() { return Send("STOPPING=1\nSTATUS=stopping"); }

Status Notifier::FeedWatchdog() { return Send("WATCHDOG=1"); }

Status Notifier::ExtendTimeout(int64_t at_most_ms) {
  return Send("EXTEND_TIMEOUT_USEC=" + std::to_string(at_most_ms * kUsecPerMs));
}

Status Notifier::Send(const std::string& message) {
  if (fd_ < 0) return {};
  const auto* address = reinterpret_cast<const sockaddr*>(&address_);
  for (;;) {
    const ssize_t sent = sendto(fd_, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                address, address_bytes_);
    if (sent >= 0) return {};
    if (errno != EINTR) return IoError(std::string("notify: ") + std::strerror(errno));
  }
}

int64_t BeatIntervalMs(const Notifier& notifier) {
  const auto interval_ms = notifier.watchdog_interval_ms();
  if (!interval_ms) return kSecondMs;
  return std::clamp<int64_t>(*interval_ms / 2, 1, kSecondMs);
}

}  // namespace belfry
