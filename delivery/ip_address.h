// ip_address.h - an IPv4 or IPv6 address as a value, and blocks of them. Any thread.
//
// An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is the IPv4 address: the kernel treats it so. A
// zone id is refused everywhere.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

struct sockaddr;

namespace belfry {

struct IpAddress {
  bool v6 = false;
  std::array<uint8_t, 16> bytes{};  // network order; IPv4 uses the first four
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

[[nodiscard]] IpAddress Ipv4(uint32_t host_order);

// Only the plain forms: dotted quad, or IPv6 without brackets and zone.
[[nodiscard]] std::optional<IpAddress> ParseIp(std::string_view text);

// nullopt for other families and for an IPv6 address with a scope.
[[nodiscard]] std::optional<IpAddress> FromSockaddr(const sockaddr* address);

[[nodiscard]] std::string FormatIp(const IpAddress& address);

// All addresses that share the first `prefix_bits` of `base`.
struct IpBlock {
  IpAddress base;
  int prefix_bits = 0;

  [[nodiscard]] bool Contains(const IpAddress& address) const;
};

// "10.0.0.0/8", "fd00::/8", or one bare address. Bits below the prefix are an error.
[[nodiscard]] Result<IpBlock> ParseBlock(std::string_view text);

}  // namespace belfry
