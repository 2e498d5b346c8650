// bench_timer.h - the timer that the commit benchmarks store. Pure; any thread.
#pragma once

#include <memory>

#include "base/timer.h"

namespace belfry {

inline TimerPtr NewBenchTimer(TimerId id) {
  constexpr WallMs kNow{1'790'000'000'000};
  auto timer = std::make_unique<Timer>();
  timer->id = id;
  timer->created_at = kNow;
  timer->due = timer->next_attempt = kNow + static_cast<int64_t>(id * 7919 % kDayMs);
  timer->url = "http://127.0.0.1:9000/hook";
  return timer;
}

}  // namespace belfry
