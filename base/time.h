// time.h - two clocks that cannot be mixed.
//
// WallMs  UTC milliseconds since 1970. Deadlines: stored, survive a reboot, may jump.
// MonoMs  monotonic milliseconds. Time-outs and sleeps inside one process.
// Differences are plain int64_t milliseconds, named `..._ms`.
#pragma once

#include <compare>
#include <cstdint>

namespace belfry {

struct WallMs {
  int64_t ms = 0;
  friend constexpr auto operator<=>(WallMs, WallMs) = default;
};

struct MonoMs {
  int64_t ms = 0;
  friend constexpr auto operator<=>(MonoMs, MonoMs) = default;
};

constexpr WallMs operator+(WallMs t, int64_t delta_ms) { return {t.ms + delta_ms}; }
constexpr MonoMs operator+(MonoMs t, int64_t delta_ms) { return {t.ms + delta_ms}; }
constexpr int64_t operator-(WallMs a, WallMs b) { return a.ms - b.ms; }
constexpr int64_t operator-(MonoMs a, MonoMs b) { return a.ms - b.ms; }

constexpr int64_t kSecondMs = 1000;
constexpr int64_t kMinuteMs = 60 * kSecondMs;
constexpr int64_t kHourMs = 60 * kMinuteMs;
constexpr int64_t kDayMs = 24 * kHourMs;

// The last millisecond of the year 9999: the latest deadline there is.
constexpr WallMs kWallMax{253402300799999};

}  // namespace belfry
