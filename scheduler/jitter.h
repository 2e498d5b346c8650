// jitter.h - random-looking numbers without state to restore after a crash. Any thread; pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace belfry {

// splitmix64: a well-mixed number from another.
[[nodiscard]] constexpr uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// The same in every process, unlike a hash table's.
[[nodiscard]] constexpr uint64_t MixName(uint64_t seed, std::string_view name) {
  uint64_t mixed = Mix(seed);
  for (const char c : name) mixed = Mix(mixed ^ static_cast<unsigned char>(c));
  return mixed;
}

// In [-1, 1], the same for the same three.
[[nodiscard]] constexpr double Jitter(uint64_t seed, uint64_t key, uint64_t nth) {
  const uint64_t bits = Mix(Mix(Mix(seed) ^ key) ^ nth) >> 11;
  return static_cast<double>(bits) / static_cast<double>(uint64_t{1} << 52) - 1.0;
}

}  // namespace belfry
