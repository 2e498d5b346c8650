#include "scheduler/stopwatches.h"

#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "base/planted.h"

namespace belfry {

Stopwatches::Stopwatches(size_t feed_events_max, uint64_t run, Ready* ready)
    : run_(run), feed_(feed_events_max), ready_(*ready) {}

// Once: from then on it goes with the monotonic clock.
void Stopwatches::BelieveClock(WallMs wall, MonoMs mono) {
  if (!clock_) clock_.emplace(wall, mono);
}

WallMs Stopwatches::Now(MonoMs mono) const {
  CHECK(clock_.has_value());
  return clock_->At(mono);
}

void Stopwatches::Start(ReplyToken token, TenantId tenant, std::string name, MonoMs now) {
  if (const auto refusal = WhyNoOp()) return Answer(token, *refusal);
  if (!clock_) return Answer(token, Refusal::kClockWrong);
  if (no_space_) return Answer(token, Refusal::kNoSpace);
  if (Planted(Bug::kStopwatchAnsweredEarly)) {
    Answer(std::exchange(token, 0), StopwatchReply{name, true});
  }
  Enqueue({token, StopwatchPutOp{{tenant, std::move(name), Now(now)}}});
}

void Stopwatches::Delete(ReplyToken token, TenantId tenant, std::string name) {
  if (const auto refusal = WhyNoOp()) return Answer(token, *refusal);
  Enqueue({token, StopwatchDeleteOp{tenant, std::move(name)}});
}

std::optional<Refusal> Stopwatches::WhyNoOp() const {
  if (failed_) return Refusal::kStopping;
  if (waiting_.size() >= kStopwatchOpsQueuedMax) return Refusal::kOverloaded;
  return std::nullopt;
}

void Stopwatches::List(ReplyToken token, StopwatchQuery query) {
  if (!clock_) return Answer(token, Refusal::kClockWrong);
  const bool goes_on = query.after.has_value();
  if (queries_ >= kQueriesQueuedMax && !goes_on) return Answer(token, Refusal::kOverloaded);
  ++queries_;
  ready_.queries.push_back({token, std::move(query), nullptr});
}

void Stopwatches::Complete(const Completion& done) {
  if (failed_) return;
  CHECK(!waiting_.empty());
  waiting_.pop_front();
  if (done.kind == kOpKind<StopwatchDeleteOp>) {
    if (done.result == OpResult::kDone) {
      feed_.Add(StopwatchEvent::Kind::kDeleted, done.stopwatch);
    }
    return Answer(done.token, StopwatchGoneReply{});
  }
  const bool created = done.result == OpResult::kDone;
  feed_.Add(created ? StopwatchEvent::Kind::kCreated : StopwatchEvent::Kind::kReset,
            done.stopwatch);
  Answer(done.token, StopwatchReply{done.stopwatch.name, created});
}

void Stopwatches::QueryDone(QueryResult result, MonoMs now) {
  --queries_;
  if (!result.status.ok()) {
    const bool stopping = result.status.code() == StatusCode::kUnavailable;
    return Answer(result.token, stopping ? Refusal::kStopping : Refusal::kReadFailed);
  }
  auto& page = std::get<StopwatchPage>(result.what);
  if (!page.owned) return Answer(result.token, NotOwnedReply{});
  Answer(result.token, StopwatchListReply{std::move(page), Now(now)});
}

void Stopwatches::StoreFailed() {
  failed_ = true;
  for (const ReplyToken token : std::exchange(waiting_, {})) {
    Answer(token, Refusal::kOutcomeUnknown);
  }
}

void Stopwatches::Enqueue(Op op) {
  waiting_.push_back(op.token);
  ready_.ops.push_back(std::move(op));
}

void Stopwatches::Answer(ReplyToken token, decltype(Reply::what) what) {
  if (token != 0) ready_.replies.push_back({token, std::move(what)});
}

}  // namespace belfry
