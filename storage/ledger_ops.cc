// The ops that change one timer, and the bookkeeping.

#include <algorithm>

#include "base/limits.h"
#include "base/planted.h"
#include "storage/ledger.h"
#include "storage/record.h"

namespace belfry {
namespace {

std::string TimerText(TimerId id) { return "timer " + std::to_string(id); }

Status Misplaced(TimerId id, Key named, const IdEntry& entry) {
  return Corruption(TimerText(id) + " was named at key time " + std::to_string(named.at.ms) +
                    " but is " + std::string(StateName(entry.state)) + " at " +
                    std::to_string(entry.at.ms));
}

Status GivenBefore(TimerId id) { return Invalid(TimerText(id) + ": id was given out before"); }

bool IsAt(const IdEntry& entry, Key key) { return IsAlive(entry.state) && entry.at == key.at; }

void Name(Completion* done, TenantId tenant, TimerId id) {
  done->tenant = tenant;
  done->id = id;
}

}  // namespace

Status Ledger::Do(PutOp& op, Completion* done) {
  const Timer& timer = *op.timer;
  Name(done, timer.tenant, timer.id);
  if (op.look_up_only) {
    bool answered = false;
    done->result = OpResult::kUnknown;
    return LookUpOnce(op, done, &answered);
  }
  if (!op.idempotency_key.empty()) {
    // Before anything is written.
    if (timer.id <= books_.last_id()) return GivenBefore(timer.id);
    bool answered = false;
    if (Status s = LookUpOnce(op, done, &answered); !s.ok() || answered) return s;
    if (Status s = PutOnce(op); !s.ok()) return s;
  }
  if (Status s = PutNew(timer); !s.ok()) return s;
  done->timer = std::move(op.timer);
  return {};
}

Status Ledger::PutNew(const Timer& timer) {
  if (!IsAlive(timer.state)) return Invalid(TimerText(timer.id) + " has ended before it was set");
  if (timer.id <= books_.last_id()) return GivenBefore(timer.id);
  books_.RaiseLastId(timer.id);
  if (Status s = PutDue(timer); !s.ok()) return s;
  return books_.Count(timer.tenant, timer.state, +1);
}

Status Ledger::LookUpOnce(const PutOp& op, Completion* done, bool* answered) {
  const std::string key = OnceKey(op.timer->tenant, op.idempotency_key);
  const Result<Found> found = Get(Cf::kOnce, key);
  if (!found.ok()) return found.status();
  if (!*found) return {};
  const Result<OnceEntry> entry = DecodeOnceEntry(key, **found);
  if (!entry.ok()) return Corruption("idempotency key: " + entry.status().message());
  const WallMs now = op.timer->created_at;
  if (now - entry->created >= kIdempotencyKeepMs) {
    if (op.look_up_only) return {};
    batch_.Delete(Cf::kOnce, OnceTimeKey(entry->created, op.timer->tenant, op.idempotency_key));
    return {};
  }
  *answered = true;
  done->result = OpResult::kMismatch;
  if (entry->request == FingerprintOf(op.request_body)) {
    done->result = OpResult::kReplayed;
    done->first_id = entry->id;
  }
  return {};
}

Status Ledger::PutOnce(const PutOp& op) {
  const Timer& timer = *op.timer;
  if (op.idempotency_key.size() > kIdempotencyKeyBytesMax) return Invalid("idempotency key");
  const std::string key = OnceKey(timer.tenant, op.idempotency_key);
  const OnceEntry entry{timer.id, timer.created_at, FingerprintOf(op.request_body)};
  batch_.Put(Cf::kOnce, key, EncodeOnceEntry(key, entry));
  batch_.Put(Cf::kOnce, OnceTimeKey(timer.created_at, timer.tenant, op.idempotency_key), {});
  // A clock that stepped back: the sweep must come by here again.
  if (timer.created_at < books_.once_cursor()) books_.SetOnceCursor(timer.created_at);
  return {};
}

Status Ledger::Do(SettleOp& op, Completion* done) {
  const Timer& timer = *op.timer;
  Name(done, timer.tenant, timer.id);
  if (IsAlive(timer.state)) return Invalid(TimerText(timer.id) + " is settled alive");
  const Result<std::optional<IdEntry>> entry = FindAt(timer, op.key);
  if (!entry.ok()) return entry.status();
  if (!*entry) {
    done->result = OpResult::kGone;
    if (Planted(Bug::kLateOutcomeCountsBelowFloor)) {
      return books_.Count(timer.tenant, timer.state, +1);
    }
    return {};
  }
  if (Status s = End(**entry, timer); !s.ok()) return s;
  done->target = (*entry)->parked;
  done->ended = std::move(op.timer);
  if (!op.callback) return {};
  if (Planted(Bug::kCallbackInItsOwnBatch)) {
    if (Status s = CommitBatch(); !s.ok()) return s;
  }
  if (Status s = PutNew(*op.callback); !s.ok()) return s;
  done->callback = std::move(op.callback);
  return {};
}

Status Ledger::Do(RetryOp& op, Completion* done) {
  const Timer& timer = *op.timer;
  Name(done, timer.tenant, timer.id);
  if (!IsAlive(timer.state)) return Invalid(TimerText(timer.id) + " has ended and cannot be moved");
  const Result<std::optional<IdEntry>> entry = FindAt(timer, op.old_key);
  if (!entry.ok()) return entry.status();
  if (!*entry) {
    done->result = OpResult::kGone;
    return {};
  }
  const Place from = PlaceOf(timer.tenant, timer.id, **entry);
  if (from != PlaceOf(timer.tenant, timer.id, EntryOf(timer))) batch_.Delete(from.cf, from.key);
  if (Planted(Bug::kRetryAsTwoBatches)) {
    if (Status s = CommitBatch(); !s.ok()) return s;
  }
  if (Status s = PutDue(timer); !s.ok()) return s;
  if (Status s = books_.Count(timer.tenant, (*entry)->state, -1); !s.ok()) return s;
  if (Status s = books_.Count(timer.tenant, timer.state, +1); !s.ok()) return s;
  done->target = (*entry)->parked;
  done->timer = std::move(op.timer);
  return {};
}

Status Ledger::Do(EraseByIdOp& op, Completion* done) {
  Name(done, op.tenant, op.id);
  blind_ = Planted(Bug::kOpBlindToItsGroup);
  Status s = Erase(op, done);
  blind_ = false;
  return s;
}

Status Ledger::Erase(const EraseByIdOp& op, Completion* done) {
  const Result<std::optional<IdEntry>> entry = FindEntry(op.tenant, op.id);
  if (!entry.ok()) return entry.status();
  if (!*entry) {
    done->result = OpResult::kGone;
    return {};
  }
  const IdEntry& old = **entry;
  switch (old.state) {
    case TimerState::kDelivered:
      done->result = OpResult::kFired;
      return {};
    case TimerState::kDead:
      done->result = OpResult::kDead;
      return {};
    default:
      done->result = OpResult::kCancelled;
      break;
  }
  if (!IsAlive(old.state)) return {};
  Result<TimerPtr> read = ReadRecord(op.tenant, op.id, old);
  if (!read.ok()) return read.status();
  done->target = old.parked;
  Timer& timer = **read;
  timer.state = TimerState::kCancelled;
  timer.finished = std::max(op.now, WallMs{1});
  return End(old, timer);
}

Status Ledger::Do(FloorOp& op, Completion* done) {
  done->tenant = op.tenant;
  done->floor = op.last_id;
  if (op.last_id < books_.last_id()) {
    return Invalid("floor " + std::to_string(op.last_id) + " is below an id given out, " +
                   std::to_string(books_.last_id()));
  }
  books_.SetFloor(op.tenant, op.last_id);
  bounds_changed_ = true;
  return {};
}

Status Ledger::Do(MarkOp& op, Completion*) {
  if (op.low > books_.low()) books_.SetLow(op.low);
  if (op.last_seen.ms > 0) books_.SetLastSeen(op.last_seen);
  return {};
}

Status Ledger::Do(TenantOp& op, Completion* done) {
  done->tenant = books_.TenantOf(op.user);
  if (done->tenant == 0) done->result = OpResult::kRefused;
  return {};
}

Result<std::optional<IdEntry>> Ledger::FindEntry(TenantId tenant, TimerId id) {
  if (!books_.Exists(tenant, id)) return std::optional<IdEntry>();
  const ShortKey key = IdKey(tenant, id);
  std::string_view value;
  switch (blind_ ? Batch::Seen::kNothing : batch_.Find(Cf::kIds, key, &value)) {
    case Batch::Seen::kPut:
      return EntryFrom(key, std::optional<std::string_view>(value));
    case Batch::Seen::kDeleted:
      return std::optional<IdEntry>();
    case Batch::Seen::kNothing:
      break;
  }
  if (const auto ahead = ahead_.find({tenant, id}); ahead != ahead_.end()) return ahead->second;
  const Result<Found> found = kv_->Get(Cf::kIds, key);
  if (!found.ok()) return found.status();
  return EntryFrom(key, *found ? std::optional<std::string_view>(**found) : std::nullopt);
}

Result<std::optional<IdEntry>> Ledger::EntryFrom(
    std::string_view key, const Result<std::optional<std::string_view>>& found) {
  if (!found.ok()) return found.status();
  if (!*found) return std::optional<IdEntry>();
  const Result<IdEntry> entry = DecodeIdEntry(key, **found);
  if (entry.ok()) return std::optional<IdEntry>(*entry);
  return Corruption(TimerText(ParseIdKey(key)->id) + " in ids: " + entry.status().message());
}

Result<std::optional<IdEntry>> Ledger::FindAt(const Timer& timer, Key key) {
  Result<std::optional<IdEntry>> entry = FindEntry(timer.tenant, timer.id);
  if (entry.ok() && *entry && !IsAt(**entry, key)) return Misplaced(timer.id, key, **entry);
  return entry;
}

Result<TimerPtr> Ledger::ReadRecord(TenantId tenant, TimerId id, const IdEntry& entry) {
  const Place at = PlaceOf(tenant, id, entry);
  const auto where = [&] { return std::string(CfName(at.cf)) + " " + KeyText({entry.at, id}); };
  const Result<Found> found = Get(at.cf, at.key);
  if (!found.ok()) return found.status();
  if (!*found) return Corruption(TimerText(id) + " is in ids but not in " + where());
  Result<TimerPtr> timer = DecodeTimer(at.key, **found);
  if (!timer.ok()) return Corruption(where() + ": " + timer.status().message());
  return timer;
}

Status Ledger::PutDue(const Timer& timer) {
  const ShortKey key = TimeKey(KeyOf(timer));
  if (Status s = EncodeTimer(key, timer, &scratch_); !s.ok()) return s;
  batch_.Put(Cf::kDue, key, scratch_);
  LowerLow(timer.next_attempt);
  PutEntry(timer);
  return {};
}

void Ledger::LowerLow(WallMs at) {
  if (at < books_.low() && !Planted(Bug::kWatermarkNotLowered)) books_.SetLow(at);
}

void Ledger::PutEntry(const Timer& timer, TargetNumber parked) {
  const ShortKey key = IdKey(timer.tenant, timer.id);
  batch_.Put(Cf::kIds, key, EncodeIdEntry(key, EntryOf(timer, parked)));
}

Status Ledger::End(const IdEntry& old, const Timer& timer) {
  const Place from = PlaceOf(timer.tenant, timer.id, old);
  batch_.Delete(from.cf, from.key);
  if (Status s = PutEnded(timer); !s.ok()) return s;
  if (Status s = books_.Count(timer.tenant, old.state, -1); !s.ok()) return s;
  return books_.Count(timer.tenant, timer.state, +1);
}

Status Ledger::PutEnded(const Timer& timer) {
  const Key at{timer.finished, timer.id};
  const bool dead = timer.state == TimerState::kDead;
  const ShortKey key = dead ? DeadKey(timer.tenant, at) : TimeKey(at);
  if (Status s = EncodeTimer(key, timer, &scratch_); !s.ok()) return s;
  batch_.Put(dead ? Cf::kDead : Cf::kDone, key, scratch_);
  PutEntry(timer);
  // A clock that stepped back: retention must come by here again, and until it does compaction must
  // not take the row. The rule is lowered before the row exists.
  if (Planted(Bug::kDropRuleNotLowered)) return {};
  if (dead && at < books_.DeadCursorOf(timer.tenant)) {
    books_.SetDeadCursor(timer.tenant, at);
    durable_.dead_below[timer.tenant] = std::min(durable_.dead_below[timer.tenant], at);
    kv_->drop_rule()->Set(durable_);
  } else if (!dead && at < books_.done_cursor()) {
    books_.SetDoneCursor(at);
    durable_.done_below = std::min(durable_.done_below, at);
    kv_->drop_rule()->Set(durable_);
  }
  return {};
}

}  // namespace belfry
