// address_policy.h - which addresses a webhook may be sent to: `delivery.targets` of the
// configuration. A value; any thread.
//
// Judged is the address of the socket itself, never a name. An entry of `allow` or `deny` is
//   public    what the Internet routes: IPv4 outside every special range; IPv6 within 2000::/3
//             outside every special range
//   private   10/8, 172.16/12, 192.168/16 and fc00::/7
//   loopback  127/8 and ::1
//   a CIDR block or one address
// An address is allowed when some allow entry and no deny entry covers it. Rules:
// (1) Deny wins.
// (2) Link-local, the metadata addresses of clouds, shared (100.64/10), multicast, documentation
//     and reserved ranges belong to no word: only a CIDR block in `allow` opens them.
// (3) An address that carries an IPv4 address inside (NAT64, 6to4, Teredo, IPv4-compatible,
//     translated) needs a CIDR block of its own, and the address inside must be allowed as well.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "delivery/ip_address.h"

struct sockaddr;

namespace belfry {

class AddressPolicy {
 public:
  // Allows nothing.
  AddressPolicy() = default;

  // The message of an error names the entry.
  [[nodiscard]] static Result<AddressPolicy> Parse(const std::vector<std::string>& allow,
                                                   const std::vector<std::string>& deny);

  [[nodiscard]] bool Allows(const IpAddress& address) const;
  // False for other families and for an IPv6 address with a scope.
  [[nodiscard]] bool Allows(const sockaddr* address) const;
  // `text` as curl reports a peer. False when it is not a plain address.
  [[nodiscard]] bool AllowsText(std::string_view text) const;

 private:
  struct Rules {
    bool public_word = false;
    bool private_word = false;
    bool loopback_word = false;
    std::vector<IpBlock> blocks;

    [[nodiscard]] Status Add(const std::string& entry);
    [[nodiscard]] bool CoverByBlock(const IpAddress& address) const;
    [[nodiscard]] bool CoverByWord(const IpAddress& address) const;
  };

  Rules allow_;
  Rules deny_;
};

}  // namespace belfry
