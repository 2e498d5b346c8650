// id.h - names of things: timers, tenants, waiting clients, and the key that orders timers.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "base/time.h"

namespace belfry {

using TimerId = uint64_t;     // one counter per store: 1, 2, 3 ...; 0 is no timer
using TenantId = uint32_t;    // the account that owns it
using ReplyToken = uint64_t;  // a client waiting for an answer; 0 is nobody

using TargetNumber = uint32_t;  // what timers of one target are parked under; 0 is none

constexpr TenantId kLocalTenant = 1;  // the user `local`, who everybody is with auth.mode none
constexpr std::string_view kLocalUser = "local";
// Owns the deadlines of leases (Timer::kind): no client is this tenant, so none sees or ends them.
constexpr TenantId kLeaseTenant = std::numeric_limits<TenantId>::max();

// Where a timer stands in deadline order: (time of the next attempt, id). A total order.
struct Key {
  WallMs at;
  TimerId id = 0;
  friend constexpr auto operator<=>(const Key&, const Key&) = default;
};

constexpr Key kKeyMax{{std::numeric_limits<int64_t>::max()}, std::numeric_limits<TimerId>::max()};

// The greatest key before `key`. `key` is not the smallest there is.
constexpr Key JustBelow(Key key) {
  if (key.id > 0) return {key.at, key.id - 1};
  return {{key.at.ms - 1}, std::numeric_limits<TimerId>::max()};
}

// The smallest key after `key`; kKeyMax stays.
constexpr Key JustAbove(Key key) {
  if (key.id < std::numeric_limits<TimerId>::max()) return {key.at, key.id + 1};
  return key == kKeyMax ? key : Key{{key.at.ms + 1}, 0};
}

}  // namespace belfry
