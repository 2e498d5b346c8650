// Forgetting what ended long ago. One op is one bounded step and one batch; the rows of `done` and
// `dead` themselves are not touched: everything below the cursor goes when their files do.

#include <algorithm>
#include <limits>

#include "base/limits.h"
#include "base/planted.h"
#include "storage/ledger.h"
#include "storage/record.h"
#include "storage/tolerant_scan.h"

namespace belfry {
namespace {

// Rows that cost only a look (revived since, or below the floor) may be passed in greater number.
constexpr size_t kExaminedMax = 16 * kRetentionRowsMax;
constexpr Key kFirst{};
constexpr TimerId kIdMax = std::numeric_limits<TimerId>::max();

}  // namespace

bool Ledger::Sweep::Full() const {
  return removed >= kRetentionRowsMax || examined >= kExaminedMax;
}

Status Ledger::Do(RetainOp& op, Completion* done) {
  Sweep sweep{op.before};
  const Key done_from = books_.done_cursor();
  std::vector<TenantId> dead_moved;
  {
    const auto view = kv_->View();
    if (Status s = SweepDone(*view, &sweep); !s.ok()) return s;
    for (const TenantId tenant : books_.TenantsWithDead()) {
      const Key dead_from = books_.DeadCursorOf(tenant);
      if (Status s = SweepDead(*view, tenant, &sweep); !s.ok()) return s;
      if (books_.DeadCursorOf(tenant) != dead_from) dead_moved.push_back(tenant);
    }
    for (const TenantId tenant : sweep.forgot) {
      if (Status s = RaiseFirstId(*view, tenant); !s.ok()) return s;
    }
    Sweep keys{op.now + -kIdempotencyKeepMs};
    if (Status s = SweepOnce(*view, &keys); !s.ok()) return s;
    done->more = sweep.Full() || keys.Full();
  }
  done->removed = sweep.removed;
  done->removed_dead = sweep.removed_dead;
  if (!books_.changed() && batch_.empty()) return {};
  const bool done_moved = books_.done_cursor() != done_from;
  if (Status s = CommitBatch(); !s.ok()) return s;
  // Only now: the cursor is durable, nobody looks below it any more.
  if (done_moved) {
    const ShortKey upper = TimeKey(books_.done_cursor());
    if (Status s = kv_->DropFilesBelow(Cf::kDone, TimeKey(kFirst), upper); !s.ok()) return s;
  }
  for (const TenantId tenant : dead_moved) {
    const ShortKey upper = DeadKey(tenant, books_.DeadCursorOf(tenant));
    if (Status s = kv_->DropFilesBelow(Cf::kDead, DeadKey(tenant, kFirst), upper); !s.ok())
      return s;
  }
  return {};
}

// Otherwise the rows below a floor stay until compaction comes by: space nobody gets back, and a
// wall that pages for later timers have to walk through. Nothing new is in any file yet: this is
// the thread that writes.
Status Ledger::DropAllIfNothingIsLeft() {
  if (books_.AnyCounted() || Planted(Bug::kFloorNotHonouredByPage)) return {};
  const std::string end(32, '\xff');
  for (const Cf cf : {Cf::kDue, Cf::kParked, Cf::kIds, Cf::kDone, Cf::kDead}) {
    if (Status s = kv_->DropFilesBelow(cf, {}, end); !s.ok()) return s;
  }
  return {};
}

Status Ledger::SweepDone(const KvView& view, Sweep* sweep) {
  const Key start = books_.done_cursor();
  Key cursor = start;
  const WallMs before = sweep->before + (Planted(Bug::kRetentionTakesTooMuch) ? kSecondMs : 0);
  TolerantScan rows(view, Cf::kDone, TimeKey(cursor), TimeKey({before, 0}), log_);
  for (; rows.Valid() && !sweep->Full(); rows.Next()) {
    const std::optional<Key> key = ParseTimeKey(rows.key());
    if (!key) {
      log_("done holds a key that does not parse");
      continue;
    }
    cursor = JustAbove(*key);
    const Result<TenantId> tenant = RecordTenant(rows.key(), rows.value());
    if (!tenant.ok()) {
      log_("done " + KeyText(*key) + " is skipped: " + tenant.status().message());
      continue;
    }
    if (Status s = Forget(*tenant, *key, false, sweep); !s.ok()) return s;
  }
  if (cursor != start) {
    books_.SetDoneCursor(cursor);
    bounds_changed_ = true;
  }
  return rows.status();
}

Status Ledger::SweepDead(const KvView& view, TenantId tenant, Sweep* sweep) {
  const Key start = books_.DeadCursorOf(tenant);
  Key cursor = start;
  TolerantScan rows(view, Cf::kDead, DeadKey(tenant, cursor), DeadKey(tenant, {sweep->before, 0}),
                    log_);
  for (; rows.Valid() && !sweep->Full(); rows.Next()) {
    const std::optional<TenantKey> parsed = ParseDeadKey(rows.key());
    if (!parsed) {
      log_("dead holds a key that does not parse");
      continue;
    }
    if (Status s = Forget(tenant, parsed->key, true, sweep); !s.ok()) return s;
    cursor = JustAbove(parsed->key);
  }
  if (cursor != start) {
    books_.SetDeadCursor(tenant, cursor);
    bounds_changed_ = true;
  }
  return rows.status();
}

Status Ledger::Forget(TenantId tenant, Key finished, bool dead, Sweep* sweep) {
  ++sweep->examined;
  const Result<std::optional<IdEntry>> found = FindEntry(tenant, finished.id);
  if (!found.ok()) return found.status();
  // Revived since, or ended once more at another time: that row speaks for it, not this one.
  if (!*found || IsAlive((*found)->state) || (*found)->at != finished.at) return {};
  if (dead != ((*found)->state == TimerState::kDead)) return {};
  batch_.Delete(Cf::kIds, IdKey(tenant, finished.id));
  sweep->forgot.insert(tenant);
  ++sweep->removed;
  if (dead) ++sweep->removed_dead;
  return books_.Count(tenant, (*found)->state, -1);
}

// Never past an id that is there: the view still has what this batch removes, so every id up to the
// new value was looked at. Ids only grow, so none is added below it later.
Status Ledger::RaiseFirstId(const KvView& view, TenantId tenant) {
  const TimerId start = std::max(books_.FirstIdOf(tenant), books_.FloorOf(tenant) + 1);
  TimerId first = start;
  const auto rows = view.Scan(Cf::kIds, IdKey(tenant, start), IdKey(tenant, kIdMax), false);
  for (size_t examined = 0; rows->Valid() && examined < kExaminedMax; rows->Next(), ++examined) {
    const std::optional<TenantTimer> key = ParseIdKey(rows->key());
    if (!key) return Corruption("ids holds a key that does not parse");
    std::string_view value;
    first = key->id;
    if (batch_.Find(Cf::kIds, rows->key(), &value) != Batch::Seen::kDeleted) break;
    ++first;
  }
  if (first > start) books_.SetFirstId(tenant, first);
  return rows->status();
}

Status Ledger::SweepOnce(const KvView& view, Sweep* sweep) {
  const WallMs start = books_.once_cursor();
  WallMs cursor = start;
  TolerantScan rows(view, Cf::kOnce, OnceTimeKey(cursor, 0, {}), OnceTimeKey(sweep->before, 0, {}),
                    log_);
  for (; rows.Valid() && !sweep->Full(); rows.Next()) {
    const std::optional<OnceTime> row = ParseOnceTimeKey(rows.key());
    if (!row) {
      log_("once holds a key that does not parse");
      continue;
    }
    ++sweep->removed;
    cursor = row->created;
    batch_.Delete(Cf::kOnce, rows.key());
    batch_.Delete(Cf::kOnce, OnceKey(row->tenant, row->key));
  }
  // Up to the end of the range when all of it went: the next scan starts behind the deletes.
  if (!rows.Valid() && rows.status().ok() && cursor > start) cursor = sweep->before;
  if (cursor != start) books_.SetOnceCursor(cursor);
  return rows.status();
}

}  // namespace belfry
