#include "scheduler/retry_delay.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/limits.h"
#include "scheduler/jitter.h"

namespace belfry {

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

int64_t OpenWaitMs(const RetryPolicy& policy, uint32_t attempts) {
  return std::max(kOpenWaitMsMin, BaseDelayMs(policy, attempts + 1));
}

int64_t RetryDelayMs(const RetryPolicy& policy, uint32_t attempts, TimerId id, uint64_t seed,
                     std::optional<int64_t> retry_after_ms) {
  const int64_t base_ms = BaseDelayMs(policy, attempts);
  const double shift = policy.jitter * Jitter(seed, id, attempts) * static_cast<double>(base_ms);
  const int64_t delay_ms = std::max<int64_t>(0, base_ms + static_cast<int64_t>(shift));
  if (!retry_after_ms) return delay_ms;
  return std::max(delay_ms, std::min(*retry_after_ms, kRetryAfterMsMax));
}

}  // namespace belfry
