// Dead letters brought back: the part of Timers that clients call for it, and what comes back.
#include <algorithm>

#include "base/check.h"
#include "scheduler/timers.h"

namespace belfry {
namespace {

NotDeadReply::Is StateOf(const Completion& done, bool under_way) {
  switch (done.result) {
    case OpResult::kFired:
      return NotDeadReply::Is::kFired;
    case OpResult::kCancelled:
      return NotDeadReply::Is::kCancelled;
    default:
      CHECK(done.result == OpResult::kAlive);
  }
  if (under_way) return NotDeadReply::Is::kFiring;
  return done.state == TimerState::kPending ? NotDeadReply::Is::kPending
                                            : NotDeadReply::Is::kRetrying;
}

}  // namespace

void Timers::Replay(ReplyToken token, TenantId tenant, TimerId id, WallMs now) {
  if (failed_) return Answer(token, Refusal::kStopping);
  if (!Exists(tenant, id)) return Answer(token, NotFoundReply{});
  const auto flight = flights_.find(id);
  const bool under_way = flight != flights_.end() && flight->second.timer;
  const Timer* here = under_way ? flight->second.timer.get() : InMemory(id);
  if (here != nullptr) {
    if (here->tenant != tenant) return Answer(token, NotFoundReply{});
    Completion alive;
    alive.result = OpResult::kAlive;
    alive.state = here->state;
    return Answer(token, NotDeadReply{id, StateOf(alive, under_way)});
  }
  Enqueue({token, ReplayByIdOp{tenant, id, now}}, {token, tenant, id, now});
}

void Timers::CompleteReplay(Completion& done) {
  const TimerId id = done.id;
  if (done.result == OpResult::kDone) {
    Rearm(std::move(done.timer));
    return Answer(done.token, ReplayReply{id});
  }
  ReleaseHeld(id);
  if (done.result == OpResult::kGone) return Answer(done.token, NotFoundReply{});
  if (done.result == OpResult::kDamaged) return Answer(done.token, Refusal::kReadFailed);
  Answer(done.token, NotDeadReply{id, StateOf(done, IsFiring(id))});
}

// --- by range ------------------------------------------------------------------------------------

void Timers::ReplayRange(ReplyToken token, DeadRange range, bool dry_run, WallMs now) {
  if (failed_) return Answer(token, Refusal::kStopping);
  if ((!dry_run && replays_.full()) || queries_ >= kQueriesQueuedMax) {
    return Answer(token, Refusal::kOverloaded);
  }
  range.finished_before = now + 1;
  CountQuery count{range.tenant, {}};
  count.filter.state = TimerState::kDead;
  count.filter.due_after = range.due_after;
  count.filter.due_before = range.due_before;
  ranges_asked_[token] = {std::move(range), dry_run, 0};
  Ask(token, count);
}

void Timers::Counted(ReplyToken token, uint64_t count) {
  const auto found = ranges_asked_.find(token);
  if (found == ranges_asked_.end()) return Answer(token, CountReply{count});
  RangeAsked& asked = found->second;
  if (!asked.dry_run && count > 0 && !failed_ && !replays_.full()) {
    asked.count = count;
    return Enqueue({token, ReplayRangeOp{replays_.Accept(), asked.range}}, {token});
  }
  if (asked.dry_run) {
    Answer(token, CountReply{count});
  } else if (count == 0) {
    Answer(token, ReplayRangeReply{0});
  } else {
    Answer(token, failed_ ? Refusal::kStopping : Refusal::kOverloaded);
  }
  ranges_asked_.erase(found);
}

void Timers::CompleteReplayRange(const Completion& done) {
  const auto asked = ranges_asked_.find(done.token);
  CHECK(asked != ranges_asked_.end());
  Answer(done.token, ReplayRangeReply{asked->second.count});
  ranges_asked_.erase(asked);
}

// Replays leave half of what may be staged to others; what is held does not count.
bool Timers::RoomToReplay() const {
  const size_t staged = admission_.staged(Lane::kOnTime) - admission_.staged_held();
  const size_t bytes = admission_.staged_bytes(Lane::kOnTime) - admission_.staged_held_bytes();
  return paused_all_ || (staged < kStagedMax / 2 && bytes < StagedBytesMax());
}

void Timers::QueueReplayStep(WallMs now) {
  if (!RoomToReplay()) return;
  if (const auto number = replays_.NextStep(now)) {
    Enqueue({0, ReplayStepOp{*number, now}}, {0, 0, 0, now});
  }
}

void Timers::CompleteReplayStep(Completion& done) {
  replays_.StepDone(done.more);
  for (TimerPtr& timer : done.page.timers) {
    ids_.Completed(timer->id, timer.get());
    Rearm(std::move(timer));
  }
}

}  // namespace belfry
