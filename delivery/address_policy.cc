#include "delivery/address_policy.h"

#include <algorithm>
#include <array>
#include <optional>

namespace belfry {
namespace {

std::vector<IpBlock> Blocks(std::initializer_list<std::string_view> texts) {
  std::vector<IpBlock> blocks;
  for (const std::string_view text : texts) blocks.push_back(ParseBlock(text).value());
  return blocks;
}

bool AnyContains(const std::vector<IpBlock>& blocks, const IpAddress& address) {
  return std::any_of(blocks.begin(), blocks.end(),
                     [&](const IpBlock& block) { return block.Contains(address); });
}

// The IANA special-purpose registries, and multicast and reserved space.
const std::vector<IpBlock>& SpecialV4() {
  static const std::vector<IpBlock> blocks =
      Blocks({"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
              "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
              "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
              "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"});
  return blocks;
}

const std::vector<IpBlock>& GlobalV6() {
  static const std::vector<IpBlock> blocks = Blocks({"2000::/3"});
  return blocks;
}

// Within 2000::/3 and yet not public: Teredo, ORCHID, documentation, 6to4, AS112, benchmarking.
const std::vector<IpBlock>& SpecialV6() {
  static const std::vector<IpBlock> blocks =
      Blocks({"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"});
  return blocks;
}

// Metadata and host services of clouds that lie in ranges a word would open: Alibaba, Azure,
// AWS and Google over IPv6. (169.254/16 and 192.0.0.192 belong to no word anyway.)
const std::vector<IpBlock>& Metadata() {
  static const std::vector<IpBlock> blocks =
      Blocks({"100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"});
  return blocks;
}

const std::vector<IpBlock>& Private() {
  static const std::vector<IpBlock> blocks =
      Blocks({"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"});
  return blocks;
}

const std::vector<IpBlock>& Loopback() {
  static const std::vector<IpBlock> blocks = Blocks({"127.0.0.0/8", "::1"});
  return blocks;
}

bool IsPublic(const IpAddress& address) {
  if (!address.v6) return !AnyContains(SpecialV4(), address);
  return AnyContains(GlobalV6(), address) && !AnyContains(SpecialV6(), address);
}

// Where each transition mechanism keeps the IPv4 address. Teredo keeps the client's inverted.
struct Carrier {
  std::string_view block;
  size_t offset;
  uint8_t mask;
};
constexpr std::array<Carrier, 5> kCarriers{{{"::/96", 12, 0x00},
                                            {"::ffff:0:0:0/96", 12, 0x00},
                                            {"64:ff9b::/96", 12, 0x00},
                                            {"2002::/16", 2, 0x00},
                                            {"2001::/32", 12, 0xff}}};

std::optional<IpAddress> CarriedV4(const IpAddress& address) {
  static const std::vector<IpBlock> blocks = [] {
    std::vector<IpBlock> out;
    for (const Carrier& carrier : kCarriers) out.push_back(ParseBlock(carrier.block).value());
    return out;
  }();
  static const IpBlock loopback = ParseBlock("::1").value();
  if (!address.v6 || loopback.Contains(address)) return std::nullopt;
  for (size_t i = 0; i < kCarriers.size(); ++i) {
    if (!blocks[i].Contains(address)) continue;
    IpAddress inner;
    for (size_t b = 0; b < 4; ++b) {
      inner.bytes[b] = address.bytes[kCarriers[i].offset + b] ^ kCarriers[i].mask;
    }
    return inner;
  }
  return std::nullopt;
}

}  // namespace

Status AddressPolicy::Rules::Add(const std::string& entry) {
  if (entry == "public") {
    public_word = true;
  } else if (entry == "private") {
    private_word = true;
  } else if (entry == "loopback") {
    loopback_word = true;
  } else {
    auto block = ParseBlock(entry);
    if (!block.ok()) {
      return Invalid(block.status().message() + "; known words: public, private, loopback");
    }
    blocks.push_back(block.value());
  }
  return {};
}

bool AddressPolicy::Rules::CoverByBlock(const IpAddress& address) const {
  return AnyContains(blocks, address);
}

bool AddressPolicy::Rules::CoverByWord(const IpAddress& address) const {
  return (loopback_word && AnyContains(Loopback(), address)) ||
         (private_word && AnyContains(Private(), address)) || (public_word && IsPublic(address));
}

Result<AddressPolicy> AddressPolicy::Parse(const std::vector<std::string>& allow,
                                           const std::vector<std::string>& deny) {
  AddressPolicy policy;
  for (const std::string& entry : allow) {
    if (Status s = policy.allow_.Add(entry); !s.ok()) return Invalid("allow: " + s.message());
  }
  for (const std::string& entry : deny) {
    if (Status s = policy.deny_.Add(entry); !s.ok()) return Invalid("deny: " + s.message());
  }
  return policy;
}

bool AddressPolicy::Allows(const IpAddress& address) const {
  const bool allowed = allow_.CoverByBlock(address) ||
                       (allow_.CoverByWord(address) && !AnyContains(Metadata(), address));
  if (!allowed || deny_.CoverByBlock(address) || deny_.CoverByWord(address)) return false;
  const auto inner = CarriedV4(address);
  return !inner || Allows(*inner);
}

bool AddressPolicy::Allows(const sockaddr* address) const {
  const auto ip = FromSockaddr(address);
  return ip && Allows(*ip);
}

bool AddressPolicy::AllowsText(std::string_view text) const {
  const auto ip = ParseIp(text);
  return ip && Allows(*ip);
}

}  // namespace belfry
