// byte_size.h - sizes as operators write them: 65536, 64KiB, 256MiB, 2GiB. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace belfry {

// Bytes; nullopt for anything that is not digits and at most one unit: B, KiB, MiB, GiB, TiB.
[[nodiscard]] std::optional<uint64_t> ParseByteSize(std::string_view text);

// The largest unit without loss: 65536 -> "64KiB", 1000 -> "1000B".
[[nodiscard]] std::string FormatByteSize(uint64_t bytes);

}  // namespace belfry
