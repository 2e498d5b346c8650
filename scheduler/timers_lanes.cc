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
  for (size_t staged = 0; staged < kDuePerTickMax && deferred < kDeferredPerTickMax;) {
    if (heap.empty() || heap.top().at > now || !RoomToStage()) break;
    const size_t bytes = heap.top_bytes();
    TimerPtr timer = heap.Pop();
    if (MustWaitOnDisk(*timer, Lane::kOnTime) || MustFollowParked(*timer, Lane::kOnTime)) {
      const Key key = KeyOf(*timer);
      backlog_.Take(key, std::max(backlog_.split(), JustAbove(key)));
      ++deferred;
    } else {
      ++staged;
      Stage(std::move(timer), bytes, Lane::kOnTime);
    }
  }
  if (!heap.empty() && now - heap.top().at >= kLateMs) LeaveToBacklog(now);
}

// So many wait for its target already that the rest would keep others out of memory.
bool Timers::MustWaitOnDisk(const Timer& timer, Lane lane) const {
  if (Planted(Bug::kStagedUncounted)) return false;
  // While those of the backlog move on, it is worth more to read a busy target's timers once than
  // to park them.
  const bool stuck = lane == Lane::kBacklog && now_ - backlog_moved_ >= kLateMs;
  const bool crowded = admission_.staged(Lane::kBacklog) >= kLateStagedMax ||
                       admission_.staged_bytes(Lane::kBacklog) >= StagedBytesMax();
  if (stuck && crowded) return true;
  const Target* target = admission_.Peek(TargetOf(timer));
  if (target == nullptr) return false;
  if (Blocked(*target, now_)) {
    const bool put_away = target->waits_on_disk && target->Room(now_) == 0;
    return put_away || target->staged >= options_.staged_room_min;
  }
  if (lane == Lane::kBacklog) return stuck && target->staged_late >= options_.staged_room_min;
  const size_t left = kStagedMax - std::min(kStagedMax, admission_.staged(Lane::kOnTime));
  const size_t room = std::max(options_.staged_room_min, left / kStagedRoomShare);
  return target->staged - target->staged_late >= room;
}

