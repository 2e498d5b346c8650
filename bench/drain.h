// drain.h - receives the webhooks of timers that are stored already, as `fill` makes them, and says
// how fast they came and how late, by this machine's clock.
//
// Loop thread only.
#pragma once

#include <cstdint>

#include "bench/arrivals.h"
#include "bench/endpoint.h"
#include "bench/event_loop.h"
#include "bench/progress.h"
#include "bench/receiver.h"

namespace belfry {

struct DrainPlan {
  Endpoint receiver;
  uint64_t count = 0;
  int64_t first_due_ms = 0;  // UTC since 1970; 0: not known
  int64_t spread_ms = 0;     // as given to fill
  int64_t limit_ms = 0;      // without an arrival, after the last due time: the rest is missing
  int64_t linger_ms = 0;     // once all are here, for what may come twice
};

struct DrainResult {
  Arrivals arrivals;
  int64_t own_cpu_us = 0;  // from the first arrival to the last

  [[nodiscard]] double seconds() const {
    return static_cast<double>(arrivals.last_wall_ns() - arrivals.first_wall_ns()) / 1e9;
  }
  // Each arrived once, none early.
  [[nodiscard]] bool clean() const {
    return arrivals.missing() + arrivals.early() + arrivals.duplicates() + arrivals.unknown() == 0;
  }
};

class Drain {
 public:
  // `loop` outlives this.
  Drain(EventLoop& loop, const DrainPlan& plan);

  // Once; runs the loop. Says on stderr where it listens, once it does. An error when it cannot.
  [[nodiscard]] Result<DrainResult> Run();

 private:
  void OnRequest(std::string_view target, int64_t arrived_wall_ns);
  void Look();

  EventLoop& loop_;
  const DrainPlan plan_;
  DrainResult result_;
  LoopTimer look_timer_;
  StopSignals stop_;
  Progress progress_;
  int64_t cpu_before_us_ = 0;
  int64_t wait_from_ms_ = 0;  // the last due time, or the start
  uint64_t look_ns_ = 0;      // of the last Look
  uint64_t look_count_ = 0;
};

}  // namespace belfry
