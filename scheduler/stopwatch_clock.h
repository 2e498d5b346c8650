// stopwatch_clock.h - the time that stopwatches are measured with.
//
// Pure. It starts as the wall clock stands when that is first believed, and goes on with the
// monotonic one: a step of the wall clock changes no stopwatch while the daemon runs, so elapsed
// never runs backwards. What was stored by an earlier run may be later than this clock; see
// ElapsedMs in base/stopwatch.h.
#pragma once

#include "base/time.h"

namespace belfry {

class StopwatchClock {
 public:
  // The same moment.
  StopwatchClock(WallMs wall, MonoMs mono) : wall_(wall), mono_(mono) {}

  [[nodiscard]] WallMs At(MonoMs mono) const { return wall_ + (mono - mono_); }

 private:
  WallMs wall_;
  MonoMs mono_;
};

}  // namespace belfry
