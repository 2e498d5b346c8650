#include "tests/sim/stream_model.h"

#include <algorithm>

namespace belfry::sim {

OpResult StreamModel::Do(const Op& op) {
  told_.reset();
  holds_.reset();
  return std::visit([this](const auto& what) { return Do(what); }, op.what);
}

std::vector<TimerId> StreamModel::Named(const Name& user) const {
  std::vector<TimerId> out;
  for (const auto& [id, lease] : leases_) {
    if (lease.named && lease.user == user) out.push_back(id);
  }
  return out;
}

StreamModel::Held* StreamModel::Find(const Name& user, const StreamId& id) {
  for (auto& [deadline, lease] : leases_) {
    if (lease.named && lease.user == user && lease.id == id) return &lease;
  }
  return nullptr;
}

// Its slot is free. If it has lapsed and is to tell of it, its deadline stays.
void StreamModel::Over(TimerId id, WallMs now) {
  Held& lease = leases_.at(id);
  lease.named = false;
  if (now < lease.expires_at || !lease.calls) leases_.erase(id);
}

OpResult StreamModel::Do(const PutUserOp& op) {
  const bool made = users_.try_emplace({op.tenant, op.user}, op.limit).second;
  return made ? OpResult::kDone : OpResult::kExists;
}

OpResult StreamModel::Do(const DeleteUserOp& op) {
  const Name user{op.tenant, op.user};
  if (!users_.contains(user)) return OpResult::kGone;
  for (const TimerId id : Named(user)) Over(id, op.now);
  users_.erase(user);
  return OpResult::kDone;
}

OpResult StreamModel::Do(const StartStreamOp& op) {
  const StreamStart& start = *op.start;
  const Name user{start.tenant, start.user};
  if (!users_.contains(user) && start.require_user) return OpResult::kGone;
  const uint32_t limit = users_.try_emplace(user).first->second.value_or(start.limit);
  holds_ = limit;
  for (const TimerId id : Named(user)) {
    if (leases_.at(id).expires_at <= start.now) Over(id, start.now);
  }
  std::vector<TimerId> alive = Named(user);
  for (; start.evict_oldest && alive.size() >= limit; alive.erase(alive.begin())) {
    Over(alive.front(), start.now);
  }
  if (alive.size() >= limit) return OpResult::kFull;
  const WallMs expires_at = start.now + start.ttl_ms;
  leases_[start.deadline] = {user, start.stream, expires_at, start.ttl_ms, !start.on_expire.empty(),
                             true, expires_at};
  return OpResult::kDone;
}

OpResult StreamModel::Do(const RenewStreamOp& op) {
  Held* const lease = Find({op.tenant, op.user}, op.stream);
  if (lease == nullptr || lease->expires_at <= op.now) return OpResult::kGone;
  lease->expires_at = std::max(lease->expires_at, op.now + lease->ttl_ms);
  return OpResult::kDone;
}

OpResult StreamModel::Do(const EndStreamOp& op) {
  const Name user{op.tenant, op.user};
  if (!users_.contains(user)) return OpResult::kGone;
  for (const TimerId id : Named(user)) {
    if (leases_.at(id).id == op.stream) Over(id, op.now);
  }
  return OpResult::kDone;
}

OpResult StreamModel::Do(const LapseStreamOp& op) {
  const auto found = leases_.find(op.deadline->id);
  if (found == leases_.end()) return OpResult::kGone;
  Held& lease = found->second;
  if (lease.named && lease.expires_at > op.now) {
    lease.due = lease.expires_at;
    return OpResult::kDone;
  }
  if (lease.calls) told_ = lease;
  leases_.erase(found);
  return OpResult::kDone;
}

Op CopyOfStreamOp(const Op& op) {
  Op copy;
  copy.token = op.token;
  copy.what = MarkOp{};
  if (const auto* put = std::get_if<PutUserOp>(&op.what)) copy.what = *put;
  if (const auto* gone = std::get_if<DeleteUserOp>(&op.what)) copy.what = *gone;
  if (const auto* renew = std::get_if<RenewStreamOp>(&op.what)) copy.what = *renew;
  if (const auto* end = std::get_if<EndStreamOp>(&op.what)) copy.what = *end;
  if (const auto* start = std::get_if<StartStreamOp>(&op.what)) {
    copy.what = StartStreamOp{std::make_unique<StreamStart>(*start->start)};
  }
  if (const auto* lapse = std::get_if<LapseStreamOp>(&op.what)) {
    copy.what =
        LapseStreamOp{std::make_unique<Timer>(*lapse->deadline), lapse->callback, lapse->now};
  }
  return copy;
}

}  // namespace belfry::sim
