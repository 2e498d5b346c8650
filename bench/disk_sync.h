// disk_sync.h - what it costs to make a small write durable on a disk. Blocks. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "bench/histogram.h"

namespace belfry {

struct SyncResult {
  double seconds = 0;
  Histogram latency_ns;  // of one append and its fdatasync; with a rate, from the moment meant
};

// Appends `bytes` and calls fdatasync, `count` times, on a nameless file in the directory. With a
// `rate` the first byte of each is meant to be written at a fixed moment, so many a second: a pause
// of the disk counts for all that it holds up. 0: each at the end of the one before.
[[nodiscard]] Result<SyncResult> MeasureSync(const std::string& directory, int64_t count,
                                             int64_t bytes, double rate);

}  // namespace belfry
