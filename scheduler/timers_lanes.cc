// Where due timers wait: in the line of their target, in the backlog, or parked.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted.h"
#include "scheduler/retry_delay.h"
#include "scheduler/timers.h"

namespace belfry {
namespace {

// Nobody knows yet when it may start, or it is not soon.
bool Blocked(const Target& target, WallMs now) {
  return target.paused || !target.breaker.closed() || target.BlockedUntil(now) - now >= kLateMs;
}

}  // namespace

void Timers::StageDue(WallMs now) {
  TimerHeap& heap = window_.heap();
  size_t deferred = 0;
  for (size_t taken = 0; taken < kDuePerTickMax && deferred < kDeferredPerTickMax;) {
    if (heap.empty() || heap.top().at > now || !RoomForTop()) break;
    const size_t bytes = heap.top_bytes();
    TimerPtr timer = heap.Pop();
    const Due what = WhatNow(*timer, Lane::kOnTime);
    ++(what == Due::kStage || what == Due::kLapse ? taken : deferred);
    switch (what) {
      case Due::kStage:
        Stage(std::move(timer), bytes, Lane::kOnTime);
        break;
      case Due::kLapse:
        MeetDeadline(std::move(timer));
        break;
      case Due::kWaitOnDisk:
        Defer(std::move(timer));
        break;
      case Due::kStayLeft:
        LeaveOnDisk(*timer);
        break;
    }
  }
  if (!RoomToStage()) DropBlocked(now);
  if (!heap.empty() && now - heap.top().at >= kLateMs) LeaveToBacklog(now);
}

// What cannot be done with yet does not stand in front of the others.
void Timers::Defer(TimerPtr timer) {
  const Key key = KeyOf(*timer);
  const bool lease = timer->kind == TimerKind::kLease;
  if (lease && Planted(Bug::kLapseBeyondCapForgotten)) return;
  Backlog& late = lease ? late_leases_ : backlog_;
  late.Take(key, std::max(late.split(), JustAbove(key)));
}

bool Timers::RoomForTop() const {
  return RoomToStage() || window_.heap().top_timer().kind == TimerKind::kLease;
}

// So many wait for its target already that the rest would keep others out of memory. One that
// nobody knows the end of is left until it can be parked; a busy one's timers are worth more read
// once than parked.
Timers::Due Timers::WhatNow(const Timer& timer, Lane lane) const {
  if (timer.kind == TimerKind::kLease) return RoomToLapse() ? Due::kLapse : Due::kWaitOnDisk;
  if (Planted(Bug::kStagedUncounted)) return Due::kStage;
  const std::string_view name = TargetOf(timer);
  const Target* target = admission_.Peek(name);
  // Those before it come first; but what falls due after a resume is not held back by them.
  const bool in_order =
      lane == Lane::kBacklog || (target != nullptr && timer.next_attempt <= target->resumed_at);
  if (in_order && (left_.Has(name) || WaitsForLot(name))) return Due::kStayLeft;
  if (StaysLeft(name, lane)) return Due::kStayLeft;
  if (target == nullptr || lane == Lane::kBacklog) return Due::kStage;
  const size_t left = kStagedMax - std::min(kStagedMax, admission_.staged(Lane::kOnTime));
  const size_t room = std::max(options_.staged_room_min, left / kStagedRoomShare);
  return target->staged - target->staged_late >= room ? Due::kWaitOnDisk : Due::kStage;
}

// A backlog that hangs does not take those with it that are on time.
bool Timers::StaysLeft(std::string_view name, Lane lane) const {
  const Target* target = admission_.Peek(name);
  if (target == nullptr || Planted(Bug::kStagedUncounted)) return false;
  const bool blocked = Blocked(*target, now_);
  const bool put_away = target->waits_on_disk && target->Room(now_) == 0;
  if (put_away && (blocked || lane == Lane::kBacklog)) return true;
  if (target->staged == 0 || !blocked) return false;
  const size_t bytes = target->staged_bytes[0] + target->staged_bytes[1];
  return target->staged >= options_.staged_room_min ||
         bytes >= StagedBytesMax() / kTargetBytesShare;
}

// Some of its timers are parked, or will be, and not read back: what is due later comes after them.
bool Timers::WaitsForLot(std::string_view target) const {
  return parks_of_.contains(target) || parking_.HasUnread(parking_.NumberOf(target));
}

void Timers::LeaveOnDisk(const Timer& timer) {
  const Key key = KeyOf(timer);
  left_.Leave(TargetOf(timer), key, key);
}

void Timers::Stage(TimerPtr timer, size_t bytes, Lane lane) {
  const RetryPolicy& policy = timer->retry ? *timer->retry : options_.retry;
  const int64_t open_wait_ms = OpenWaitMs(policy, timer->attempts - timer->attempts_base);
  admission_.Stage(std::move(timer), bytes, open_wait_ms, lane, now_);
}

bool Timers::RoomToStage() const {
  const size_t staged = admission_.staged(Lane::kOnTime);
  if (staged == 0 || Planted(Bug::kStagedUncounted)) return true;
  return staged < kStagedMax && admission_.staged_bytes(Lane::kOnTime) < StagedBytesMax();
}

// Of each lane.
size_t Timers::StagedBytesMax() const { return options_.window_bytes / (2 * kWindowShare); }

// What cannot start soon makes room at once.
void Timers::DropBlocked(WallMs now) {
  if (now < next_drop_ && next_drop_ - now <= kDropIntervalMs) return;
  next_drop_ = now + kDropIntervalMs;
  const auto blocked = [now](const Target& target) {
    return target.Room(now) == 0 && (!target.prompt || Blocked(target, now));
  };
  for (const TimerPtr& timer : admission_.TakeWithoutRoom(Lane::kOnTime, blocked, now)) {
    LeaveOnDisk(*timer);
  }
}

// What has been due for long is no longer on time, and makes room for what is.
void Timers::LeaveToBacklog(WallMs now) {
  const Key split = std::max(Split(), Key{now, 0});
  LeaveBelow(split, RoomToStage() ? kKeyMax : admission_.DropWithoutRoom(split, now));
}

// `first`: the smallest key of what was staged before the split and was dropped.
void Timers::LeaveBelow(const Key& split, Key first) {
  const Window::Left left = window_.LeaveBelow(split);
  first = std::min(first, left.first);
  if (first < split) backlog_.Take(first, split);
  if (left.first_lease < split) late_leases_.Take(left.first_lease, split);
}

void Timers::Trim() {
  const Key split = Split();
  if (window_.Trim(OutsideBytes()) >= split) return;
  // After a clock step back the heap has timers from before the split.
  LeaveBelow(split, kKeyMax);
}

// --- the backlog ---------------------------------------------------------------------------------

bool Timers::RoomInBacklog() const {
  const size_t staged = admission_.staged(Lane::kBacklog);
  return staged == 0 || (staged < kLateStagedMax / 2 &&
                         admission_.staged_bytes(Lane::kBacklog) < StagedBytesMax() / 2);
}

void Timers::BacklogMoved() {
  backlog_moved_ = now_;
  late_started_ = 0;
}

void Timers::QueueBacklog(WallMs now) {
  if (RoomInBacklog() || now < backlog_moved_) BacklogMoved();
  const bool stuck = now - backlog_moved_ >= kLateMs;
  if (stuck && MayFire(now)) PutAway(now);
  if (!MayFire(now) || !RoomInBacklog()) return;
  const size_t bytes_max = std::min(kLoadBytesMax, StagedBytesMax() / 2);
  if (const auto at = ReadsLeftAt(); at && *at <= now) {
    if (auto load = left_.NextLoad(kLoadRowsMax, bytes_max, now)) {
      left_asked_ = now;
      Enqueue({0, std::move(*load)}, {});
    }
  }
  if (auto load = backlog_.NextLoad(kLoadRowsMax, bytes_max, now)) {
    load->leave = left_.NamesAnd(paused_names_);
    Enqueue({0, std::move(*load)}, {});
  }
}

void Timers::TakeBacklog(LoadedPage page) {
  if (stopping_) return;  // the next start reads them
  for (TimerPtr& timer : backlog_.TakePage(std::move(page))) {
    // Deadlines have another reader.
    if (timer->kind == TimerKind::kLease) continue;
    if (window_.heap().Find(timer->id) != nullptr || Claims(timer)) continue;
    const size_t bytes = MemoryBytes(*timer);
    if (timer->next_attempt > now_) {
      window_.heap().Insert(std::move(timer));  // the clock was set back
    } else if (WhatNow(*timer, Lane::kBacklog) == Due::kStage) {
      Stage(std::move(timer), bytes, Lane::kBacklog);
    } else {
      LeaveOnDisk(*timer);
    }
  }
}

// --- what was passed over ------------------------------------------------------------------------

void Timers::NoteLeft(const std::vector<RowsLeft>& left) {
  for (const RowsLeft& rows : left) {
    left_.Leave(rows.target, rows.first, rows.last);
    // It was resumed after the page was asked for.
    if (!IsPaused(rows.target) && rows.last.at > now_) resumed_ = true;
  }
}

// What was passed over before it was due is on time again. Not faster than pages come, however many
// targets are resumed.
void Timers::ReadOnFromResumed(WallMs now) {
  if (!resumed_ || window_.load_outstanding()) return;
  resumed_ = false;
  window_.ReadAgainAbove(std::max(JustBelow({now + 1, 0}), JustBelow(Split())));
  left_.EndAt(window_.horizon());
}

// Those of targets that may start come first: parking takes ten times as long as reading.
std::optional<WallMs> Timers::ReadsLeftAt() const {
  const auto at = left_.NextLoadAt(now_);
  if (!at || parks_ >= kParksMax || !RoomInBacklog()) return std::nullopt;
  if (!backlog_.Reads(now_) || left_asked_ > now_) return at;
  return std::max(*at, left_asked_ + kLeftIntervalMs);
}

void Timers::TakeLeft(LoadedPage page) {
  if (stopping_) return;  // the next start reads them
  for (TimerPtr& timer : left_.TakePage(std::move(page))) {
    const Key key = KeyOf(*timer);
    // Or somebody else will read it, as all deadlines.
    if (timer->kind == TimerKind::kLease) continue;
    if (backlog_.WillMeet(key) || !window_.Covers(key)) continue;
    if (window_.heap().Find(timer->id) != nullptr || Claims(timer)) continue;
    const std::string_view target = TargetOf(*timer);
    const size_t bytes = MemoryBytes(*timer);
    if (timer->next_attempt > now_) {
      window_.heap().Insert(std::move(timer));  // the clock was set back
    } else if (WaitsForLot(target) || StaysLeft(target, Lane::kBacklog)) {
      Park(std::move(timer));
    } else {
      Stage(std::move(timer), bytes, Lane::kBacklog);
    }
  }
}

// --- parked timers -------------------------------------------------------------------------------

void Timers::Park(TimerPtr timer) {
  const Key key = KeyOf(*timer);
  const Unfinished::Entry entry{0, timer->tenant, key.id, key.at};
  std::string target(TargetOf(*timer));
  ++parks_;
  ++parks_of_[target];
  Enqueue({0, ParkOp{key, std::move(timer), std::move(target)}}, entry);
}

void Timers::CompletePark(Completion& done) {
  low_may_rise_ = true;
  if (--parks_ == 0) parking_.ParksDone();
  const auto parks = parks_of_.find(done.target_name);
  if (--parks->second == 0) parks_of_.erase(parks);
  held_.erase(done.id);
  switch (done.result) {
    case OpResult::kGone:
      return;
    case OpResult::kRefused:
      return ParkLater(std::move(done.timer));
    default:
      CHECK(done.result == OpResult::kDone);
  }
  parking_.Parked(done.target, done.target_name, done.parked_at);
  admission_.SetParked(done.target_name, done.target, now_);
}

// There are too many lots. It comes back by itself, not all of them at once.
void Timers::ParkLater(TimerPtr timer) {
  const TimerId id = timer->id;
  if (unfinished_.CountFor(timer->tenant, id) > 0) {
    held_[id] = std::move(timer);
    return;
  }
  const Key key = KeyOf(*timer);
  timer->next_attempt = now_ + kParkRefusedMs + static_cast<int64_t>(id % kParkRefusedMs);
  MoveToDue(key, std::move(timer));
}

// Nothing of the backlog has moved for long: what cannot start leaves the room to others.
void Timers::PutAway(WallMs now) {
  const bool held_off = now < next_put_away_ && next_put_away_ - now <= kLateMs;
  const bool others = backlog_.NextLoadAt(now) || left_.NextLoadAt(now) || parking_.AnyWants() ||
                      admission_.AnyRoomy();
  if (held_off || !others) return;
  next_put_away_ = now + kLateMs;
  const auto without_room = [now](const Target& target) { return target.Room(now) == 0; };
  for (TimerPtr& timer : admission_.TakeWithoutRoom(Lane::kBacklog, without_room, now)) {
    if (!parking_.PutBack(timer->id)) Park(std::move(timer));
  }
}

// Out of a lot, or back to a later time: without an attempt.
void Timers::MoveToDue(const Key& key, TimerPtr timer) {
  const WallMs least = std::min(key.at, timer->next_attempt);
  const Unfinished::Entry entry{0, timer->tenant, timer->id, least};
  Enqueue({0, RetryOp{key, std::move(timer)}}, entry);
}

void Timers::QueueUnparks() {
  for (const TargetNumber number : admission_.TakeRoomy()) parking_.Want(number);
  if (!MayFire(now_)) return;
  while (unpark_loads_ < kUnparkLoadsMax && RoomInBacklog()) {
    const TargetNumber number = parking_.NextWanting();
    if (number == 0) return;
    const Target* target = admission_.Peek(parking_.NameOf(number));
    CHECK(target != nullptr);
    // It wants again when it has room.
    const bool no_room = target->paused || target->staged >= options_.unpark_below ||
                         (target->waits_on_disk && target->Room(now_) == 0);
    if (no_room && !parking_.LooksForEnd(number)) continue;
    const size_t bytes_max = std::min(kLoadBytesMax, StagedBytesMax() / (2 * kUnparkLoadsMax));
    const auto load = parking_.NextLoad(number, kUnparkRowsMax, bytes_max, parks_);
    if (!load) continue;
    ++unpark_loads_;
    Enqueue({0, *load}, {});
  }
}

void Timers::TakeParked(Completion& done) {
  --unpark_loads_;
  const std::string name(parking_.NameOf(done.target));
  const bool ended = done.target_ended || done.result == OpResult::kGone;
  const bool only_looked = parking_.LooksForEnd(done.target) && IsPaused(name);
  std::vector<TimerPtr> page = parking_.TakePage(done.target, std::move(done.page), ended);
  if (ended) admission_.SetParked(name, parking_.NumberOf(name), now_);
  for (TimerPtr& timer : page) {
    const TimerId id = timer->id;
    if (flights_.contains(id) || admission_.Find(id) != nullptr) continue;
    if (!Exists(timer->tenant, id)) {
      parking_.Left(id);
    } else if (unfinished_.CountFor(timer->tenant, id) > 0) {
      held_[id] = std::move(timer);
    } else if (timer->next_attempt > now_) {
      const Key key = KeyOf(*timer);
      MoveToDue(key, std::move(timer));  // the clock was set back
    } else if (!only_looked || !parking_.PutBack(id)) {
      const size_t bytes = MemoryBytes(*timer);
      Stage(std::move(timer), bytes, Lane::kBacklog);
    }
  }
}

// --- switches ------------------------------------------------------------------------------------

void Timers::Pause(ReplyToken token, std::string target, bool paused) {
  if (failed_) return Answer(token, Refusal::kStopping);
  Enqueue({token, PauseOp{std::move(target), paused}}, {token});
}

bool Timers::IsPaused(std::string_view target) const {
  const Target* known = admission_.Peek(target);
  return known != nullptr && known->paused;
}

void Timers::NotePaused(const std::string& target, bool paused) {
  admission_.SetPaused(target, paused, now_);
  const bool changed = paused ? paused_.insert(target).second : paused_.erase(target) > 0;
  if (!changed) return;
  paused_names_ = paused_.empty() ? nullptr
                                  : std::make_shared<const std::vector<std::string>>(
                                        paused_.begin(), paused_.end());
  if (!paused && left_.HasAfter(target, now_)) resumed_ = !Planted(Bug::kResumedRowsStayLeft);
}

void Timers::CompletePause(Completion& done) {
  if (done.result == OpResult::kRefused) return Answer(done.token, Refusal::kTooManyPaused);
  if (done.target_name.empty()) {
    paused_all_ = done.paused;
  } else {
    NotePaused(done.target_name, done.paused);
  }
  Answer(done.token, PausedReply{std::move(done.target_name), done.paused});
}

}  // namespace belfry
