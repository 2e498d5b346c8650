// receiver_rig.h - a CurlSender on a test's loop, its timers, and the outcomes it gave.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "delivery/curl_sender.h"
#include "tests/support/receiver_loop.h"

namespace belfry {

// Goes only where it is told.
class HandClock final : public Clock {
 public:
  [[nodiscard]] WallMs Wall() const override { return wall; }
  [[nodiscard]] MonoMs Mono() const override { return mono; }

  WallMs wall{1795248000123};  // 2026-11-21T08:00:00.123Z
  MonoMs mono{1000};
};

class SenderRig {
 public:
  explicit SenderRig(SenderOptions options = LoopbackOptions());

  // Version 1.2.3, store "abcdefghij", loopback allowed, no DNS server, the system's issuers.
  static SenderOptions LoopbackOptions();

  // Instead of the sender there was. `outcomes` and `found` are what both say.
  void Reopen(SenderOptions options);

  // A POST with the next id to this URL, started at once. The timer stays until the rig is gone.
  Timer& Start(const std::string& url, const std::string& body = "");
  Timer& NewTimer(const std::string& url);
  Sender::Begun Start(const Timer& timer, uint32_t attempt = 1);

  // Waits until everything that was started has an outcome.
  [[nodiscard]] bool Settle();
  // Start and settle; the outcome.
  Outcome Send(const std::string& url, const std::string& body = "");
  Outcome Send(const Timer& timer, uint32_t attempt = 1);

  TestLoop loop;
  HandClock clock;
  std::vector<Outcome> outcomes;
  std::vector<TimerId> found;  // given to FoundFn
  bool may_connect = true;     // what FoundFn says
  std::vector<std::unique_ptr<Timer>> timers;
  std::unique_ptr<CurlSender> sender;
};

[[nodiscard]] AddressPolicy PolicyOf(const std::vector<std::string>& allow,
                                     const std::vector<std::string>& deny = {});

}  // namespace belfry
