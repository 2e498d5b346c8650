#include "bench/endpoint.h"

#include <netdb.h>
#include <uv.h>

#include <cstring>

namespace belfry {
namespace {

// Looks `host` (without brackets) and `port` up.
Status Resolve(const std::string& host, const std::string& port, sockaddr_storage* address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return Invalid("cannot look up " + host + ":" + port + ": " + gai_strerror(error));
  }
  std::memcpy(address, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return {};
}

}  // namespace

Result<Endpoint> ParseEndpoint(const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == host_port.size() ||
      host_port.find_first_not_of("0123456789", colon + 1) != std::string::npos ||
      std::stoul("0" + host_port.substr(colon + 1, 6)) > 65535) {
    return Invalid("\"" + host_port + "\" is not HOST:PORT");
  }
  std::string host = host_port.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return Invalid("\"" + host_port + "\": an IPv6 address needs brackets, [::1]:8080");
  }
  Endpoint endpoint;
  endpoint.host_port = host_port;
  if (Status s = Resolve(host, host_port.substr(colon + 1), &endpoint.address); !s.ok()) return s;
  return endpoint;
}

Result<Endpoint> EndpointOfUrl(const std::string& url) {
  const std::string scheme = "http://";
  if (url.rfind(scheme, 0) != 0) {
    return Invalid("\"" + url + "\" is not http://HOST:PORT");
  }
  std::string host_port = url.substr(scheme.size());
  if (!host_port.empty() && host_port.back() == '/') host_port.pop_back();
  if (host_port.empty() || host_port.find_first_of("/?#@") != std::string::npos) {
    return Invalid("\"" + url + "\" is not http://HOST:PORT");
  }
  const size_t bracket = host_port.rfind(']');
  const size_t colon = host_port.rfind(':');
  const bool has_port =
      colon != std::string::npos && (bracket == std::string::npos || colon > bracket);
  return ParseEndpoint(has_port ? host_port : host_port + ":80");
}

std::string AddressText(const sockaddr_storage& address) {
  char text[64] = "";
  if (address.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address);
    uv_ip6_name(v6, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6->sin6_port));
  }
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address);
  uv_ip4_name(v4, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(v4->sin_port));
}

}  // namespace belfry
