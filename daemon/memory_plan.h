// memory_plan.h - how memory.budget is shared out. Any thread; pure.
//
// What the configuration names comes first: the window and the id cache. Of the rest, half goes to
// blocks read from disk, a quarter to writes on their way to tables, and a quarter to what is under
// way: requests half read and answers unsent, sets that wait for the disk, attempts, and what the
// program and its libraries take without any work. Shares are bounds: nothing is taken in advance.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "daemon/config.h"

namespace belfry {

// In bytes; the sum is the budget, but for rounding.
struct MemoryPlan {
  uint64_t window = 0;
  uint64_t id_cache = 0;
  uint64_t block_cache = 0;
  uint64_t write_buffers = 0;
  uint64_t under_way = 0;

  // Parts of `under_way`: bytes buffered for all client connections, and sets not yet durable. At
  // most kBufferedBytesMax and kSetsQueuedBytesMax.
  [[nodiscard]] uint64_t Buffered() const;
  [[nodiscard]] uint64_t SetsQueued() const;
};

[[nodiscard]] MemoryPlan PlanMemory(const Config::Memory& memory);

// kRefused: the budget is too small for its parts.
[[nodiscard]] Status CheckMemory(const Config::Memory& memory);

}  // namespace belfry
