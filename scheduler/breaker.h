// breaker.h - whether a target is worth an attempt: closed, open, half-open with one probe.
//
// Loop thread only; pure, no allocation.
//
// closed      Attempts start. It opens after `failures` of them in a row without any answer, or
//             when of at least `min_attempts` within `window_ms` at least `ratio` failed: no
//             answer, 429 or 5xx.
// open        Nothing starts before probe_at().
// half-open   One attempt at a time may start: the probe. Answered by anything but 429 and 5xx it
//             closes the breaker; else it is open again, twice as long as before, from
//             probe_min_ms to probe_max_ms, each with 20 % jitter.
//
// Local faults, interruptions and what delivery.targets forbids say nothing about the target; a
// probe that ends in one is tried again. So do attempts that began before the breaker last changed.
#pragma once

#include <cstdint>

#include "base/delivery.h"
#include "base/id.h"
#include "base/time.h"
#include "scheduler/sliding_counts.h"

namespace belfry {

struct BreakerOptions {
  uint32_t failures = 5;
  double ratio = 0.5;
  uint32_t min_attempts = 20;
  int64_t window_ms = 30 * kSecondMs;
  int64_t probe_min_ms = kSecondMs;
  int64_t probe_max_ms = 5 * kMinuteMs;
  uint64_t seed = 1;  // of the jitter
};

enum class BreakerState : uint8_t { kClosed, kOpen, kHalfOpen };

// What an outcome says about its target.
enum class Health : uint8_t {
  kUnknown,      // nothing: a local fault, an interruption, a forbidden address
  kGood,         // an answer that is neither of the next
  kBad,          // 429 or 5xx
  kUnreachable,  // no answer: connect, TLS, DNS, protocol, time-out
};
[[nodiscard]] Health HealthOf(const Outcome& outcome);

class Breaker {
 public:
  // `options` outlive this. `jitter_key` tells targets apart.
  Breaker(const BreakerOptions& options, uint64_t jitter_key)
      : options_(&options), jitter_key_(jitter_key) {}

  [[nodiscard]] bool closed() const { return !open_; }
  // An attempt is under way that decides.
  [[nodiscard]] bool probing() const { return probe_ != 0; }
  // When the next probe may start. It is not closed.
  [[nodiscard]] WallMs probe_at() const { return probe_at_; }
  [[nodiscard]] BreakerState state(WallMs now) const;

  [[nodiscard]] bool MayStart(WallMs now) const;
  // MayStart said so.
  void Started(TimerId id);
  // An attempt that was Started ended.
  void Ended(const Outcome& outcome, WallMs now);
  // The clock was set back to `now`: nothing waits longer than it would from here.
  void ClockWentBack(WallMs now);

 private:
  static constexpr size_t kBuckets = 6;

  [[nodiscard]] int64_t BucketMs() const;
  [[nodiscard]] bool Tripped(WallMs now) const;
  void Open(WallMs now);
  void Close(WallMs now);

  const BreakerOptions* options_;
  uint64_t jitter_key_;
  bool open_ = false;
  uint32_t unreachable_in_a_row_ = 0;
  uint32_t failed_probes_ = 0;  // since it was last closed
  TimerId probe_ = 0;           // under way; 0: none
  WallMs probe_at_;
  int64_t delay_ms_ = 0;  // what probe_at_ was put off by
  WallMs closed_since_;
  SlidingCounts<kBuckets> recent_;
};

}  // namespace belfry
