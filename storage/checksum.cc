#include "storage/checksum.h"

#include <xxhash.h>

namespace belfry {

uint64_t ChecksumOf(uint8_t version, std::string_view key, std::string_view bytes) {
  // The first hash is the seed of the second: each byte and each length of both counts.
  const XXH64_hash_t seed = XXH3_64bits_withSeed(key.data(), key.size(), version);
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Fingerprint FingerprintOf(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

}  // namespace belfry
