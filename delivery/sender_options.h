// sender_options.h - what the daemon tells the sender, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/limits.h"
#include "delivery/address_policy.h"
#include "delivery/tls_profiles.h"

namespace belfry {

struct SenderOptions {
  std::string version;                  // User-Agent: belfry/<version>
  std::string store_id;                 // webhook-id: <store_id>-<id>
  AddressPolicy policy;                 // delivery.targets
  int64_t timeout_ms = 15 * kSecondMs;  // of a whole attempt, name look-up included; for timers
                                        // without their own
  int64_t connect_timeout_ms = kConnectTimeoutMs;  // TCP and TLS together
  int64_t resolve_timeout_ms = kResolveTimeoutMs;
  size_t max_in_flight = 1000;  // for sizing only: who starts, counts
  // Kept open for reuse. With attempts under way there are never more connections than
  // max_in_flight and this together.
  size_t idle_connections_max = kIdleConnectionsMax;
  std::shared_ptr<const TlsProfiles> tls;  // nullptr: the system's issuers, nothing else
  std::string dns_servers;                 // "": /etc/resolv.conf; else "ip:port,..."
};

}  // namespace belfry
