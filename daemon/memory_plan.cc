#include "daemon/memory_plan.h"

#include <algorithm>

#include "base/limits.h"
#include "daemon/byte_size.h"

namespace belfry {
namespace {

// A third of what is under way each; the last third is the program itself and its deliveries.
constexpr uint64_t kPartsUnderWay = 3;

}  // namespace

uint64_t MemoryPlan::Buffered() const {
  return std::min<uint64_t>(under_way / kPartsUnderWay, kBufferedBytesMax);
}

uint64_t MemoryPlan::SetsQueued() const {
  return std::min<uint64_t>(under_way / kPartsUnderWay, kSetsQueuedBytesMax);
}

MemoryPlan PlanMemory(const Config::Memory& memory) {
  const uint64_t rest = memory.budget - memory.window - memory.id_cache;
  return {memory.window, memory.id_cache, rest / 2, rest / 4, rest / 4};
}

Status CheckMemory(const Config::Memory& memory) {
  const uint64_t half = memory.budget / 2;
  if (memory.window <= half && memory.id_cache <= half - memory.window) return {};
  return Refused("memory.budget: " + FormatByteSize(memory.budget) +
                 " is too small: memory.window, " + FormatByteSize(memory.window) +
                 ", and memory.id_cache, " + FormatByteSize(memory.id_cache) +
                 ", may take half of it");
}

}  // namespace belfry
