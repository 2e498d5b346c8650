// sealed.h - small values with a version and a checksum over it, their key and their fields. Any
// thread; pure.
//
//   version u8 | low 32 bits of XXH3-64 of (version, key, fields) | fields
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace belfry {

constexpr size_t kSealBytes = 1 + 4;

// Room for the seal; the fields are appended.
[[nodiscard]] std::string Unsealed(size_t fields_bytes);
// Fills it in.
[[nodiscard]] std::string Seal(uint8_t version, std::string_view key, std::string unsealed);
// The fields, when the version is 1 to `newest`. `what` is for the message: "entry".
[[nodiscard]] Result<std::string_view> Unseal(std::string_view key, std::string_view bytes,
                                              uint8_t newest, std::string_view what);

}  // namespace belfry
