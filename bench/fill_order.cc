#include "bench/fill_order.h"

#include <numeric>
#include <utility>

namespace belfry {

// Multiplication by a number without a common factor, and back.
FillOrder::FillOrder(uint64_t count, WallMs first_due, int64_t spread_ms)
    : count_(count), first_due_(first_due), spread_ms_(spread_ms), factor_(count * 6 / 10 + 1) {
  while (std::gcd(factor_, count_) != 1) ++factor_;
  // Euclid's algorithm gives the inverse.
  __int128 a = factor_, b = count_, x = 1, y = 0;
  while (b != 0) {
    const __int128 quotient = a / b;
    a = std::exchange(b, a - quotient * b);
    x = std::exchange(y, x - quotient * y);
  }
  const __int128 modulus = count_;
  inverse_ = static_cast<uint64_t>((x % modulus + modulus) % modulus);
}

WallMs FillOrder::DueAt(uint64_t rank) const {
  const auto share = static_cast<unsigned __int128>(rank) * spread_ms_ / count_;
  return first_due_ + static_cast<int64_t>(share);
}

}  // namespace belfry
