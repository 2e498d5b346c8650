// host.h - what a Host header names. Any thread; pure.
#pragma once

#include <string_view>

namespace belfry {

enum class HostKind {
  kInvalid,  // not `name[:port]` or `[IPv6][:port]`
  kLocal,    // an IP literal or `localhost`: no web page can reach us by it after rebinding a name
  kName,     // any other name
};

[[nodiscard]] HostKind ClassifyHost(std::string_view host);

}  // namespace belfry
