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

bool BitsBelowAreZero(const IpBlock& block) {
  const int bits = block.base.v6 ? 128 : 32;
  for (int i = block.prefix_bits; i < bits; ++i) {
    if (block.base.bytes[static_cast<size_t>(i / 8)] & (0x80 >> (i % 8))) return false;
  }
  return true;
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
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  char copy[INET6_ADDRSTRLEN] = {};  // every attempt asks twice: no string
  text.copy(copy, text.size());
  std::array<uint8_t, 16> bytes;
  if (inet_pton(AF_INET, copy, bytes.data()) == 1) return FromV4Bytes(bytes.data());
  if (inet_pton(AF_INET6, copy, bytes.data()) == 1) return FromV6Bytes(bytes.data());
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
  char text[INET6_ADDRSTRLEN];
  CHECK(inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text, sizeof(text)));
  return text;
}

bool IpBlock::Contains(const IpAddress& address) const {
  if (address.v6 != base.v6) return false;
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
