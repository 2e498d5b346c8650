// disk_sync.h - what it costs to make a small write durable on a disk. Blocks. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "bench/histogram.h"

namespace belfry {

struct SyncResult {
  double seconds = 0;
  Histogram latency_ns;  // of one append and its fdatasync
};

// Appends `bytes` and calls fdatasync, `count` times, on a nameless file in the directory.
[[nodiscard]] Result<SyncResult> MeasureSync(const std::string& directory, int64_t count,
                                             int64_t bytes);

}  // namespace belfry
