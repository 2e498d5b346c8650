#include "scheduler/engine.h"

#include "base/planted.h"

namespace belfry {

Engine::Engine(EngineOptions options, const EngineStart& start, WallMs wall, MonoMs mono)
    : timers_(std::move(options.timers), start.timers, wall, &ready_),
      stopwatches_(options.feed_events_max, options.run, &ready_),
      streams_(std::move(options.streams), &timers_, &ready_) {
  BelieveClock(wall, mono);
}

void Engine::BelieveClock(WallMs wall, MonoMs mono) {
  if (!timers_.clock_sane() && !Planted(Bug::kStopwatchWrongClock)) return;
  stopwatches_.BelieveClock(wall, mono);
}

void Engine::Complete(std::vector<Completion> done, WallMs wall) {
  for (Completion& completion : done) {
    if (Stopwatches::IsOurs(completion.kind)) {
      stopwatches_.Complete(completion);
    } else if (Streams::IsOurs(completion.kind)) {
      timers_.CompleteLeaseOp(completion, wall);
      streams_.Complete(completion);
    } else {
      timers_.Complete(std::move(completion), wall);
    }
  }
  timers_.GroupCompleted();
}

void Engine::QueryDone(QueryResult result, MonoMs mono) {
  if (result.kind == kQueryKind<StopwatchQuery>) {
    stopwatches_.QueryDone(std::move(result), mono);
  } else if (Streams::IsOurQuery(result.kind)) {
    streams_.QueryDone(std::move(result));
  } else {
    timers_.QueryDone(std::move(result));
  }
}

void Engine::StoreFailed() {
  ready_.ops.clear();
  ready_.deliveries.clear();
  timers_.StoreFailed();
  stopwatches_.StoreFailed();
  streams_.StoreFailed();
}

void Engine::Tick(WallMs wall, MonoMs mono) {
  timers_.Tick(wall);
  BelieveClock(wall, mono);
}

void Engine::SetNoSpace(bool no_space) {
  timers_.SetNoSpace(no_space);
  stopwatches_.SetNoSpace(no_space);
  streams_.SetNoSpace(no_space);
}

void Engine::StopStarting() { timers_.StopStarting(); }

Ready Engine::TakeReady() {
  ready_.wake_at = timers_.WakeAt();
  return std::exchange(ready_, {});
}

}  // namespace belfry
