#include "http/token_cache.h"

#include <cstring>

#include "absl/hash/hash.h"
#include "http/token_hash.h"

namespace belfry {

// Its seed differs from process to process.
size_t TokenCache::PlaceOf(std::string_view token) {
  return absl::Hash<std::string_view>()(token) % kPlaces;
}

const Grant* TokenCache::Find(std::string_view token) const {
  if (token.empty() || token.size() > kTokenBytesMax) return nullptr;
  const Place& place = places_[PlaceOf(token)];
  if (place.size != token.size()) return nullptr;
  return SameBytes({place.token.data(), place.size}, token) ? place.grant : nullptr;
}

void TokenCache::Keep(std::string_view token, const Grant* grant) {
  if (token.empty() || token.size() > kTokenBytesMax) return;
  Place& place = places_[PlaceOf(token)];
  std::memcpy(place.token.data(), token.data(), token.size());
  place.size = static_cast<uint8_t>(token.size());
  place.grant = grant;
}

void TokenCache::Clear() {
  for (Place& place : places_) {
    explicit_bzero(place.token.data(), place.token.size());
    place.size = 0;
    place.grant = nullptr;
  }
}

}  // namespace belfry
