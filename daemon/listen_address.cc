#include "daemon/listen_address.h"

#include <sys/un.h>

#include <charconv>
#include <optional>

#include "delivery/ip_address.h"

namespace belfry {
namespace {

constexpr size_t kUnixPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;

std::optional<uint16_t> ParsePort(std::string_view text) {
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc() || rest != end) return std::nullopt;
  return port;
}

Result<ListenAddress> ParseUnix(std::string_view path) {
  if (path.empty()) return Invalid("unix: needs a path");
  if (path.size() > kUnixPathBytesMax) {
    return Invalid("the path of a Unix socket has at most " + std::to_string(kUnixPathBytesMax) +
                   " bytes");
  }
  if (path.find('\0') != std::string_view::npos) return Invalid("the path contains a NUL");
  ListenAddress address;
  address.kind = ListenAddress::Kind::kUnix;
  address.host.clear();
  address.port = 0;
  address.path = path;
  return address;
}

// Takes "[v6]:" or "host:" off `text`; what is left is the port.
std::optional<std::string_view> TakeHost(std::string_view& text) {
  const bool bracketed = !text.empty() && text[0] == '[';
  const size_t end = bracketed ? text.find(']') : text.find(':');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view host = bracketed ? text.substr(1, end - 1) : text.substr(0, end);
  text.remove_prefix(bracketed ? end + 1 : end);
  if (text.empty() || text[0] != ':' || host.empty()) return std::nullopt;
  text.remove_prefix(1);
  // A bare IPv6 address would be ambiguous with its port.
  if (bracketed != (host.find(':') != std::string_view::npos)) return std::nullopt;
  return host;
}

}  // namespace

bool ListenAddress::IsLocal() const {
  if (kind == Kind::kUnix) return true;
  const auto ip = ParseIp(host);
  if (!ip) return false;
  if (!ip->v6) return ip->bytes[0] == 127;
  return *ip == ParseIp("::1");
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  constexpr std::string_view kUnixPrefix = "unix:";
  if (text.starts_with(kUnixPrefix)) return ParseUnix(text.substr(kUnixPrefix.size()));

  std::string_view rest = text;
  const auto host = TakeHost(rest);
  if (!host) return Invalid("must be HOST:PORT, [IPV6]:PORT or unix:PATH");
  const auto port = ParsePort(rest);
  if (!port) return Invalid("the port must be 0 to 65535");
  ListenAddress address;
  address.host = *host == "localhost" ? "127.0.0.1" : std::string(*host);
  address.port = *port;
  if (!ParseIp(address.host)) return Invalid("the host must be an IP address or localhost");
  return address;
}

std::string FormatListenAddress(const ListenAddress& address) {
  if (address.kind == ListenAddress::Kind::kUnix) return "unix:" + address.path;
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace belfry
