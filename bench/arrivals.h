// arrivals.h - what is known of the webhooks of stored timers that came so far. One thread; no I/O.
//
// Knows the timers by their ids 1..count, the last part of the path of a request; one bit of memory
// each. Lateness is the arrival minus the due time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "bench/fill_order.h"
#include "bench/histogram.h"

namespace belfry {

// What follows the last slash of a request's target; 0 when that is no number.
[[nodiscard]] uint64_t TimerIdIn(std::string_view target);

class Arrivals {
 public:
  // `order` nullopt: due times are not known, so nothing is early or late.
  Arrivals(uint64_t count, std::optional<FillOrder> order);

  // A request came. False: it is no timer's first.
  bool Add(std::string_view target, int64_t arrived_wall_ns);

  [[nodiscard]] uint64_t count() const { return seen_.size() - 1; }
  [[nodiscard]] uint64_t arrived() const { return arrived_; }  // different timers
  [[nodiscard]] uint64_t missing() const { return count() - arrived_; }
  [[nodiscard]] uint64_t early() const { return early_; }            // before they were due
  [[nodiscard]] uint64_t duplicates() const { return duplicates_; }  // of a timer that was here
  [[nodiscard]] uint64_t unknown() const { return unknown_; }        // name no such timer
  [[nodiscard]] int64_t first_wall_ns() const { return first_wall_ns_; }
  [[nodiscard]] int64_t last_wall_ns() const { return last_wall_ns_; }
  [[nodiscard]] const Histogram& late_ns() const { return late_ns_; }

 private:
  std::vector<bool> seen_;
  std::optional<FillOrder> order_;
  uint64_t arrived_ = 0;
  uint64_t early_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t unknown_ = 0;
  int64_t first_wall_ns_ = 0;
  int64_t last_wall_ns_ = 0;
  Histogram late_ns_;
};

}  // namespace belfry
