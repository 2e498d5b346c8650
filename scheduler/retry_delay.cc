#include "scheduler/retry_delay.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/limits.h"

namespace belfry {
namespace {

// splitmix64: a well-mixed number from (seed, id, attempts), without state to restore after a
// crash.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// In [-1, 1].
double Unit(uint64_t seed, TimerId id, uint32_t attempts) {
  const uint64_t bits = Mix(Mix(Mix(seed) ^ id) ^ attempts) >> 11;
  return static_cast<double>(bits) / static_cast<double>(uint64_t{1} << 52) - 1.0;
}

}  // namespace

int64_t BaseDelayMs(const RetryPolicy& policy, uint32_t attempts) {
  CHECK(attempts >= 1);
  if (!policy.schedule_ms.empty()) {
    const size_t step = std::min<size_t>(attempts - 1, policy.schedule_ms.size() - 1);
    return policy.schedule_ms[step];
  }
  const double delay = static_cast<double>(policy.min_ms) *
                       std::pow(policy.factor, static_cast<double>(attempts - 1));
  return delay >= static_cast<double>(policy.max_ms) ? policy.max_ms : static_cast<int64_t>(delay);
}

int64_t RetryDelayMs(const RetryPolicy& policy, uint32_t attempts, TimerId id, uint64_t seed,
                     std::optional<int64_t> retry_after_ms) {
  const int64_t base_ms = BaseDelayMs(policy, attempts);
  const double shift = policy.jitter * Unit(seed, id, attempts) * static_cast<double>(base_ms);
  const int64_t delay_ms = std::max<int64_t>(0, base_ms + static_cast<int64_t>(shift));
  if (!retry_after_ms) return delay_ms;
  return std::max(delay_ms, std::min(*retry_after_ms, kRetryAfterMsMax));
}

}  // namespace belfry
