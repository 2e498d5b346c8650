// listen_address.h - where the API is served, as `listen` of the configuration says it. A value;
// any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace belfry {

struct ListenAddress {
  enum class Kind { kTcp, kUnix };
  Kind kind = Kind::kTcp;
  std::string host = "127.0.0.1";  // kTcp: a plain IPv4 or IPv6 address, without brackets
  uint16_t port = 8080;            // kTcp: 0 lets the system choose
  std::string path;                // kUnix

  // Only this machine can reach it: an address in 127/8, ::1, or a Unix socket.
  [[nodiscard]] bool IsLocal() const;
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

// HOST:PORT, [HOST]:PORT for IPv6, or unix:PATH. HOST is an IP address or `localhost` (127.0.0.1):
// names are not looked up. PATH fits sockaddr_un.
[[nodiscard]] Result<ListenAddress> ParseListenAddress(std::string_view text);

// The form ParseListenAddress reads.
[[nodiscard]] std::string FormatListenAddress(const ListenAddress& address);

}  // namespace belfry
