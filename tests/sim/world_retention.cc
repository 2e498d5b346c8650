// What has ended: known until retention, then gone, whatever compaction and crashes do meanwhile.

#include <algorithm>

#include "tests/sim/world.h"

namespace belfry::sim {

WallMs World::EndOf(const Op& op) {
  if (const auto* settle = std::get_if<SettleOp>(&op.what)) return settle->timer->finished;
  if (const auto* erase = std::get_if<EraseByIdOp>(&op.what))
    return std::max(erase->now, WallMs{1});
  if (const auto* retain = std::get_if<RetainOp>(&op.what)) return retain->before;
  return {};
}

void World::NoteEnded(const Completion& done, WallMs end) {
  const bool settled = done.kind == kOpKind<SettleOp> && done.result == OpResult::kDone;
  const bool cancelled = done.kind == kOpKind<EraseByIdOp> && done.result == OpResult::kCancelled;
  // A cancel is answered alike when it was cancelled before.
  if ((settled || cancelled) && done.tenant == kLocalTenant) ended_.emplace(done.id, end);
  if (done.kind == kOpKind<ReplayByIdOp> && done.result == OpResult::kDone) ended_.erase(done.id);
  for (const TimerPtr& timer : done.page.timers) ended_.erase(timer->id);
}

void World::Compact() {
  Note("compact");
  if (!kv_->Compact().ok()) oracle_.Fail("a compaction failed");
  CheckEnded();
}

void World::CheckEnded() {
  if (oracle_.violation()) return;
  for (auto it = ended_.begin(); it != ended_.end();) {
    const TimerId id = it->first;
    const auto found = Read<std::optional<TimerView>>({0, FindQuery{kLocalTenant, id, true}, {}});
    const std::string name = "timer " + std::to_string(id);
    if (found && (IsAlive(found->state) || found->timer->finished != it->second)) {
      return oracle_.Fail("retention: " + name + " is shown with another end");
    }
    if (!found && it->second >= retained_before_) {
      return oracle_.Fail("retention: " + name + " was forgotten before its time");
    }
    it = found ? std::next(it) : ended_.erase(it);
  }
}

// Right after a step of retention that was not full: what ended before is forgotten, and no row is
// left that nobody can ask for.
void World::CheckForgotten(WallMs before) {
  Compact();
  if (oracle_.violation()) return;
  for (const auto& [id, end] : ended_) {
    if (end < before)
      return oracle_.Fail("retention: timer " + std::to_string(id) + " is not forgotten");
  }
  const auto states = StoredStates();
  const auto alive = static_cast<size_t>(
      std::count_if(states.begin(), states.end(), [](const auto& s) { return IsAlive(s.second); }));
  const size_t ended_rows = disk_->rows(Cf::kDone) + disk_->rows(Cf::kDead);
  const size_t ended = states.size() - alive;
  // After a clock step back, what ends lowers the cursor. Rows that were forgotten above it go when
  // it has come past them again.
  const bool past_all = before >= retained_before_;
  const size_t leases = streams_.Deadlines().size();
  if (disk_->rows(Cf::kIds) != states.size() + leases ||
      disk_->rows(Cf::kDue) + disk_->rows(Cf::kParked) != alive + leases ||
      (past_all ? ended_rows != ended : ended_rows < ended)) {
    oracle_.Fail("retention: rows are left behind");
  }
}

}  // namespace belfry::sim
