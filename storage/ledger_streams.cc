// Users and their leases. Everything is decided here, op by op, so that no two starts of a user can
// both take the last slot. A user's row names their streams: ops look each of them up by its key,
// and never scan.
//
// Invariants: a lease is named by its user's row, or it is kLapsed. Its deadline is a live timer of
// kLeaseTenant whose id is its fencing number, at a key time at or before its expires_at.

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/planted.h"
#include "base/stream.h"
#include "storage/ledger.h"
#include "storage/stream_rows.h"

namespace belfry {
namespace {

WallMs ExpiryAt(WallMs now, int64_t ttl_ms) {
  return {std::clamp<int64_t>(now.ms + ttl_ms, 0, kWallMax.ms)};
}

Timer CallOf(const StreamName& name, const Lease& lease, TimerId id, WallMs now) {
  Timer call;
  call.id = id;
  call.tenant = name.tenant;
  call.due = call.next_attempt = call.created_at = std::max(now, WallMs{});
  call.url = lease.on_expire;
  call.headers.emplace_back("Content-Type", "application/json");
  call.body = ExpiryBody(name.user, name.stream, lease);
  return call;
}

StreamResult& ResultOf(Completion* done) {
  if (!done->stream) done->stream = std::make_unique<StreamResult>();
  return *done->stream;
}

void SayFull(const StreamStart& start, uint32_t limit, size_t active, Completion* done) {
  done->result = OpResult::kFull;
  StreamResult& result = ResultOf(done);
  result.limit = limit;
  result.active = active;
  result.user = start.user;
  result.now = start.now;
}

void Drop(const StreamId& id, StreamUser* user) {
  user->streams.erase(std::remove(user->streams.begin(), user->streams.end(), id),
                      user->streams.end());
}

}  // namespace

Result<std::optional<StreamUser>> Ledger::FindUser(std::string_view key) {
  const Result<Found> found = Get(Cf::kStream, key);
  if (!found.ok()) return found.status();
  if (!*found) return std::optional<StreamUser>();
  Result<StreamUser> user = DecodeUser(key, **found);
  if (user.ok()) return std::optional<StreamUser>(std::move(*user));
  return Corruption("user " + std::string(ParseStreamKey(key)->user) + ": " +
                    user.status().message());
}

Result<std::optional<Lease>> Ledger::FindLease(std::string_view key) {
  const Result<Found> found = Get(Cf::kStream, key);
  if (!found.ok()) return found.status();
  if (!*found) return std::optional<Lease>();
  Result<Lease> lease = DecodeLease(key, **found);
  if (lease.ok()) return std::optional<Lease>(std::move(*lease));
  return Corruption("a stream of user " + std::string(ParseStreamKey(key)->user) + ": " +
                    lease.status().message());
}

// Of a stream that its user's row names.
Result<Lease> Ledger::NamedLease(std::string_view key) {
  Result<std::optional<Lease>> lease = FindLease(key);
  if (!lease.ok()) return lease.status();
  if (*lease) return std::move(**lease);
  return Corruption("a stream of user " + std::string(ParseStreamKey(key)->user) + " has no lease");
}

void Ledger::PutUser(std::string_view key, const StreamUser& user) {
  ForgetFull(key);
  batch_.Put(Cf::kStream, key, EncodeUser(key, user));
}

void Ledger::DeleteUser(std::string_view key) {
  ForgetFull(key);
  batch_.Delete(Cf::kStream, key);
}

void Ledger::PutLease(std::string_view key, const Lease& lease) {
  ForgetFull(key);
  batch_.Put(Cf::kStream, key, EncodeLease(key, lease));
}

void Ledger::ForgetFull(std::string_view key) {
  if (full_.empty() || Planted(Bug::kFullForEver)) return;
  const std::optional<StreamName> name = ParseStreamKey(key);
  CHECK(name);
  full_.erase(StreamKey(StreamRow::kUser, name->tenant, name->user));
}

// Many starts at once of a user who plays as much as they may must not read it all each time.
bool Ledger::KnownFull(const StreamStart& start, const std::string& user_key,
                       Completion* done) const {
  const auto known = full_.find(user_key);
  if (known == full_.end() || start.evict_oldest) return false;
  const Full& full = known->second;
  const uint32_t limit = full.limit.value_or(start.limit);
  if (full.active < limit || start.now < full.from || start.now >= full.until) return false;
  SayFull(start, limit, full.active, done);
  return true;
}

void Ledger::NoteFull(const StreamStart& start, const std::string& user_key, Completion* done,
                      const StreamUser& user, WallMs until) {
  if (full_.size() >= kFullUsersMax) full_.clear();
  full_[user_key] = {user.limit, user.streams.size(), start.now, until};
  SayFull(start, done->stream->limit, user.streams.size(), done);
}

Result<IdEntry> Ledger::FindDeadline(TimerId id) {
  const Result<std::optional<IdEntry>> entry = FindEntry(kLeaseTenant, id);
  if (!entry.ok()) return entry.status();
  if (*entry) return **entry;
  return Corruption("the deadline of a lease, timer " + std::to_string(id) + ", is gone");
}

Status Ledger::RemoveDeadline(TimerId id, Completion* done) {
  const Result<IdEntry> entry = FindDeadline(id);
  if (!entry.ok()) return entry.status();
  const Place place = PlaceOf(kLeaseTenant, id, *entry);
  batch_.Delete(place.cf, place.key);
  batch_.Delete(Cf::kIds, IdKey(kLeaseTenant, id));
  if (done != nullptr) ResultOf(done).deadlines.push_back(id);
  return books_.Count(kLeaseTenant, TimerState::kPending, -1);
}

Status Ledger::BringForward(std::string_view key, const Lease& lease, Completion* done) {
  const Result<IdEntry> entry = FindDeadline(lease.fencing);
  if (!entry.ok()) return entry.status();
  if (entry->at <= lease.expires_at) return {};
  const Place place = PlaceOf(kLeaseTenant, lease.fencing, *entry);
  batch_.Delete(place.cf, place.key);
  TimerPtr deadline = std::make_unique<Timer>(DeadlineOf(lease, std::string(key)));
  Status s = PutDue(*deadline);
  ResultOf(done).moved.push_back(std::move(deadline));
  return s;
}

// The lease is over. If it has lapsed, its deadline is due, and tells whoever is to be told.
Status Ledger::EndLease(const StreamName& name, const Lease& lease, WallMs now, StreamUser* user,
                        Completion* done) {
  const bool lapsed = lease.expires_at <= now;
  user->last_online = std::max(user->last_online, lapsed ? lease.expires_at : now);
  Drop(name.stream, user);
  if (Planted(Bug::kEndLeavesDeadline) && !lapsed) return {};
  batch_.Delete(Cf::kStream, StreamKey(StreamRow::kLease, name.tenant, name.user, name.stream));
  if (!lapsed || lease.on_expire.empty() || Planted(Bug::kLapseForgottenByStart)) {
    return RemoveDeadline(lease.fencing, done);
  }
  PutLease(StreamKey(StreamRow::kLapsed, name.tenant, name.user, name.stream), lease);
  return {};
}

Status Ledger::Do(PutUserOp& op, Completion* done) {
  done->tenant = op.tenant;
  const std::string key = StreamKey(StreamRow::kUser, op.tenant, op.user);
  const Result<std::optional<StreamUser>> user = FindUser(key);
  if (!user.ok()) return user.status();
  if (*user) {
    done->result = OpResult::kExists;
    return {};
  }
  StreamUser made;
  made.limit = op.limit;
  ResultOf(done).limit = op.limit.value_or(0);
  PutUser(key, made);
  return {};
}

Status Ledger::Do(DeleteUserOp& op, Completion* done) {
  done->tenant = op.tenant;
  const std::string key = StreamKey(StreamRow::kUser, op.tenant, op.user);
  Result<std::optional<StreamUser>> user = FindUser(key);
  if (!user.ok()) return user.status();
  if (!*user) {
    done->result = OpResult::kGone;
    return {};
  }
  ResultOf(done);
  const std::vector<StreamId> streams = (*user)->streams;
  for (const StreamId& id : streams) {
    const Result<Lease> lease = NamedLease(StreamKey(StreamRow::kLease, op.tenant, op.user, id));
    if (!lease.ok()) return lease.status();
    const StreamName name{StreamRow::kLease, op.tenant, op.user, id};
    if (Status s = EndLease(name, *lease, op.now, &**user, done); !s.ok()) return s;
  }
  DeleteUser(key);
  return {};
}

Status Ledger::Do(StartStreamOp& op, Completion* done) {
  const StreamStart& start = *op.start;
  done->tenant = start.tenant;
  done->id = start.deadline;
  if (start.deadline <= books_.last_id()) {
    return Invalid("stream: id " + std::to_string(start.deadline) + " was given out before");
  }
  StreamResult& result = ResultOf(done);
  result.stream = start.stream;
  const std::string user_key = StreamKey(StreamRow::kUser, start.tenant, start.user);
  if (KnownFull(start, user_key, done)) return {};
  blind_ = Planted(Bug::kLimitIgnoresItsGroup);
  const Result<std::optional<StreamUser>> found = FindUser(user_key);
  blind_ = false;
  if (!found.ok()) return found.status();
  if (!*found && start.require_user) {
    done->result = OpResult::kGone;
    return {};
  }
  StreamUser user = found->value_or(StreamUser());
  result.limit = user.limit.value_or(start.limit);
  const Result<WallMs> until = MakeRoom(start, &user, done);
  if (!until.ok()) return until.status();
  const bool full = user.streams.size() >= result.limit;
  if (!full) {
    if (Status s = AddStream(start, &user, done); !s.ok()) return s;
    result.active = user.streams.size();
  }
  if (!*found || user != **found) PutUser(user_key, user);
  if (full) NoteFull(start, user_key, done, user, *until);
  return {};
}

// Counts out what has lapsed and, if asked to, ends what is in the way. What is left lasts no
// longer than it may; none of it lapses before what is returned.
Result<WallMs> Ledger::MakeRoom(const StreamStart& start, StreamUser* user, Completion* done) {
  StreamResult& result = *done->stream;
  const size_t limit = result.limit;
  std::vector<std::pair<StreamId, Lease>> alive;
  const std::vector<StreamId> streams = user->streams;
  for (const StreamId& id : streams) {
    Result<Lease> lease = NamedLease(StreamKey(StreamRow::kLease, start.tenant, start.user, id));
    if (!lease.ok()) return lease.status();
    if (lease->expires_at > start.now) {
      alive.emplace_back(id, std::move(*lease));
      continue;
    }
    const StreamName name{StreamRow::kLease, start.tenant, start.user, id};
    if (Status s = EndLease(name, *lease, start.now, user, done); !s.ok()) return s;
  }
  size_t first = 0;
  for (; start.evict_oldest && limit > 0 && alive.size() - first >= limit; ++first) {
    const auto& [id, lease] = alive[first];
    const StreamName name{StreamRow::kLease, start.tenant, start.user, id};
    if (Status s = EndLease(name, lease, start.now, user, done); !s.ok()) return s;
    result.evicted.push_back(id);
  }
  WallMs until = kWallMax;
  for (; first < alive.size(); ++first) {
    auto& [id, lease] = alive[first];
    const WallMs latest = ExpiryAt(start.now, lease.ttl_ms);
    if (lease.expires_at > latest && !Planted(Bug::kLeaseOutlastsItsTtl)) {
      lease.expires_at = latest;
      const std::string key = StreamKey(StreamRow::kLease, start.tenant, start.user, id);
      PutLease(key, lease);
      if (Status s = BringForward(key, lease, done); !s.ok()) return s;
    }
    until = std::min(until, lease.expires_at);
  }
  return until;
}

Status Ledger::AddStream(const StreamStart& start, StreamUser* user, Completion* done) {
  const std::string key = StreamKey(StreamRow::kLease, start.tenant, start.user, start.stream);
  const Result<std::optional<Lease>> taken = FindLease(key);
  if (!taken.ok()) return taken.status();
  if (*taken) return Invalid("stream " + FormatUuid(start.stream) + " was given out before");
  Lease lease;
  lease.content = start.content;
  lease.started_at = std::max(start.now, WallMs{});
  lease.expires_at = ExpiryAt(start.now, start.ttl_ms);
  lease.ttl_ms = start.ttl_ms;
  lease.fencing = start.deadline;
  lease.on_expire = start.on_expire;
  PutLease(key, lease);
  user->streams.push_back(start.stream);
  done->timer = std::make_unique<Timer>(DeadlineOf(lease, key));
  return PutNew(*done->timer);
}

Status Ledger::Do(RenewStreamOp& op, Completion* done) {
  done->tenant = op.tenant;
  const std::string key = StreamKey(StreamRow::kLease, op.tenant, op.user, op.stream);
  Result<std::optional<Lease>> found = FindLease(key);
  if (!found.ok()) return found.status();
  if (!*found) {
    done->result = OpResult::kGone;
    return {};
  }
  Lease& lease = **found;
  const WallMs before = lease.expires_at;
  if (before <= op.now && !Planted(Bug::kRenewalRevives)) return RefuseLapsed(op, done);
  lease.expires_at = ExpiryAt(op.now, lease.ttl_ms);
  PutLease(key, lease);
  ResultOf(done).expires_at = lease.expires_at;
  return lease.expires_at < before ? BringForward(key, lease, done) : Status();
}

// The player is told that it is over: no clock that is set back may bring it back.
Status Ledger::RefuseLapsed(const RenewStreamOp& op, Completion* done) {
  EndStreamOp end{op.tenant, op.user, op.stream, op.now};
  Status s = Planted(Bug::kLateRenewalSettlesNothing) ? Status() : Do(end, done);
  done->result = OpResult::kGone;
  return s;
}

Status Ledger::Do(EndStreamOp& op, Completion* done) {
  done->tenant = op.tenant;
  const std::string user_key = StreamKey(StreamRow::kUser, op.tenant, op.user);
  Result<std::optional<StreamUser>> user = FindUser(user_key);
  if (!user.ok()) return user.status();
  if (!*user) {
    done->result = OpResult::kGone;
    return {};
  }
  ResultOf(done);
  const std::string key = StreamKey(StreamRow::kLease, op.tenant, op.user, op.stream);
  const Result<std::optional<Lease>> lease = FindLease(key);
  if (!lease.ok()) return lease.status();
  if (!*lease) return {};
  const StreamName name{StreamRow::kLease, op.tenant, op.user, op.stream};
  if (Status s = EndLease(name, **lease, op.now, &**user, done); !s.ok()) return s;
  PutUser(user_key, **user);
  return {};
}

Status Ledger::Do(LapseStreamOp& op, Completion* done) {
  Timer& deadline = *op.deadline;
  done->tenant = deadline.tenant;
  done->id = deadline.id;
  const Result<std::optional<IdEntry>> entry = FindEntry(deadline.tenant, deadline.id);
  if (!entry.ok()) return entry.status();
  if (!*entry) {
    done->result = OpResult::kGone;
    return {};
  }
  const std::optional<StreamName> named = ParseStreamKey(deadline.body);
  if (!named) return Corruption("timer " + std::to_string(deadline.id) + " names no lease");
  const std::string lapsed_key =
      StreamKey(StreamRow::kLapsed, named->tenant, named->user, named->stream);
  Result<std::optional<Lease>> lease = FindLease(deadline.body);
  if (!lease.ok()) return lease.status();
  if (*lease && (*lease)->expires_at > op.now && !Planted(Bug::kLapseIgnoresRenewal)) {
    const Place place = PlaceOf(deadline.tenant, deadline.id, **entry);
    batch_.Delete(place.cf, place.key);
    deadline.due = deadline.next_attempt = (*lease)->expires_at;
    done->timer = std::move(op.deadline);
    return PutDue(*done->timer);
  }
  if (*lease) {
    if (Status s = CountOut(*named, (*lease)->expires_at); !s.ok()) return s;
    batch_.Delete(Cf::kStream, deadline.body);
  } else {
    lease = FindLease(lapsed_key);
    if (!lease.ok()) return lease.status();
  }
  // Where damage was accepted there may be both.
  batch_.Delete(Cf::kStream, lapsed_key);
  if (Status s = RemoveDeadline(deadline.id, nullptr); !s.ok()) return s;
  // A lease can be missing where damage was accepted.
  if (!*lease || (*lease)->on_expire.empty()) return {};
  done->callback = std::make_unique<Timer>(CallOf(*named, **lease, op.callback, op.now));
  return PutNew(*done->callback);
}

// A lease lapsed that its user's row still names.
Status Ledger::CountOut(const StreamName& name, WallMs expired_at) {
  const std::string key = StreamKey(StreamRow::kUser, name.tenant, name.user);
  Result<std::optional<StreamUser>> user = FindUser(key);
  if (!user.ok()) return user.status();
  if (!*user) return {};
  Drop(name.stream, &**user);
  (*user)->last_online = std::max((*user)->last_online, expired_at);
  PutUser(key, **user);
  return {};
}

}  // namespace belfry
