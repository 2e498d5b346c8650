// duration.h - durations as clients and operators write them: ISO 8601 (`PT4H1S`, a fraction to the
// millisecond on the last unit, no years or months) or short form (`4h1s`, `1d12h`, `250ms`). Any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belfry {

// Milliseconds; nullopt for anything that is not exactly one of the two forms, or that is longer
// than ten thousand years. Units of the short form come in falling order, each at most once.
[[nodiscard]] std::optional<int64_t> ParseDuration(std::string_view text);

// Short form without loss: 90061001 -> "1d1h1m1s1ms"; 0 -> "0s".
[[nodiscard]] std::string FormatDuration(int64_t duration_ms);

}  // namespace belfry
