// retry_delay.h - how long to wait before the next attempt. Any thread; pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/id.h"
#include "base/timer.h"

namespace belfry {

// The delay after `attempts` charged attempts (>= 1), before jitter.
[[nodiscard]] int64_t BaseDelayMs(const RetryPolicy& policy, uint32_t attempts);

// How long a timer with `attempts` charged attempts waits, from its key time on, for a target whose
// breaker is not closed, before it is charged one more: the step that would follow this attempt, at
// least kOpenWaitMsMin.
[[nodiscard]] int64_t OpenWaitMs(const RetryPolicy& policy, uint32_t attempts);

// The delay with jitter, the same for the same (seed, id, attempts). A Retry-After from the
// receiver is honoured between the jittered delay and kRetryAfterMsMax.
[[nodiscard]] int64_t RetryDelayMs(const RetryPolicy& policy, uint32_t attempts, TimerId id,
                                   uint64_t seed, std::optional<int64_t> retry_after_ms);

}  // namespace belfry
