// Deadlines of leases among the timers: they are armed like any other, and are never sent. What
// is decided about leases themselves is decided by the store (base/op.h).
#include <algorithm>
#include <utility>

#include "base/planted.h"
#include "scheduler/timers.h"

namespace belfry {

void Timers::QueueLeaseOp(Op op, const LeaseEntry& entry) {
  const ReplyToken token = op.token;
  Enqueue(std::move(op), {token, kLeaseTenant, entry.deadline, entry.least_at, false, entry.bytes});
}

void Timers::CompleteLeaseOp(Completion& done, WallMs now) {
  now_ = now;
  if (failed_) return;
  unfinished_.Completed();
  if (done.id != 0) ids_.Completed(done.id, done.timer.get());
  if (done.stream) {
    for (const TimerId id : done.stream->deadlines) ForgetDeadline(id);
    for (TimerPtr& moved : done.stream->moved) {
      if (Planted(Bug::kMovedDeadlineNotArmed)) break;
      ForgetDeadline(moved->id);
      Rearm(std::move(moved));
    }
  }
  if (!Planted(Bug::kStreamDeadlineNotArmed)) Rearm(std::move(done.timer));
}

// One that has left the heap finds out by itself: its LapseStreamOp meets nothing.
void Timers::ForgetDeadline(TimerId id) {
  low_may_rise_ = true;
  window_.heap().Remove(id);
  held_.erase(id);
}

bool Timers::WillBeMet(const Timer& timer) const {
  return (timer.kind == TimerKind::kLease ? late_leases_ : backlog_).WillMeet(KeyOf(timer));
}

bool Timers::MayReadLeases() const {
  return RoomToLapse() && (RoomInBacklog() || !Planted(Bug::kLapseWaitsForBacklog));
}

// Whatever the backlog waits for. Half of the room is left to what is on time.
void Timers::QueueLateLeases(WallMs now) {
  if (!MayFire(now) || !MayReadLeases()) return;
  const size_t room = options_.lapses_max - lapses_ - leases_asked_;
  const size_t rows_max = std::min(kLoadRowsMax, (room + 1) / 2);
  if (auto load = late_leases_.NextLoad(rows_max, kLoadBytesMax, now)) {
    leases_asked_ = rows_max;
    Enqueue({0, std::move(*load)}, {});
  }
}

void Timers::TakeLateLeases(LoadedPage page) {
  leases_asked_ = 0;
  if (stopping_) return;  // the next start reads them
  for (TimerPtr& deadline : late_leases_.TakePage(std::move(page))) {
    if (window_.heap().Find(deadline->id) != nullptr || Claims(deadline)) continue;
    if (deadline->next_attempt > now_) {
      window_.heap().Insert(std::move(deadline));  // the clock was set back
    } else {
      MeetDeadline(std::move(deadline));
    }
  }
}

// The lease may have been renewed since: only the store knows.
void Timers::MeetDeadline(TimerPtr deadline) {
  const Key key = KeyOf(*deadline);
  const TimerId callback = ++last_id_;
  ++lapses_;
  Enqueue({0, LapseStreamOp{std::move(deadline), callback, now_}},
          {0, kLeaseTenant, key.id, key.at, false, 0, callback, false});
}

// Who is to be told of it is called by a timer like any other, armed by this completion.
void Timers::CompleteLapse(Completion& done) {
  low_may_rise_ = true;
  --lapses_;
  held_.erase(done.id);
  if (done.callback && !Planted(Bug::kLapseCallbackForgotten)) {
    ids_.Completed(done.callback->id, done.callback.get());
    Rearm(std::move(done.callback));
  }
  if (!Planted(Bug::kLapseNotRearmed)) Rearm(std::move(done.timer));
}

}  // namespace belfry
