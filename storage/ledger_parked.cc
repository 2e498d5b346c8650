// Timers that are due and may not start yet leave the way of the others, and are read back target
// by target; and the switches that hold deliveries.

#include <algorithm>

#include "storage/ledger.h"
#include "storage/record.h"
#include "storage/rows_to_leave.h"

namespace belfry {

Status Ledger::Do(ParkOp& op, Completion* done) {
  const Timer& timer = *op.timer;
  done->tenant = timer.tenant;
  done->id = timer.id;
  if (!IsAlive(timer.state)) {
    return Invalid("timer " + std::to_string(timer.id) + " has ended and cannot be parked");
  }
  const Result<std::optional<IdEntry>> entry = FindAt(timer, op.key);
  if (!entry.ok()) return entry.status();
  if (!*entry) {
    done->result = OpResult::kGone;
    return {};
  }
  done->target = books_.targets().Join(op.target, KeyOf(timer));
  done->target_name = std::move(op.target);
  if (done->target == 0) {
    done->result = OpResult::kRefused;
    done->timer = std::move(op.timer);
    return {};
  }
  const Place from = PlaceOf(timer.tenant, timer.id, **entry);
  const Place to = PlaceOf(timer.tenant, timer.id, EntryOf(timer, done->target));
  if (from != to) batch_.Delete(from.cf, from.key);
  if (Status s = PutParked(timer, done->target); !s.ok()) return s;
  done->parked_at = KeyOf(timer);
  if ((*entry)->state == timer.state) return {};
  if (Status s = books_.Count(timer.tenant, (*entry)->state, -1); !s.ok()) return s;
  return books_.Count(timer.tenant, timer.state, +1);
}

Status Ledger::PutParked(const Timer& timer, TargetNumber number) {
  const ShortKey key = ParkedKey(number, KeyOf(timer));
  if (Status s = EncodeTimer(key, timer, &scratch_); !s.ok()) return s;
  batch_.Put(Cf::kParked, key, scratch_);
  PutEntry(timer, number);
  return {};
}

Status Ledger::Do(LoadParkedOp& op, Completion* done) {
  LoadedPage& page = done->page;
  page.generation = op.generation;
  page.last_examined = op.after;
  done->target = op.target;
  TargetBooks& targets = books_.targets();
  targets.RaiseLow(op.target, op.low);
  const ParkedTarget* const target = targets.Find(op.target);
  if (target == nullptr) {
    done->result = OpResult::kGone;
    page.ended = true;
    return {};
  }
  const Key next = op.after == Key{} ? Key{} : JustAbove(op.after);
  const auto view = kv_->View();
  const auto rows = view->Scan(Cf::kParked, ParkedKey(op.target, std::max(next, target->low)),
                               ParkedKey(op.target, kKeyTimesEnd));
  RowsToLeave leave(nullptr, false, &page.left);
  Status s = FillPage(Cf::kParked, rows.get(), op.rows_max, op.bytes_max, &leave, &page);
  if (!s.ok()) return s;
  // What is left below floors nobody asks for.
  if (page.ended && page.timers.empty() && next <= target->low) {
    targets.End(op.target);
    done->target_ended = true;
  }
  return {};
}

Status Ledger::Do(PauseOp& op, Completion* done) {
  if (!books_.targets().SetPaused(op.target, op.paused)) done->result = OpResult::kRefused;
  done->paused = op.paused;
  done->target_name = std::move(op.target);
  return {};
}

}  // namespace belfry
