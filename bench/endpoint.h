// endpoint.h - where to connect or listen, as written on the command line. Any thread.
#pragma once

#include <netinet/in.h>

#include <string>

#include "base/status.h"

namespace belfry {

struct Endpoint {
  std::string host_port;  // as written, with the port: "127.0.0.1:8080", "[::1]:8080"
  sockaddr_storage address{};
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// "HOST:PORT". A name is looked up, its first address is taken.
[[nodiscard]] Result<Endpoint> ParseEndpoint(const std::string& host_port);
// "http://HOST[:PORT]", a slash at the end allowed; the port is 80 when left out.
[[nodiscard]] Result<Endpoint> EndpointOfUrl(const std::string& url);
// "127.0.0.1:8080" of a bound or connected address.
[[nodiscard]] std::string AddressText(const sockaddr_storage& address);

}  // namespace belfry
