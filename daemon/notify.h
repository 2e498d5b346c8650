// notify.h - what systemd wants to hear (Type=notify): datagrams to $NOTIFY_SOCKET, as in
// sd_notify(3), by our own few lines. Loop thread only; nothing here waits.
//
// Without $NOTIFY_SOCKET every call does nothing and is fine. An error (socket gone, queue full) is
// for the log: Belfry serves on.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace belfry {

// Taken from the environment once, before threads start.
struct NotifyEnvironment {
  std::string socket;         // NOTIFY_SOCKET: a path, or '@' and an abstract name; "": none
  std::string watchdog_usec;  // WATCHDOG_USEC
  std::string watchdog_pid;   // WATCHDOG_PID
};

// Reads the variables and removes them, so that no child speaks in our name.
[[nodiscard]] NotifyEnvironment TakeNotifyEnvironment();

class Notifier {
 public:
  // Says nothing to nobody.
  Notifier() = default;
  ~Notifier();
  Notifier(Notifier&& other) noexcept;
  Notifier& operator=(Notifier&& other) noexcept;

  // kInvalid when a variable cannot be understood.
  [[nodiscard]] static Result<Notifier> Open(const NotifyEnvironment& environment);

  [[nodiscard]] bool enabled() const { return fd_ >= 0; }

  Status SayReady(std::string_view status);  // READY=1 and STATUS=
  Status SayStopping();                      // STOPPING=1
  Status FeedWatchdog();                     // WATCHDOG=1
  Status ExtendTimeout(int64_t at_most_ms);  // the stop will take up to so long from now

  // How often to feed: half of what systemd allows. nullopt: nobody watches this process.
  [[nodiscard]] std::optional<int64_t> watchdog_interval_ms() const { return interval_ms_; }

 private:
  Status Send(const std::string& message);

  int fd_ = -1;
  sockaddr_un address_{};
  socklen_t address_bytes_ = 0;
  std::optional<int64_t> interval_ms_;
};

// How often the loop and the commit thread show that they live: once a second, or oftener when the
// watchdog is short.
[[nodiscard]] int64_t BeatIntervalMs(const Notifier& notifier);

}  // namespace belfry
