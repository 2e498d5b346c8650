#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace belfry {
namespace {

// Each doubling of the value is divided into 2^kSubBits buckets.
constexpr int kSubBits = 7;
constexpr uint64_t kSub = uint64_t{1} << kSubBits;
constexpr int kShiftMax = 63 - (kSubBits + 1);  // values have 63 bits
constexpr size_t kBuckets = kShiftMax * kSub + 2 * kSub;

size_t BucketOf(uint64_t value) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(value)) - (kSubBits + 1));
  return static_cast<size_t>(shift) * kSub + (value >> shift);
}

// The greatest value in the bucket.
int64_t EndOf(size_t bucket) {
  if (bucket < 2 * kSub) return static_cast<int64_t>(bucket);
  const size_t shift = bucket / kSub - 1;
  const uint64_t head = bucket - shift * kSub;
  return static_cast<int64_t>(((head + 1) << shift) - 1);
}

}  // namespace

Histogram::Histogram() : buckets_(kBuckets) {}

void Histogram::Record(int64_t value) {
  CHECK(value >= 0);
  ++buckets_[BucketOf(static_cast<uint64_t>(value))];
  ++count_;
  max_ = std::max(max_, value);
}

int64_t Histogram::Quantile(double share) const {
  CHECK(share > 0 && share <= 1);
  if (count_ == 0) return 0;
  const auto wanted = static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(EndOf(i), max_);
  }
  return max_;
}

}  // namespace belfry
