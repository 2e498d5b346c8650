// Cancels: one's own, and those of a stranger, who must neither change nor hold back anything.
#include <algorithm>
#include <set>

#include "tests/sim/world.h"
#include "tests/support/invariants.h"

namespace belfry::sim {

void World::Cancel(TenantId tenant, TimerId id) {
  const ReplyToken token = Expect({Ask::kCancel, tenant == kLocalTenant ? id : 0, "", {}});
  Note("cancel " + std::to_string(id) + " by " + std::to_string(tenant));
  timers_->Cancel(token, tenant, id, now_);
}

void World::CancelAll() {
  Note("cancel all");
  timers_->CancelAll(Expect({Ask::kCancelAll, 0, "", {}}), kLocalTenant, now_);
}

// Ids are guessed easily: that of a timer whose set is on its way, or of one that was dead.
void World::Meddle() {
  for (uint64_t i = 1 + Random(4); i > 0; --i) {
    const TimerId id = OneIn(3) ? Random(last_id_ + 3) : last_id_ + Random(5);
    OneIn(3) ? Replay(kStranger, id) : Cancel(kStranger, id);
  }
}

void World::CheckCancel(const Request& request, const Reply& reply) {
  if (request.id == 0) return CheckStranger(reply);
  if (std::holds_alternative<CancelReply>(reply.what)) {
    Note("cancelled " + std::to_string(request.id));
    return oracle_.CancelAcknowledged(request.id);
  }
  if (std::holds_alternative<NotFoundReply>(reply.what)) return oracle_.NotFound(request.id, true);
  if (const auto* late = std::get_if<TooLateReply>(&reply.what)) {
    oracle_.TooLate(request.id, late->why == TooLateReply::Why::kAlreadyFiring);
  }
}

// Somebody else's timer, or none: it is not found.
void World::CheckStranger(const Reply& reply) {
  const bool refused = std::holds_alternative<Refusal>(reply.what);
  if (!refused && !std::holds_alternative<NotFoundReply>(reply.what)) {
    oracle_.Fail("I4: a stranger changed or saw a timer");
  }
}

// What is held back, and never starts, waits for an op of its own.
void World::CheckHeld() {
  std::set<TimerId> own;
  for (const Op& op : at_store_) {
    if (const auto* put = std::get_if<PutOp>(&op.what)) own.insert(put->timer->id);
    if (const auto* settle = std::get_if<SettleOp>(&op.what)) own.insert(settle->key.id);
    if (const auto* retry = std::get_if<RetryOp>(&op.what)) own.insert(retry->old_key.id);
    if (const auto* park = std::get_if<ParkOp>(&op.what)) own.insert(park->key.id);
    const auto* erase = std::get_if<EraseByIdOp>(&op.what);
    if (erase != nullptr && erase->tenant == kLocalTenant) own.insert(erase->id);
    const auto* replay = std::get_if<ReplayByIdOp>(&op.what);
    if (replay != nullptr && replay->tenant == kLocalTenant) own.insert(replay->id);
  }
  for (const Completion& done : completed_) {
    if (done.tenant == kLocalTenant) own.insert(done.id);
  }
  for (const TimerId id : TimersInspector(*timers_).Held(kLocalTenant)) {
    if (own.contains(id)) continue;
    oracle_.Fail("I2: timer " + std::to_string(id) + " is held back by what a stranger asked for");
  }
}

}  // namespace belfry::sim
