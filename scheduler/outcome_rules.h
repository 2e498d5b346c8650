// outcome_rules.h - what the end of an attempt, or its being too late to begin, does to its timer.
// Pure.
#pragma once

#include <cstdint>

#include "base/delivery.h"
#include "base/time.h"
#include "base/timer.h"

namespace belfry {

// Records the attempt in the history and moves `timer` to its next state: delivered (2xx), dead
// (410: gone; forbidden target: policy; attempts used up: exhausted), or alive with a later
// next_attempt. A local fault or an interruption charges no attempt; an interrupted timer keeps its
// key, so that the next start sends it at once.
void ApplyOutcome(Timer& timer, const Outcome& outcome, const RetryPolicy& fallback,
                  uint64_t jitter_seed, WallMs now);

// Whether an attempt that would start now must not: it is later than the timer's max_lateness after
// the asked-for due, or after the last replay, and on_late is not `fire`.
[[nodiscard]] bool IsExpired(const Timer& timer, WallMs now);

// Ends an expired timer as it asked for: cancelled or dead, reason `expired`, nothing charged.
void Expire(Timer& timer, WallMs now);

}  // namespace belfry
