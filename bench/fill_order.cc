#include "bench/fill_order.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace belfry {

// Multiplication by a number without a common factor, and back.
FillOrder::FillOrder(uint64_t count, WallMs first_due, int64_t spread_ms)
    : slots_(std::min(count, static_cast<uint64_t>(std::max<int64_t>(1, spread_ms)))),
      first_due_(first_due),
      spread_ms_(spread_ms),
      factor_(slots_ * 6 / 10 + 1) {
  while (std::gcd(factor_, slots_) != 1) ++factor_;
  // Euclid's algorithm gives the inverse.
  __int128 a = factor_, b = slots_, x = 1, y = 0;
  while (b != 0) {
    const __int128 quotient = a / b;
    a = std::exchange(b, a - quotient * b);
    x = std::exchange(y, x - quotient * y);
  }
  const __int128 modulus = slots_;
  inverse_ = static_cast<uint64_t>((x % modulus + modulus) % modulus);
}

WallMs FillOrder::DueIn(uint64_t slot) const {
  const auto share = static_cast<unsigned __int128>(slot) * spread_ms_ / slots_;
  return first_due_ + static_cast<int64_t>(share);
}

}  // namespace belfry
