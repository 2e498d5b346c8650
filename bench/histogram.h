// histogram.h - how often each value was seen, in buckets that grow with the value.
//
// One thread. The unit is the caller's. Values up to 255 are kept exactly, greater ones to within
// 1/128 of themselves, so the size is fixed whatever is recorded.
#pragma once

#include <cstdint>
#include <vector>

namespace belfry {

class Histogram {
 public:
  Histogram();

  // `value` >= 0.
  void Record(int64_t value);

  [[nodiscard]] uint64_t count() const { return count_; }
  [[nodiscard]] int64_t max() const { return max_; }  // exact; 0 when nothing was recorded

  // The smallest value that at least `share` (0 < share <= 1) of the recorded ones do not exceed,
  // rounded up to the end of its bucket, but never above max(). 0 when nothing was recorded.
  [[nodiscard]] int64_t Quantile(double share) const;

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace belfry
