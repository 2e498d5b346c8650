#include "tests/sim/stream_model.h"

#include <algorithm>

namespace belfry::sim {

StreamModel::Answer StreamModel::AnswerOf(const StreamResult& result) {
  return {result.limit, result.active, result.evicted, result.expires_at};
}

OpResult StreamModel::Do(const Op& op) {
  told_.reset();
  answer_ = {};
  return std::visit([this](const auto& what) { return Do(what); }, op.what);
}

std::vector<TimerId> StreamModel::Named(const Name& user) const {
  std::vector<TimerId> out;
  for (const auto& [id, lease] : leases_) {
    if (lease.named && lease.user == user) out.push_back(id);
  }
  return out;
}

std::vector<StreamId> StreamModel::NamedIds(const Name& user) const {
  std::vector<StreamId> out;
  for (const TimerId id : Named(user)) out.push_back(leases_.at(id).id);
  return out;
}

std::vector<StreamId> StreamModel::Alive(const Name& user, WallMs now) const {
  std::vector<StreamId> out;
  for (const TimerId id : Named(user)) {
    if (leases_.at(id).expires_at > now) out.push_back(leases_.at(id).id);
  }
  return out;
}

std::optional<TimerId> StreamModel::Find(const Name& user, const StreamId& id) const {
  for (const auto& [deadline, lease] : leases_) {
    if (lease.named && lease.user == user && lease.id == id) return deadline;
  }
  return std::nullopt;
}

// Its slot is free. If it has lapsed and is to tell of it, its deadline stays.
void StreamModel::Over(TimerId id, WallMs now) {
  Held& lease = leases_.at(id);
  lease.named = false;
  WallMs& last = users_.at(lease.user).last_online;
  last = std::max(last, std::min(now, lease.expires_at));
  if (now < lease.expires_at || !lease.calls) leases_.erase(id);
}

// A deadline is never later than that.
void StreamModel::LastUntil(Held* lease, WallMs expires_at) {
  lease->expires_at = expires_at;
  lease->due = std::min(lease->due, expires_at);
}

OpResult StreamModel::Do(const PutUserOp& op) {
  answer_.limit = op.limit.value_or(0);
  const bool made = users_.try_emplace({op.tenant, op.user}, User{op.limit, {}}).second;
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
  const uint32_t limit = users_[user].limit.value_or(start.limit);
  answer_.limit = limit;
  for (const TimerId id : Named(user)) {
    if (leases_.at(id).expires_at <= start.now) Over(id, start.now);
  }
  std::vector<TimerId> alive = Named(user);
  for (; start.evict_oldest && alive.size() >= limit; alive.erase(alive.begin())) {
    answer_.evicted.push_back(leases_.at(alive.front()).id);
    Over(alive.front(), start.now);
  }
  for (const TimerId id : alive) {
    Held& lease = leases_.at(id);
    LastUntil(&lease, std::min(lease.expires_at, start.now + lease.ttl_ms));
  }
  if (alive.size() >= limit) {
    answer_.active = alive.size();
    return OpResult::kFull;
  }
  answer_.active = alive.size() + 1;
  const WallMs expires_at = start.now + start.ttl_ms;
  leases_[start.deadline] = {user, start.stream, expires_at, start.ttl_ms, !start.on_expire.empty(),
                             true, expires_at};
  return OpResult::kDone;
}

OpResult StreamModel::Do(const RenewStreamOp& op) {
  const auto found = Find({op.tenant, op.user}, op.stream);
  if (!found) return OpResult::kGone;
  Held& lease = leases_.at(*found);
  if (lease.expires_at <= op.now) {
    Over(*found, op.now);
    return OpResult::kGone;
  }
  LastUntil(&lease, op.now + lease.ttl_ms);
  answer_.expires_at = lease.expires_at;
  return OpResult::kDone;
}

OpResult StreamModel::Do(const EndStreamOp& op) {
  const Name user{op.tenant, op.user};
  if (!users_.contains(user)) return OpResult::kGone;
  if (const auto found = Find(user, op.stream)) Over(*found, op.now);
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
  if (lease.named) {
    WallMs& last = users_.at(lease.user).last_online;
    last = std::max(last, lease.expires_at);
  }
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
