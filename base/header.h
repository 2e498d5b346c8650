// header.h - which headers a timer may carry. Checked where a timer is set and again before it is
// sent. Any thread.
#pragma once

#include <string_view>

#include "base/status.h"

namespace belfry {

// kInvalid: the name is not a token; the value has control characters other than tab; or the header
// belongs to the connection or to Belfry: connection, content-length, expect, host, keep-alive, te,
// trailer, transfer-encoding, upgrade, user-agent, and all that begin with `proxy-` or `webhook-`.
[[nodiscard]] Status CheckHeader(std::string_view name, std::string_view value);

}  // namespace belfry
