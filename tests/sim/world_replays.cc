// What timers wish for beyond being sent, and dead letters that are brought back.

#include <algorithm>

#include "tests/sim/world.h"

namespace belfry::sim {

// From one number, so that timers without wishes cost the run no randomness.
void World::AddWishes(uint64_t dice, Timer* timer) {
  const auto take = [&dice](uint64_t below) {
    const uint64_t taken = dice % below;
    dice /= below;
    return taken;
  };
  if (take(4) == 0) {
    constexpr int64_t kLateness[] = {1, 400, 2500, 30'000, kHourMs};
    timer->max_lateness_ms = kLateness[take(std::size(kLateness))];
    timer->on_late = static_cast<OnLate>(take(3));
  }
  for (const CallbackOn on : {CallbackOn::kSuccess, CallbackOn::kFailure}) {
    if (take(4) == 0)
      timer->callbacks.push_back({on, "http://r" + std::to_string(take(4)) + "/cb"});
  }
}

// Mostly one that is dead.
void World::ReplayOne() {
  TimerId id = Random(last_id_ + 3);
  for (int look = 0; look < 8 && !oracle_.Now(id).dead; ++look) id = Random(last_id_ + 3);
  Replay(OneIn(8) ? kStranger : kLocalTenant, id);
}

void World::Replay(TenantId tenant, TimerId id) {
  Note("replay " + std::to_string(id) + " by " + std::to_string(tenant));
  const bool own = tenant == kLocalTenant;
  const ReplyToken token = Expect({Ask::kReplay, own ? id : 0, "", {}, oracle_.Now(id)});
  timers_->Replay(token, tenant, id, now_);
}

void World::ReplayRange() {
  DeadRange range;
  range.tenant = kLocalTenant;
  if (OneIn(3)) range.due_after = now_ + -static_cast<int64_t>(Random(20'000));
  if (OneIn(3)) range.due_before = now_ + -static_cast<int64_t>(Random(5000));
  const bool dry_run = OneIn(4);
  Note("replay a range" + std::string(dry_run ? ", not really" : ""));
  timers_->ReplayRange(Expect({Ask::kReplayRange, 0, "", {}}), range, dry_run, now_);
}

void World::NoteAsked(const Op& op) {
  const size_t kind = op.what.index();
  const bool upkeep = kind == kOpKind<LoadOp> || kind == kOpKind<MarkOp> ||
                      kind == kOpKind<RetainOp> || kind == kOpKind<LoadParkedOp> ||
                      kind == kOpKind<ReplayStepOp>;
  if (stopping_ && upkeep) oracle_.Fail("the stop is made to wait for upkeep");
  CheckCharge(op);
  streams_.Asked(op, now_, clock_sane_ ? std::nullopt : std::optional(last_seen_));
  if (const auto* floor = std::get_if<FloorOp>(&op.what)) {
    oracle_.CancelAllAsked(floor->last_id);
    waiting_.at(op.token).id = floor->last_id;
  }
  if (const auto* replay = std::get_if<ReplayByIdOp>(&op.what)) oracle_.ReplayAsked(replay->id);
  if (kind == kOpKind<ReplayRangeOp>) oracle_.RangeAsked();
}

void World::NoteApplied(const std::vector<Completion>& done, const std::vector<WallMs>& ends,
                        const std::vector<DeadRange>& ranges) {
  size_t range = 0;
  for (size_t i = 0; i < done.size(); ++i) {
    if (done[i].kind == kOpKind<FloorOp>) {
      ended_.erase(ended_.begin(), ended_.upper_bound(done[i].floor));
      oracle_.FloorApplied(done[i].floor);
    }
    if (done[i].kind == kOpKind<StartStreamOp>) continue;
    if (done[i].kind == kOpKind<LapseStreamOp>) {
      if (!done[i].callback) continue;
      oracle_.Made(*done[i].callback);
      NoteStored(*done[i].callback);
      continue;
    }
    oracle_.Applied(done[i]);
    if (done[i].kind == kOpKind<ReplayRangeOp>) oracle_.RangeWritten(ranges[range++]);
    if (done[i].timer) NoteStored(*done[i].timer);
    if (done[i].callback) NoteStored(*done[i].callback);
    if (done[i].kind == kOpKind<ReplayStepOp>) {
      for (const TimerPtr& timer : done[i].page.timers) NoteStored(*timer);
    }
    NoteEnded(done[i], ends[i]);
  }
}

// A step of a range names no ids before it is back: what it brought to life is nobody's until then.
std::map<TimerId, Key> World::LiveAndHandedBack() const {
  std::map<TimerId, Key> live = oracle_.live();
  for (const Completion& done : completed_) {
    if (done.kind != kOpKind<ReplayStepOp>) continue;
    for (const TimerPtr& timer : done.page.timers) live.erase(timer->id);
  }
  return live;
}

void World::CheckReplay(const Request& request, const Reply& reply) {
  if (request.id == 0) {
    return CheckStranger(reply);
  }
  if (std::holds_alternative<ReplayReply>(reply.what)) {
    Note("replayed " + std::to_string(request.id));
    return oracle_.ReplayAcknowledged(request.id, request.then);
  }
  const auto ended = ended_.find(request.id);
  const bool remembered = ended != ended_.end() && ended->second >= retained_before_;
  const bool not_found = std::holds_alternative<NotFoundReply>(reply.what);
  if (not_found) oracle_.NotFound(request.id, request.then.lived);
  if ((not_found && remembered) || std::holds_alternative<NotDeadReply>(reply.what)) {
    oracle_.ReplayRefused(request.id, request.then);
  }
}

void World::CheckOwed() {
  for (const TimerId id : oracle_.Owed()) {
    const auto ended = ended_.find(id);
    if (ended == ended_.end() || ended->second < retained_before_) continue;
    oracle_.Fail("replays: timer " + std::to_string(id) +
                 " is in a range that was accepted, and is as dead as before");
  }
}

}  // namespace belfry::sim
