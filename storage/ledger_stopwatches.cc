// The ops on stopwatches. Both rows of one, by owner and by name, change in the same batch.

#include "base/limits.h"
#include "base/planted.h"
#include "storage/entry.h"
#include "storage/ledger.h"

namespace belfry {
namespace {

Status CheckName(std::string_view name) {
  if (name.empty() || name.size() > kUserNameBytesMax ||
      name.find('\0') != std::string_view::npos) {
    return Invalid("the name of a stopwatch");
  }
  return {};
}

}  // namespace

Status Ledger::Do(StopwatchPutOp& op, Completion* done) {
  const Stopwatch& stopwatch = op.stopwatch;
  done->tenant = stopwatch.tenant;
  if (Status s = CheckName(stopwatch.name); !s.ok()) return s;
  const std::string by_owner = StopwatchKey(stopwatch.tenant, stopwatch.name);
  const Result<Found> old = Get(Cf::kStopwatch, by_owner);
  if (!old.ok()) return old.status();
  done->result = *old ? OpResult::kReset : OpResult::kDone;
  const std::string by_name = StopwatchNameKey(stopwatch.name, stopwatch.tenant);
  for (const std::string& key : {by_owner, by_name}) {
    batch_.Put(Cf::kStopwatch, key, EncodeStopwatch(key, stopwatch.started_at));
  }
  done->stopwatch = std::move(op.stopwatch);
  return {};
}

Status Ledger::Do(StopwatchDeleteOp& op, Completion* done) {
  done->tenant = op.tenant;
  if (Status s = CheckName(op.name); !s.ok()) return s;
  const std::string by_owner = StopwatchKey(op.tenant, op.name);
  const Result<Found> old = Get(Cf::kStopwatch, by_owner);
  if (!old.ok()) return old.status();
  done->stopwatch.tenant = op.tenant;
  done->stopwatch.name = std::move(op.name);
  done->result = *old ? OpResult::kDone : OpResult::kGone;
  if (!*old) return {};
  // What cannot be read is deleted like the rest, and told of without its start.
  const Result<WallMs> started_at = DecodeStopwatch(by_owner, **old);
  if (started_at.ok()) done->stopwatch.started_at = *started_at;
  batch_.Delete(Cf::kStopwatch, by_owner);
  if (Planted(Bug::kStopwatchLeftByName)) return {};
  batch_.Delete(Cf::kStopwatch, StopwatchNameKey(done->stopwatch.name, op.tenant));
  return {};
}

}  // namespace belfry
