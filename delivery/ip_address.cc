#include "delivery/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace belfry {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int kMappedBits = 96;

bool IsMapped(const std::array<uint8_t, 16>& bytes) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
}

IpAddress FromV4Bytes(const uint8_t* bytes) {
  IpAddress address;
  std::copy(bytes, bytes + 4, address.bytes.begin());
  return address;
}

IpAddress FromV6Bytes(const uint8_t* bytes) {
  IpAddress address;
  address.v6 = true;
  std::copy(bytes, bytes + 16, address.bytes.begin());
  return IsMapped(address.bytes) ? FromV4Bytes(bytes + 12) : address;
}

// inet_ntop prints these with sprintf, and each URL with an address in it is compared with its own.
std::string FormatV4(const uint8_t* bytes) {
  char text[INET_ADDRSTRLEN];
  char* end = text;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *end++ = '.';
    end = std::to_chars(end, text + sizeof text, bytes[i]).ptr;
  }
  return {text, end};
}

bool BitsBelowAreZero(const IpBlock& block) {
  const int bits = block.base.v6 ? 128 : 32;
  for (int i = block.prefix_bits; i < bits; ++i) {
    if (block.base.bytes[static_cast<size_t>(i / 8)] & (0x80 >> (i % 8))) return false;
  }
  return true;
}

// As inet_pton has it: four numbers without leading zeros. Every attempt asks twice.
std::optional<IpAddress> ParseV4(std::string_view text) {
  IpAddress address;
  size_t at = 0;
  for (size_t part = 0; part < 4; ++part) {
    if (part > 0 && (at == text.size() || text[at++] != '.')) return std::nullopt;
    const size_t first = at;
    uint32_t number = 0;
    for (; at < text.size() && at < first + 3 && text[at] >= '0' && text[at] <= '9'; ++at) {
      number = number * 10 + static_cast<uint32_t>(text[at] - '0');
    }
    if (at == first || number > UINT8_MAX || (text[first] == '0' && at > first + 1)) {
      return std::nullopt;
    }
    address.bytes[part] = static_cast<uint8_t>(number);
  }
  if (at != text.size()) return std::nullopt;
  return address;
}

uint32_t V4Bits(const IpAddress& address) {
  uint32_t network_order = 0;
  std::memcpy(&network_order, address.bytes.data(), sizeof network_order);
  return ntohl(network_order);
}

}  // namespace

IpAddress Ipv4(uint32_t host_order) {
  const uint32_t network_order = htonl(host_order);
  std::array<uint8_t, 4> bytes;
  std::memcpy(bytes.data(), &network_order, bytes.size());
  return FromV4Bytes(bytes.data());
}

std::optional<IpAddress> ParseIp(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  if (text.find(':') == std::string_view::npos) return ParseV4(text);
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return std::nullopt;
  std::array<uint8_t, 16> bytes;
  if (inet_pton(AF_INET6, copy.c_str(), bytes.data()) == 1) return FromV6Bytes(bytes.data());
  return std::nullopt;
}

std::optional<IpAddress> FromSockaddr(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof(in));
    return Ipv4(ntohl(in.sin_addr.s_addr));
  }
  if (address->sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, address, sizeof(in6));
    if (in6.sin6_scope_id != 0) return std::nullopt;
    return FromV6Bytes(in6.sin6_addr.s6_addr);
  }
  return std::nullopt;
}

std::string FormatIp(const IpAddress& address) {
  if (!address.v6) return FormatV4(address.bytes.data());
  char text[INET6_ADDRSTRLEN];
  CHECK(inet_ntop(AF_INET6, address.bytes.data(), text, sizeof(text)));
  return text;
}

bool IpBlock::Contains(const IpAddress& address) const {
  if (address.v6 != base.v6) return false;
  if (!address.v6) {
    const uint64_t differs = V4Bits(address) ^ V4Bits(base);
    return differs >> (32 - prefix_bits) == 0;
  }
  const auto whole = static_cast<size_t>(prefix_bits / 8);
  if (!std::equal(base.bytes.begin(), base.bytes.begin() + whole, address.bytes.begin())) {
    return false;
  }
  const int rest = prefix_bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return (base.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

Result<IpBlock> ParseBlock(std::string_view text) {
  const std::string quoted = "\"" + std::string(text) + "\"";
  const size_t slash = text.find('/');
  const std::string_view address_text = text.substr(0, slash);
  const auto address = ParseIp(address_text);
  if (!address) return Invalid(quoted + " is not an address or a CIDR block");

  const bool written_as_v6 = address_text.find(':') != std::string_view::npos;
  const int bits_max = written_as_v6 ? 128 : 32;
  int bits = bits_max;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
        bits < 0 || bits > bits_max) {
      return Invalid(quoted + " has no valid prefix length");
    }
  }
  if (written_as_v6 && !address->v6) {
    if (bits < kMappedBits) return Invalid(quoted + " mixes IPv4-mapped and other addresses");
    bits -= kMappedBits;
  }
  const IpBlock block{*address, bits};
  if (!BitsBelowAreZero(block)) return Invalid(quoted + " has bits set below its prefix");
  return block;
}

}  // namespace belfry
