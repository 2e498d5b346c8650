#include "tests/sim/oracle.h"

#include <algorithm>

#include "base/limits.h"

namespace belfry::sim {

std::string Oracle::Name(TimerId id) { return "timer " + std::to_string(id); }

void Oracle::Fail(const std::string& what) {
  if (!violation_) violation_ = what;
}

void Oracle::SetAcknowledged(TimerId id, const std::string& idempotency_key, WallMs asked,
                             WallMs latest) {
  Known& known = timers_[id];
  known.acknowledged = true;
  if (!live_.contains(id) && !known.settled && id > floor_) {
    Fail("I7: " + Name(id) + " was acknowledged and is not durable");
  }
  if (idempotency_key.empty()) return;
  const auto [first, fresh] = first_by_key_.try_emplace(idempotency_key, id, asked);
  if (fresh || first->second.first == id) return;
  // Around the end of the 24 hours, and after clock steps, either answer is right.
  if (latest - first->second.second < kIdempotencyKeepMs - kHourMs) {
    Fail("two timers for one idempotency key: " + Name(first->second.first) + " and " + Name(id));
  }
  first->second = {id, asked};
}

void Oracle::CancelAcknowledged(TimerId id) {
  Known& known = timers_[id];
  known.cancelled = true;
  if (known.firing) Fail("I4: " + Name(id) + " was answered `cancelled` while it was firing");
  if (live_.contains(id)) Fail("I4: " + Name(id) + " was answered `cancelled` and is stored alive");
}

void Oracle::CancelAllAsked(TimerId last_id) { floor_asked_ = std::max(floor_asked_, last_id); }

void Oracle::CancelAllAcknowledged(TimerId last_id) {
  if (last_id > floor_) Fail("I7: a delete of all was acknowledged and is not durable");
}

void Oracle::TooLate(TimerId id, bool already_firing) {
  const Known& known = timers_[id];
  if (already_firing && !known.firing) Fail(Name(id) + " was answered `already_firing` at rest");
  if (!already_firing && !known.ever_settled)
    Fail(Name(id) + " was answered `fired` or `dead` alive");
}

Oracle::AtAsking Oracle::Now(TimerId id) const {
  const auto found = timers_.find(id);
  if (found == timers_.end()) return {};
  const Known& known = found->second;
  const bool lives = live_.contains(id);
  const bool ended = !lives && (known.cancelled || known.told);
  return {lives, ended, ended && known.dead, known.replays};
}

void Oracle::NotFound(TimerId id, bool lived_at_asking) {
  if (lived_at_asking && live_.contains(id) && id > floor_asked_)
    Fail("I1: " + Name(id) + " is alive and not found");
}

void Oracle::Seen(const TimerView& view, AtAsking then) {
  const bool lives = live_.contains(view.id) && view.id > floor_asked_;
  const bool seen_alive = IsAlive(view.state) || view.state == TimerState::kFiring;
  const auto known = timers_.find(view.id);
  // Brought back meanwhile: both are right.
  const bool replayed = known != timers_.end() && known->second.replays != then.replays;
  if (lives && then.lived && !seen_alive && !replayed) {
    Fail(Name(view.id) + " is alive and shown as ended");
  }
  if (seen_alive && then.ended && !replayed) {
    Fail(Name(view.id) + " is shown alive after its end");
  }
  if (known == timers_.end() || !seen_alive) return;
  if (known->second.firing && view.state != TimerState::kFiring) {
    Fail(Name(view.id) + " is firing and not shown so");
  }
}

void Oracle::Applied(const Completion& done) {
  if (done.timer) {
    Known& known = timers_[done.id];
    if (done.kind == kOpKind<ReplayByIdOp>) Revived(*done.timer);
    live_[done.id] = KeyOf(*done.timer);
    known.due = done.timer->due;
    known.charged = done.timer->attempts;
    if (done.id <= floor_) Fail("I4: " + Name(done.id) + " lives below the floor");
  }
  if (done.kind == kOpKind<ReplayStepOp>) {
    for (const TimerPtr& timer : done.page.timers) Revived(*timer);
  }
  if (done.kind == kOpKind<SettleOp>) Settled(done);
  if (done.kind == kOpKind<EraseByIdOp> && done.result == OpResult::kCancelled) {
    live_.erase(done.id);
    timers_[done.id].settled = timers_[done.id].ever_settled = true;
  }
}

void Oracle::Made(const Timer& timer) {
  Known& known = timers_[timer.id];
  known.due = timer.due;
  live_[timer.id] = KeyOf(timer);
  if (timer.id <= floor_) Fail("I4: " + Name(timer.id) + " lives below the floor");
}

void Oracle::HandedBack(const Completion& done) {
  const bool ends = (done.kind == kOpKind<SettleOp> && done.result == OpResult::kDone) ||
                    (done.kind == kOpKind<EraseByIdOp> && done.result == OpResult::kCancelled);
  if (ends) timers_[done.id].told = true;
  const bool revived = done.kind == kOpKind<ReplayByIdOp> && done.result == OpResult::kDone;
  if (revived) timers_[done.id].told = false;
  if (done.kind != kOpKind<ReplayStepOp>) return;
  for (const TimerPtr& timer : done.page.timers) timers_[timer->id].told = false;
}

void Oracle::FloorApplied(TimerId last_id) {
  floor_ = std::max(floor_, last_id);
  live_.erase(live_.begin(), live_.upper_bound(last_id));
}

void Oracle::Recovered(const std::map<TimerId, Timer>& stored, TimerId floor) {
  if (floor < floor_) Fail("I4: a delete of all was durable and is lost");
  floor_ = floor_asked_ = std::max(floor_, floor);
  for (const auto& [id, key] : live_) {
    if (id > floor_asked_ && !stored.contains(id))
      Fail("I1: " + Name(id) + " was durable and is lost");
  }
  for (const auto& [id, timer] : stored) {
    IsAlive(timer.state) ? RecoveredAlive(timer) : RecoveredEnded(timer);
  }
  RecoveredCallbacks(stored);
  live_.clear();
  for (const auto& [id, timer] : stored) {
    if (IsAlive(timer.state)) live_[id] = KeyOf(timer);
  }
  for (const auto& [id, known] : timers_) {
    if (live_.contains(id)) continue;
    if (known.acknowledged && !known.settled && id > floor_asked_) {
      Fail("I1: " + Name(id) + " was acknowledged and is lost");
    }
  }
}

void Oracle::Started(const Delivery& delivery, WallMs now) {
  ++deliveries_;
  const TimerId id = delivery.timer->id;
  Known& known = timers_[id];
  if (!live_.contains(id)) Fail("I4: " + Name(id) + " started and is not durable and alive");
  if (known.cancelled) Fail("I4: " + Name(id) + " started after its cancel was acknowledged");
  if (id <= floor_asked_) Fail("I4: " + Name(id) + " started below the floor");
  if (now < delivery.timer->due) Fail("I3: " + Name(id) + " started before it was due");
  if (now < delivery.timer->next_attempt) Fail("I3: " + Name(id) + " was retried early");
  const Timer& timer = *delivery.timer;
  const int64_t late_ms = now - std::max(timer.due, known.replayed_at);
  if (timer.on_late != OnLate::kFire && late_ms > timer.max_lateness_ms) {
    Fail("expiry: " + Name(id) + " started " + std::to_string(late_ms) + " ms late");
  }
  if (known.firing) Fail("I5: " + Name(id) + " started twice at once");
  if (known.succeeded) Fail("I5: " + Name(id) + " started again after a 2xx");
  if (delivery.attempt < known.attempt) Fail("I6: " + Name(id) + " went back in its attempts");
  const bool repeated = delivery.attempt == known.attempt && known.attempt != 0;
  if (repeated && !known.crash_since_start && !known.uncharged) {
    Fail("I6: " + Name(id) + " repeated an attempt without a crash");
  }
  known.attempt = delivery.attempt;
  known.firing = true;
  known.crash_since_start = false;
  known.uncharged = false;
}

void Oracle::Ended(const Outcome& outcome) {
  Known& known = timers_[outcome.id];
  known.firing = false;
  known.uncharged = outcome.kind == OutcomeKind::kLocalFault ||
                    outcome.kind == OutcomeKind::kInterrupted ||
                    outcome.kind == OutcomeKind::kNoSlot;
  if (outcome.kind == OutcomeKind::kAnswered && outcome.status / 100 == 2) {
    known.succeeded = true;
  }
}

void Oracle::Crashed() {
  for (auto& [id, known] : timers_) {
    known.firing = false;
    known.succeeded = false;
    known.crash_since_start = true;
  }
}

void Oracle::Stopped() {
  for (const auto& [id, known] : timers_) {
    if (known.firing) Fail("the stop left " + Name(id) + " under way");
  }
}

void Oracle::Finished() {
  for (const auto& [id, key] : live_) {
    if (id > floor_asked_) Fail("I2: " + Name(id) + " never ended though it had the time");
  }
  for (const auto& [id, known] : timers_) {
    if (known.acknowledged && !known.settled && id > floor_asked_) {
      Fail("I1: " + Name(id) + " was acknowledged and has no end");
    }
  }
}

}  // namespace belfry::sim
