// rfc3339.h - points in time as clients read and write them. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace belfry {

// UTC with milliseconds: `2026-11-21T08:00:00.000Z`. `t` within the years 0000..9999.
[[nodiscard]] std::string FormatRfc3339(WallMs t);
// The same behind what `out` holds.
void AppendRfc3339(WallMs t, std::string* out);

// Needs an offset (`Z` or `+hh:mm`). Fractions beyond the millisecond are rounded up; a leap second
// (23:59:60 UTC) is read as the second after it. nullopt for anything else.
[[nodiscard]] std::optional<WallMs> ParseRfc3339(std::string_view text);

}  // namespace belfry
