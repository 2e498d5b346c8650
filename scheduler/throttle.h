// throttle.h - how many attempts one target gets at once, and how many a second.
//
// Loop thread only; pure, no allocation.
//
// The limit starts at its maximum. An answer 408, 425, 429, 502, 503 or 504 and a time-out halve
// it, at most once in kHalvingIntervalMs and never below 1; every `limit` attempts that were
// answered well raise it by one. Retry-After of a 429 or 503 keeps the target from starting
// anything before that time, kTargetPauseMsMax at most. A rate is a token bucket that holds a tenth
// of a second; an attempt that found no slot gives its token back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/delivery.h"
#include "base/time.h"

namespace belfry {

struct ThrottleOptions {
  uint32_t limit_max = 100;  // attempts under way, >= 1
  uint32_t rate = 0;         // attempts a second; 0: as many as there are
};

class Throttle {
 public:
  // `options` outlive this.
  explicit Throttle(const ThrottleOptions& options);

  [[nodiscard]] size_t limit() const { return limit_; }
  // How many more may start now, given how many are under way.
  [[nodiscard]] size_t Room(size_t in_flight, WallMs now) const;
  // The first time from `now` on at which neither Retry-After nor the rate is in the way.
  [[nodiscard]] WallMs OpenAt(WallMs now) const;
  // It says something that a new one would not.
  [[nodiscard]] bool WorthKeeping(WallMs now) const;

  // Room said so.
  void Started(WallMs now);
  void Ended(const Outcome& outcome, WallMs now);
  // The clock was set back to `now`: nothing waits longer than it would from here.
  void ClockWentBack(WallMs now);

 private:
  [[nodiscard]] int64_t TokensAt(WallMs now) const;
  void Halve(WallMs now);

  const ThrottleOptions* options_;
  uint32_t limit_;
  uint32_t answered_well_ = 0;  // since the limit last changed
  WallMs halved_;
  WallMs paused_until_;
  int64_t tokens_;  // in thousandths of an attempt, as of filled_
  WallMs filled_;
};

}  // namespace belfry
