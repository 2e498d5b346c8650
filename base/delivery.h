// delivery.h - one attempt to send a timer, and how it ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/time.h"
#include "base/timer.h"

namespace belfry {

// `timer` is borrowed from the scheduler and valid until the Outcome was handed back.
struct Delivery {
  const Timer* timer = nullptr;
  uint32_t attempt = 0;  // from 1; sent as webhook-attempt
};

enum class OutcomeKind {
  kAnswered,     // a final status line was read; see `status`
  kFailed,       // connect, TLS, DNS or protocol failure, or a broken connection
  kTimeout,      // the attempt's time was up
  kForbidden,    // delivery.targets does not allow the address, or the URL cannot be sent
  kLocalFault,   // no ports, no fds, no memory here: no attempt is charged
  kInterrupted,  // cut off by our own stop: no attempt is charged
  kNoSlot,       // it found its addresses and no slot: nothing was sent, it is to start again
};

// Of a local fault: whom it keeps from starting.
enum class FaultScope {
  kHost,    // everybody: no file descriptors, no memory, no usable CA bundle
  kTarget,  // attempts like this one: its destination has no local port left, its name cannot be
            // asked for now
};

// The error of an attempt that was charged and not sent: its target's breaker was open for too
// long.
constexpr std::string_view kCircuitOpen = "circuit open";

struct Outcome {
  TimerId id = 0;
  OutcomeKind kind = OutcomeKind::kFailed;
  FaultScope fault_scope = FaultScope::kHost;  // means something for kLocalFault only
  int32_t status = 0;
  std::string error;  // short word, "" for kAnswered; never a resolved address
  WallMs started;
  int64_t duration_ms = 0;
  std::optional<int64_t> retry_after_ms;
  // The receiver closed an idle connection just as it was used again: an attempt, but no word about
  // its target.
  bool closed_while_idle = false;
};

}  // namespace belfry
