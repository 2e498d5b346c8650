// sliding_counts.h - how many attempts there were lately, and how many of them failed.
//
// Loop thread only; no allocation. N buckets of the same width: what is counted is between N - 1
// and N widths old at most. Time that went back is counted as the newest there was; whoever minds
// calls Clear.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace belfry {

struct Counts {
  uint32_t attempts = 0;
  uint32_t failures = 0;
};

template <size_t N>
class SlidingCounts {
 public:
  // `width_ms` > 0 is that of a bucket, the same in every call.
  void Add(bool failed, WallMs now, int64_t width_ms) {
    const int64_t index = now.ms / width_ms;
    const int64_t steps = std::min<int64_t>(index - newest_, N);
    for (int64_t i = 1; i <= steps; ++i) At(newest_ + i) = {};
    newest_ = std::max(newest_, index);
    Counts& bucket = At(newest_);
    ++bucket.attempts;
    if (failed) ++bucket.failures;
  }

  [[nodiscard]] Counts Sum(WallMs now, int64_t width_ms) const {
    constexpr int64_t kBefore = static_cast<int64_t>(N) - 1;
    const int64_t oldest = std::max<int64_t>({0, now.ms / width_ms - kBefore, newest_ - kBefore});
    Counts sum;
    for (int64_t index = newest_; index >= oldest; --index) {
      const Counts& bucket = buckets_[static_cast<size_t>(index) % N];
      sum.attempts += bucket.attempts;
      sum.failures += bucket.failures;
    }
    return sum;
  }

  void Clear() { *this = {}; }

 private:
  Counts& At(int64_t index) { return buckets_[static_cast<size_t>(index) % N]; }

  std::array<Counts, N> buckets_{};
  int64_t newest_ = 0;
};

}  // namespace belfry
