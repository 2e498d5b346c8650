// engine.h - the scheduler as its owner sees it: timers, stopwatches and stream slots over one
// Ready.
//
// Loop thread only, pure as its parts are. Inputs are calls that carry the time; the output is one
// Ready a loop turn. Its ops stand in the order in which they were decided, whichever part decided
// them, and each completion goes back to the part whose op it was.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "base/time.h"
#include "scheduler/ready.h"
#include "scheduler/stopwatches.h"
#include "scheduler/streams.h"
#include "scheduler/timers.h"

namespace belfry {

struct EngineOptions {
  TimersOptions timers;
  size_t feed_events_max = kFeedEventsMax;
  StreamsOptions streams = {};
  uint64_t run = 1;  // another one each time: a number of one run's events means nothing in another
};

// What the scheduler needs from the opened store.
struct EngineStart {
  TimersStart timers;
};

class Engine {
 public:
  // `wall` and `mono` are the same moment.
  Engine(EngineOptions options, const EngineStart& start, WallMs wall, MonoMs mono);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // What clients ask for, and what comes of a Delivery, goes to the part itself.
  [[nodiscard]] Timers& timers() { return timers_; }
  [[nodiscard]] const Timers& timers() const { return timers_; }
  [[nodiscard]] Stopwatches& stopwatches() { return stopwatches_; }
  [[nodiscard]] Streams& streams() { return streams_; }

  // --- what came back ---------------------------------------------------------------------------
  void Complete(std::vector<Completion> done, WallMs wall);  // in the store's order
  void QueryDone(QueryResult result, MonoMs mono);
  // The store failed: nothing starts any more, and every waiting client of an op that is not
  // completed gets kOutcomeUnknown.
  void StoreFailed();

  // --- time and operation -----------------------------------------------------------------------
  // Does what is due, and at most a bounded amount of it a call; wake_at says when again. `wall`
  // and `mono` are the same moment.
  void Tick(WallMs wall, MonoMs mono);
  void SetNoSpace(bool no_space);  // below storage.min_free: what stores something new is refused
  void StopStarting();             // SIGTERM: no delivery starts from here on, ops still commit

  [[nodiscard]] Ready TakeReady();
  // There is something to take but deliveries, which come with a Tick.
  [[nodiscard]] bool pending() const {
    return !ready_.ops.empty() || !ready_.queries.empty() || !ready_.replies.empty();
  }
  // Only what can be answered now; for what QueryDone brought about since.
  [[nodiscard]] std::vector<Reply> TakeReplies() { return std::exchange(ready_.replies, {}); }

  // Queued or at the store.
  [[nodiscard]] size_t unfinished_ops() const {
    return timers_.unfinished_ops() + stopwatches_.unfinished_ops();
  }

 private:
  void BelieveClock(WallMs wall, MonoMs mono);

  Ready ready_;
  Timers timers_;
  Stopwatches stopwatches_;
  Streams streams_;
};

}  // namespace belfry
