// checksum.h - XXH3 over what is stored and where it is stored. Any thread; pure.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace belfry {

// Covers a format version, the key and the bytes kept under it.
[[nodiscard]] uint64_t ChecksumOf(uint8_t version, std::string_view key, std::string_view bytes);

// 128 bits to tell two texts of one client apart. Not a defence against a client who looks for two
// texts that collide: they would only fool themselves.
using Fingerprint = std::pair<uint64_t, uint64_t>;
[[nodiscard]] Fingerprint FingerprintOf(std::string_view bytes);

}  // namespace belfry
