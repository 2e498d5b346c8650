// stopwatches.h - the scheduler of stopwatches: a pure step machine like Timers, beside it in the
// Engine. Nothing of them is kept in memory but the last changes (stopwatch_feed.h): what is, is in
// the store.
//
// Loop thread only. Exactly one Reply is made for each token that was given in. A change is
// answered and told to subscribers by the completion that made it durable.
//
// Nothing is measured with a clock that cannot be right: what it started would stand still, or be
// years old, when it is set. Starts and lists are refused until there is one that is believed.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "base/op.h"
#include "base/query.h"
#include "scheduler/ready.h"
#include "scheduler/stopwatch_clock.h"
#include "scheduler/stopwatch_feed.h"

namespace belfry {

class Stopwatches {
 public:
  // `ready` outlives this; its owner takes it.
  Stopwatches(size_t feed_events_max, uint64_t run, Ready* ready);
  Stopwatches(const Stopwatches&) = delete;
  Stopwatches& operator=(const Stopwatches&) = delete;

  // --- what clients ask -------------------------------------------------------------------------
  // Starts it, or starts it again: StopwatchReply once durable; or a Refusal, then nothing was
  // stored.
  void Start(ReplyToken token, TenantId tenant, std::string name, MonoMs now);
  void Delete(ReplyToken token, TenantId tenant, std::string name);  // StopwatchGoneReply
  // StopwatchListReply, or NotOwnedReply. What was begun goes on: a further page is not refused
  // because too much is waiting.
  void List(ReplyToken token, StopwatchQuery query);

  // --- what came back ---------------------------------------------------------------------------
  [[nodiscard]] static bool IsOurs(size_t op_kind) {
    return op_kind == kOpKind<StopwatchPutOp> || op_kind == kOpKind<StopwatchDeleteOp>;
  }
  void Complete(const Completion& done);  // of its own ops, in the store's order
  void QueryDone(QueryResult result, MonoMs now);
  // Every waiting client of an op that is not completed gets kOutcomeUnknown.
  void StoreFailed();

  void SetNoSpace(bool no_space) { no_space_ = no_space; }
  // The clock is believed, now or since long. `wall` and `mono` are the same moment.
  void BelieveClock(WallMs wall, MonoMs mono);

  [[nodiscard]] StopwatchFeed& feed() { return feed_; }
  // As given in: numbers of the feed mean nothing in another.
  [[nodiscard]] uint64_t run() const { return run_; }
  // The clock is believed.
  [[nodiscard]] WallMs Now(MonoMs mono) const;
  // Queued or at the store.
  [[nodiscard]] size_t unfinished_ops() const { return waiting_.size(); }

 private:
  [[nodiscard]] std::optional<Refusal> WhyNoOp() const;
  void Enqueue(Op op);
  void Answer(ReplyToken token, decltype(Reply::what) what);

  std::optional<StopwatchClock> clock_;  // as of when it was first believed
  const uint64_t run_;
  StopwatchFeed feed_;
  std::deque<ReplyToken> waiting_;  // of the unfinished ops, in order
  size_t queries_ = 0;              // asked and not answered
  bool no_space_ = false;
  bool failed_ = false;
  Ready& ready_;
};

}  // namespace belfry
