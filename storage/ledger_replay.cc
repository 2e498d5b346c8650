// Bringing dead letters back: one by its id, and a range in bounded steps.

#include <algorithm>

#include "base/limits.h"
#include "base/planted.h"
#include "storage/ledger.h"
#include "storage/record.h"
#include "storage/tolerant_scan.h"

namespace belfry {

Status Ledger::Do(ReplayByIdOp& op, Completion* done) {
  done->tenant = op.tenant;
  done->id = op.id;
  const Result<std::optional<IdEntry>> entry = FindEntry(op.tenant, op.id);
  if (!entry.ok()) return entry.status();
  const TimerState state = *entry ? (*entry)->state : TimerState::kDead;
  if (state != TimerState::kDead) {
    done->state = state;
    done->result = IsAlive(state)                    ? OpResult::kAlive
                   : state == TimerState::kDelivered ? OpResult::kFired
                                                     : OpResult::kCancelled;
    return {};
  }
  done->result = OpResult::kGone;
  if (!*entry) return {};
  const ShortKey key = DeadKey(op.tenant, {(*entry)->at, op.id});
  const Result<Found> found = Get(Cf::kDead, key);
  if (!found.ok() && found.status().code() != StatusCode::kCorruption) return found.status();
  Result<TimerPtr> timer =
      found.ok() && *found ? DecodeTimer(key, **found) : Corruption("it is not there");
  if (!timer.ok()) {
    // Nobody waits for what has ended: one client is told, the others are served.
    log_("dead " + KeyText({(*entry)->at, op.id}) +
         " cannot be replayed: " + timer.status().message());
    done->result = OpResult::kDamaged;
    return {};
  }
  done->result = OpResult::kDone;
  done->timer = std::move(*timer);
  return Revive(done->timer.get(), op.now);
}

Status Ledger::Revive(Timer* timer, WallMs now) {
  if (!Planted(Bug::kReplayLeavesDeadRow)) {
    batch_.Delete(Cf::kDead, DeadKey(timer->tenant, {timer->finished, timer->id}));
  }
  timer->state = TimerState::kPending;
  timer->reason = DeadReason::kNone;
  timer->finished = {};
  timer->attempts_base = timer->attempts;
  timer->replayed_at = std::max(now, WallMs{1});
  // Never early: the clock may have stepped back.
  timer->next_attempt = std::max(now, timer->due);
  if (Status s = PutDue(*timer); !s.ok()) return s;
  if (Status s = books_.Count(timer->tenant, TimerState::kDead, -1); !s.ok()) return s;
  return books_.Count(timer->tenant, TimerState::kPending, +1);
}

Status Ledger::Do(ReplayRangeOp& op, Completion* done) {
  done->tenant = op.range.tenant;
  return books_.AddReplay(op.number, op.range);
}

// What is left behind is a wall of deletes at the front of `dead`. As long as the step leaves
// nothing else there, the cursor of retention is taken along, so that later scans begin behind it.
Status Ledger::Do(ReplayStepOp& op, Completion* done) {
  const Books::Replay* written = books_.ReplayOf(op.number);
  if (written == nullptr) return {};  // a floor took its timers
  const Books::Replay replay = *written;
  const TenantId tenant = replay.range.tenant;
  const Key front = books_.DeadCursorOf(tenant);
  Key cursor = std::max(replay.cursor, front);
  Key cleared = cursor == front ? cursor : Key{};  // {}: what is in front of the scan is not known
  bool clean = cursor == front;
  size_t examined = 0;
  size_t bytes = 0;
  const auto view = kv_->View();
  TolerantScan rows(*view, Cf::kDead, DeadKey(tenant, cursor),
                    DeadKey(tenant, {replay.range.finished_before, 0}), log_);
  for (; rows.Valid() && !done->more; rows.Next()) {
    if (done->page.timers.size() >= kReplayRowsMax || examined >= kReplayExaminedMax ||
        bytes >= kReplayBytesMax) {
      done->more = true;
      break;
    }
    const std::optional<TenantKey> parsed = ParseDeadKey(rows.key());
    if (!parsed) {
      log_("dead holds a key that does not parse");
      clean = false;
      continue;
    }
    ++examined;
    bytes += rows.value().size();
    bool left = false;
    Status s = ReviveRow(replay, parsed->key, rows.value(), op.now, done, &left);
    if (!s.ok()) return s;
    cursor = JustAbove(parsed->key);
    clean &= !left && rows.gaps() == 0;
    if (clean) cleared = cursor;
  }
  if (!rows.status().ok()) return rows.status();
  if (done->more) {
    books_.SetReplayCursor(op.number, cursor);
  } else {
    books_.EndReplay(op.number);
  }
  if (cleared > front) {
    books_.SetDeadCursor(tenant, cleared);
    bounds_changed_ = true;
  }
  return {};
}

// `left`: the row stays, and its timer is dead as before.
Status Ledger::ReviveRow(const Books::Replay& replay, Key key, std::string_view record, WallMs now,
                         Completion* done, bool* left) {
  const TenantId tenant = replay.range.tenant;
  Result<TimerPtr> timer = DecodeTimer(DeadKey(tenant, key), record);
  if (!timer.ok()) log_("dead " + KeyText(key) + " is skipped: " + timer.status().message());
  *left = !timer.ok() || !replay.range.Has((*timer)->due);
  if (*left) return {};
  const Result<std::optional<IdEntry>> entry = FindEntry(tenant, key.id);
  if (!entry.ok()) return entry.status();
  const bool speaks = *entry && (*entry)->state == TimerState::kDead && (*entry)->at == key.at;
  if (!speaks) return {};
  if (Status s = Revive(timer->get(), now); !s.ok()) return s;
  done->page.timers.push_back(std::move(*timer));
  return {};
}

}  // namespace belfry
