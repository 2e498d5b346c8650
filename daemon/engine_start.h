// engine_start.h - what the scheduler is told of a store that was opened.
//
// Pure. The store and the scheduler do not know each other's types.
#pragma once

#include "scheduler/engine.h"
#include "storage/store.h"

namespace belfry {

[[nodiscard]] inline EngineStart StartFrom(const StoreState& state) {
  EngineStart engine;
  TimersStart& start = engine.timers;
  start.last_id = state.last_id;
  start.low = state.low;
  start.last_seen = state.last_seen;
  start.floors = state.floors;
  start.replays = state.replays;
  for (const ParkedTarget& target : state.parked_targets) {
    start.parked.push_back({target.number, target.name, target.low});
  }
  start.paused_all = state.paused_all;
  start.paused_targets = state.paused_targets;
  return engine;
}

}  // namespace belfry
