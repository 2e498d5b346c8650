// stopwatch_fill.h - makes a store of stopwatches, through the storage library. Blocks. One thread.
//
// The tenant `local` has `own` stopwatches, one of them `tea`, which `owners` tenants have. All
// others belong to strangers, one each, under names that stand just before and just behind `tea`.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace belfry {

struct StopwatchFillPlan {
  std::string data;  // a new directory
  uint64_t others = 1;
  uint64_t own = 10;
  uint64_t owners = 100;
};

// Seconds it took.
[[nodiscard]] Result<double> FillStopwatches(const StopwatchFillPlan& plan);

}  // namespace belfry
