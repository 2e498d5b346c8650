// clock.h - the only place that asks the operating system for the time.
//
// Any thread. A Clock outlives everything that was given a reference to it.
#pragma once

#include "base/time.h"

namespace belfry {

class Clock {
 public:
  virtual ~Clock() = default;
  // UTC now; may step either way between two calls.
  [[nodiscard]] virtual WallMs Wall() const = 0;
  // Never steps back; does not count suspend.
  [[nodiscard]] virtual MonoMs Mono() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] WallMs Wall() const override;
  [[nodiscard]] MonoMs Mono() const override;
};

}  // namespace belfry
