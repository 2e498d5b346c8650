// fill.h - makes a store that holds very many pending timers, through the storage library. Blocks;
// shows its progress. One thread.
//
// What it writes is fixed by the number of the timer: a URL of 60 bytes with one of 1,000 hosts and
// 16 random hexadecimal digits, three headers (one with 8 random digits), no body: 96 random bits a
// timer. Due times are spread evenly, in an order that has nothing to do with the ids
// (fill_order.h).
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "base/time.h"
#include "bench/fill_order.h"
#include "storage/rocks_kv.h"

namespace belfry {

struct FillPlan {
  std::string data;
  uint64_t count = 1'000'000;
  int64_t from_ms = kHourMs;
  int64_t spread_ms = 365 * kDayMs;
  std::string target;  // "": made up
  RocksOptions rocks;
};

struct FillResult {
  double seconds = 0;
  uint64_t bytes = 0;  // of all tables
  WallMs first_due;
};

// kRefused when the disk has too little room or the directory holds timers.
[[nodiscard]] Result<FillResult> Fill(const FillPlan& plan);

}  // namespace belfry
