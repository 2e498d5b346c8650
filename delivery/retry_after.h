// retry_after.h - the Retry-After header of an answer. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.h"

namespace belfry {

// Milliseconds from `now`, at most kRetryAfterMsMax: from whole seconds or from an HTTP date (one
// in the past gives 0). nullopt for anything else.
[[nodiscard]] std::optional<int64_t> ParseRetryAfter(std::string_view value, WallMs now);

}  // namespace belfry