// Started now it would be before others of its target that were due earlier. What falls due after a
// resume is not held back by what was parked before it.
bool Timers::MustFollowParked(const Timer& timer, Lane lane) const {
  const std::string_view name = TargetOf(timer);
  if (!parking_.ComesAfterUnread(name, KeyOf(timer))) return false;
  const Target* target = admission_.Peek(name);
  return lane == Lane::kBacklog || (target != nullptr && timer.next_attempt <= target->resumed_at);
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

// What has been due for long is no longer on time, and makes room for what is.
void Timers::LeaveToBacklog(WallMs now) {
  const Key split = std::max(backlog_.split(), Key{now, 0});
  Key first = window_.LeaveBelow(split);
  if (!RoomToStage()) first = std::min(first, admission_.DropWithoutRoom(split, now));
  if (first < split) backlog_.Take(first, split);
}

void Timers::Trim() {
  const Key split = backlog_.split();
  if (window_.Trim(OutsideBytes()) >= split) return;
  // After a clock step back the heap has timers from before the split.
  backlog_.Take(window_.LeaveBelow(split), split);
}

// --- the backlog ---------------------------------------------------------------------------------

bool Timers::RoomInBacklog() const {
  const size_t staged = admission_.staged(Lane::kBacklog);
  return staged == 0 || (staged < kLateStagedMax / 2 &&
                         admission_.staged_bytes(Lane::kBacklog) < StagedBytesMax() / 2);
}

void Timers::QueueBacklog(WallMs now) {
  if (RoomInBacklog() || now < backlog_moved_) backlog_moved_ = now;
  const bool stuck = now - backlog_moved_ >= kLateMs;
  if (stuck && MayFire(now)) PutAway(now);
  if (!MayFire(now) || (!RoomInBacklog() && !stuck) || parks_ >= kParksMax) return;
  const size_t bytes_max = std::min(kLoadBytesMax, StagedBytesMax() / 2);
  if (const auto load = backlog_.NextLoad(kLoadRowsMax, bytes_max, now)) Enqueue({0, *load}, {});
}

void Timers::TakeBacklog(LoadedPage page) {
  if (stopping_) return;  // the next start reads them
  for (TimerPtr& timer : backlog_.TakePage(std::move(page))) {
    if (window_.heap().Find(timer->id) != nullptr || Claims(timer)) continue;
    const size_t bytes = MemoryBytes(*timer);
    if (timer->next_attempt > now_) {
      window_.heap().Insert(std::move(timer));  // the clock was set back
    } else if (MustWaitOnDisk(*timer, Lane::kBacklog) || MustFollowParked(*timer, Lane::kBacklog)) {
      Park(std::move(timer));
    } else {
      Stage(std::move(timer), bytes, Lane::kBacklog);
    }
  }
}

// --- parked timers -------------------------------------------------------------------------------

void Timers::Park(TimerPtr timer) {
  const Key key = KeyOf(*timer);
  std::string target(TargetOf(*timer));
  ++parks_;
  Enqueue({0, ParkOp{key, std::move(timer), std::move(target)}}, {0, key.id, key.at, false, 0});
}

void Timers::CompletePark(Completion& done) {
  low_may_rise_ = true;
  if (--parks_ == 0) parking_.ParksDone();
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
  if (unfinished_.CountFor(id) > 0) {
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
  if (held_off || !(backlog_.NextLoadAt(now) || parking_.AnyWants() || admission_.AnyRoomy()))
    return;
  next_put_away_ = now + kLateMs;
  for (TimerPtr& timer : admission_.TakeLateWithoutRoom(now)) {
    if (!parking_.PutBack(timer->id)) Park(std::move(timer));
  }
}

// Out of a lot, or back to a later time: without an attempt.
void Timers::MoveToDue(const Key& key, TimerPtr timer) {
  const WallMs least = std::min(key.at, timer->next_attempt);
  const TimerId id = timer->id;
  Enqueue({0, RetryOp{key, std::move(timer)}}, {0, id, least, false, 0});
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
    if (target->paused || target->staged >= options_.unpark_below) continue;
    if (target->waits_on_disk && target->Room(now_) == 0) continue;
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
  std::vector<TimerPtr> page = parking_.TakePage(done.target, std::move(done.page), ended);
  if (ended) admission_.SetParked(name, parking_.NumberOf(name), now_);
  for (TimerPtr& timer : page) {
    const TimerId id = timer->id;
    if (flights_.contains(id) || admission_.Find(id) != nullptr) continue;
    if (!Exists(timer->tenant, id)) {
      parking_.Left(id);
    } else if (unfinished_.CountFor(id) > 0) {
      held_[id] = std::move(timer);
    } else if (timer->next_attempt > now_) {
      const Key key = KeyOf(*timer);
      MoveToDue(key, std::move(timer));  // the clock was set back
    } else {
      const size_t bytes = MemoryBytes(*timer);
      Stage(std::move(timer), bytes, Lane::kBacklog);
    }
  }
}

// --- switches ------------------------------------------------------------------------------------

void Timers::Pause(ReplyToken token, std::string target, bool paused) {
  if (failed_) return Answer(token, Refusal::kStopping);
  Enqueue({token, PauseOp{std::move(target), paused}}, {token, 0, kKeyMax.at, false, 0});
}

bool Timers::IsPaused(std::string_view target) const {
  const Target* known = admission_.Peek(target);
  return known != nullptr && known->paused;
}

void Timers::CompletePause(Completion& done) {
  if (done.result == OpResult::kRefused) return Answer(done.token, Refusal::kTooManyPaused);
  if (done.target_name.empty()) {
    paused_all_ = done.paused;
  } else {
    admission_.SetPaused(done.target_name, done.paused, now_);
  }
  Answer(done.token, PausedReply{std::move(done.target_name), done.paused});
}

}  // namespace belfry
