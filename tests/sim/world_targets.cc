// Targets that die and recover: what may start, what has to wait, and for how long.
#include <algorithm>

#include "base/rfc3339.h"
#include "scheduler/retry_delay.h"
#include "storage/keys.h"
#include "tests/sim/world.h"
#include "tests/support/invariants.h"

namespace belfry::sim {

void World::NoteStored(const Timer& timer) {
  stored_[timer.id] = {std::string(TargetOf(timer)), timer.attempts - timer.attempts_base};
}

void World::StartDeliveries(const std::vector<Delivery>& deliveries) {
  for (const Delivery& delivery : deliveries) {
    const TimerId id = delivery.timer->id;
    Note("deliver " + std::to_string(id) + " attempt " + std::to_string(delivery.attempt));
    if (stopping_) oracle_.Fail("a delivery started during the stop");
    if (!clock_sane_) oracle_.Fail("I3: a delivery started by a clock that cannot be right");
    if (Sending() >= options_.max_in_flight) oracle_.Fail("I5: more in flight than allowed");
    oracle_.Started(delivery, now_);
    const std::string target(TargetOf(*delivery.timer));
    if (Held(target)) oracle_.Fail("I4: " + target + " is paused, and an attempt started");
    if (auto wrong = rules_.Started(target, id, now_)) oracle_.Fail(*wrong);
    const bool late = TimersInspector(*timers_).IsLate(id);
    flying_[id] = {target, now_, false, !prompt_.contains(target), late};
    unsent_.erase(id);
    CheckSlow();
    CheckLane(late);
  }
  // Only now: the sender is given them when all are started.
  for (const Delivery& delivery : deliveries) {
    if (!OneIn(4)) continue;
    const TimerId id = delivery.timer->id;
    Flying& flight = flying_.at(id);
    Note("looks up " + flight.target + " for " + std::to_string(id));
    flight.looks_up = true;
    unsent_.insert(id);
    rules_.LooksUp(flight.target, id);
    timers_->LookupBegan(id, now_);
  }
}

size_t World::Sending() const {
  const auto sends = [](const auto& flight) { return !flight.second.looks_up; };
  return static_cast<size_t>(std::count_if(flying_.begin(), flying_.end(), sends));
}

void World::EndLookup(TimerId id) {
  Outcome outcome;
  outcome.id = id;
  outcome.started = flying_.at(id).started;
  if (OneIn(4)) {
    outcome.error = "dns";
  } else if (Connect(id)) {
    return;
  } else {
    outcome.kind = OutcomeKind::kNoSlot;
  }
  EndAttempt(id, std::move(flying_.extract(id).mapped()), outcome);
}

bool World::Connect(TimerId id) {
  Flying& flight = flying_.at(id);
  const bool has_slot = Sending() < SlowMax() && rules_.HasSlot(flight.target) &&
                        timers_->in_flight() - timers_->under_way() < options_.max_unsettled;
  const bool may = timers_->MayConnect(id, now_);
  Note("found the address of " + std::to_string(id) + (may ? "" : ", and no slot"));
  if (!may) {
    if (has_slot) oracle_.Fail("an attempt does not get the slot that there is for it");
    return false;
  }
  if (Sending() >= options_.max_in_flight) oracle_.Fail("I5: more in flight than allowed");
  if (auto wrong = rules_.Connects(flight.target, id)) oracle_.Fail(*wrong);
  flight.looks_up = false;
  unsent_.erase(id);
  CheckSlow();
  return true;
}

size_t World::SlowMax() const { return std::max<size_t>(1, options_.max_in_flight / 2); }

size_t World::Slow() const {
  const auto slow = [](const auto& flight) {
    return flight.second.slow && !flight.second.looks_up;
  };
  return static_cast<size_t>(std::count_if(flying_.begin(), flying_.end(), slow));
}

// Those that hang must leave room for those that do not.
void World::CheckSlow() {
  if (Slow() <= SlowMax()) return;
  oracle_.Fail("I2: " + std::to_string(Slow()) + " attempts at targets that may hang");
}

// While on-time timers start the backlog leaves them half of the slots.
void World::CheckLane(bool late) {
  if (!late) {
    on_time_started_ = now_;
    return;
  }
  const auto sends = [](const auto& flight) {
    return flight.second.late && !flight.second.looks_up;
  };
  const auto sending = std::count_if(flying_.begin(), flying_.end(), sends);
  const size_t most = std::max<size_t>(1, options_.max_in_flight / kBacklogShare);
  if (now_ - on_time_started_ >= kOnTimeIdleMs || static_cast<size_t>(sending) <= most) return;
  oracle_.Fail("I2: " + std::to_string(sending) + " late attempts leave no slot to those on time");
}

void World::EndAttempt(TimerId id, Flying flight, Outcome outcome) {
  Note("outcome " + std::to_string(id) + " status " + std::to_string(outcome.status) + " of " +
       flight.target);
  oracle_.Ended(outcome);
  if (HealthOf(outcome) == Health::kUnreachable) prompt_.erase(flight.target);
  if (HealthOf(outcome) == Health::kGood || HealthOf(outcome) == Health::kBad) {
    prompt_.insert(flight.target);
  }
  rules_.Ended(flight.target, outcome, now_);
  timers_->DeliveryDone(std::move(outcome), now_);
}

// An op that charges an attempt nobody made.
void World::CheckCharge(const Op& op) {
  const auto* retry = std::get_if<RetryOp>(&op.what);
  const auto* settle = std::get_if<SettleOp>(&op.what);
  if (retry == nullptr && settle == nullptr) return;
  const Timer& timer = retry != nullptr ? *retry->timer : *settle->timer;
  const Key& key = retry != nullptr ? retry->old_key : settle->key;
  if (timer.state == TimerState::kCancelled || timer.reason == DeadReason::kExpired) return;
  // One that only moves, out of a lot or to a later time, is not charged.
  const auto stored = stored_.find(timer.id);
  const uint32_t attempts = timer.attempts - timer.attempts_base;
  if (stored != stored_.end() && stored->second.attempts == attempts) return;
  if (timer.history.empty() || timer.history.back().error != kCircuitOpen) return;
  Note("charged " + std::to_string(timer.id));
  unsent_.erase(timer.id);
  if (flying_.contains(timer.id)) return oracle_.Fail("an attempt under way was charged as open");
  if (Held(std::string(TargetOf(timer)))) oracle_.Fail("waiting for a paused target was charged");
  const int64_t wait_ms = OpenWaitMs(options_.retry, timer.attempts - timer.attempts_base - 1);
  const auto wrong = rules_.Charged(std::string(TargetOf(timer)), key.at + wait_ms, now_);
  if (wrong) oracle_.Fail(*wrong);
}

// A lot is left alone only while its target may not start, or has some in memory; or for a second,
// when there is no room: then what cannot start is put away.
void World::CheckParkedAreReadBack() {
  const TimersInspector inspector(*timers_);
  const bool makes_room = wake_at_ && *wake_at_ <= now_ + kLateMs;
  if (!inspector.RoomInBacklog() && makes_room) return;
  std::set<std::string> has_staged;
  std::set<TimerId> staged;
  for (const Timer* timer : inspector.Staged()) {
    has_staged.emplace(TargetOf(*timer));
    staged.insert(timer->id);
  }
  for (const TimerId id : Parked()) {
    const auto live = oracle_.live().find(id);
    if (id <= oracle_.floor_asked() || live == oracle_.live().end()) continue;
    if (live->second.at > now_ || inspector.InFlight(id) || staged.contains(id)) continue;
    const std::string& target = stored_.at(id).target;
    if (timers_->IsPaused(target) || rules_.BlockedUntil(target, now_)) continue;
    if (has_staged.contains(target)) continue;
    oracle_.Fail("I2: timer " + std::to_string(id) + " stays parked, and " + target + " has room");
  }
}

// What is due is passed over for a moment only, what is not due only while its target is paused; or
// until it is due, when it was late before the clock stepped back.
void World::CheckNothingStaysPassedOver() {
  const TimersInspector inspector(*timers_);
  const bool looks_soon = wake_at_ && *wake_at_ <= now_ + kLateMs;
  const std::set<TimerId> parked = Parked();
  for (const auto& [id, key] : oracle_.live()) {
    if (id <= oracle_.floor_asked() || parked.contains(id)) continue;
    if (!inspector.WasPassedOver(id, key)) continue;
    const std::string name = "timer " + std::to_string(id);
    if (key.at <= now_ && !looks_soon) oracle_.Fail("I2: " + name + " is due and stays on disk");
    if (key.at > now_ && key >= inspector.split() && !timers_->IsPaused(stored_.at(id).target)) {
      oracle_.Fail("I2: " + name + " was passed over, and its target is not paused");
    }
  }
}

void World::CheckTargets() {
  if (const auto wrong = rules_.Shown(timers_->Targets("", 100, now_), now_)) {
    oracle_.Fail(*wrong);
  }
}

WallMs World::LapsesAt(const Key& deadline) const {
  return TimersInspector(*timers_).RoomToStage() ? deadline.at : deadline.at + kLateMs;
}

// Deadlines need nothing of what timers may wait for: none that is due is left alone, but for the
// moment until more are read, and for a second behind timers that there is no room for.
void World::CheckLapses() {
  const auto reads_at = TimersInspector(*timers_).ReadsLeasesAt(now_);
  if (reads_at && *reads_at > now_ && *reads_at <= now_ + kLoadIntervalMs) return;
  for (const auto& [id, key] : streams_.Deadlines()) {
    if (LapsesAt(key) <= now_) oracle_.Fail("L9: deadline " + std::to_string(id) + " waits");
  }
}

// Nothing happens by itself any more at this time: whoever still waits has a reason of its own.
void World::CheckNobodyIsHeldBack() {
  const TimersInspector inspector(*timers_);
  const bool may_fire = clock_sane_ && !stopping_ && Quiet() && timers_->first_page_loaded() &&
                        now_ >= last_local_fault_ + kLocalFaultPauseMs;
  if (!may_fire || timers_->paused_all()) return;
  CheckLapses();
  if (!inspector.RoomToStart()) return;
  if (inspector.HeapHasDue(now_) && inspector.RoomForTop()) {
    return oracle_.Fail("what is due is not looked at");
  }
  // The other half may be kept for on-time timers, or for targets that are prompt.
  if (Sending() >= SlowMax() || inspector.KindIsFull()) return;
  CheckParkedAreReadBack();
  CheckNothingStaysPassedOver();
  for (const Timer* timer : inspector.Staged()) {
    const std::string name = "timer " + std::to_string(timer->id);
    const std::string target(TargetOf(*timer));
    if (timers_->IsPaused(target)) continue;
    if (!rules_.BlockedUntil(target, now_)) {
      return oracle_.Fail("I2: " + name + " waits, and " + target + " has room");
    }
    const WallMs charge_at =
        timer->next_attempt + OpenWaitMs(options_.retry, timer->attempts - timer->attempts_base);
    if (rules_.Open(target) && now_ >= charge_at) {
      return oracle_.Fail("I2: " + name + " waits for the open " + target + " and is not charged");
    }
  }
}

WallMs World::LatestFor(TimerId id, const Key& key) const {
  const auto stored = stored_.find(id);
  if (stored == stored_.end()) return key.at;
  const auto& [target, attempts] = stored->second;
  if (timers_->paused_all() || timers_->IsPaused(target)) return ::belfry::Target::kNever;
  WallMs until = rules_.BlockedUntil(target, now_).value_or(key.at);
  if (rules_.Open(target)) until = std::min(until, key.at + OpenWaitMs(options_.retry, attempts));
  return std::max(key.at, until);
}

// When no more can be staged, those that are staged have to make room. Deadlines need
// none.
std::optional<WallMs> World::NextDeadline() const {
  const TimersInspector inspector(*timers_);
  std::optional<WallMs> next;
  const std::set<TimerId> parked = Parked();
  const auto count = [&](TimerId id, const Key& key) {
    if (parked.contains(id)) return;
    WallMs at = LatestFor(id, key);
    // The backlog may wait for those it has staged.
    if (inspector.WillMeet(key)) at = std::max(at, now_ + kLateMs);
    if (at != ::belfry::Target::kNever && (!next || at < *next)) next = at;
  };
  for (const auto& [id, key] : streams_.Deadlines()) {
    const WallMs at = LapsesAt(key);
    if (!timers_->paused_all() && (!next || at < *next)) next = at;
  }
  if (inspector.RoomToStage()) {
    for (const auto& [id, key] : oracle_.live()) {
      if (id > oracle_.floor_asked()) count(id, key);
    }
  } else {
    for (const Timer* timer : inspector.Staged()) count(timer->id, KeyOf(*timer));
  }
  return next;
}

// --- switches and parked timers ------------------------------------------------------------------

// Often one that is open: then its timers wait for two reasons.
void World::PauseOne() {
  if (OneIn(3)) return Pause("", OneIn(2));
  std::string target = "http://r" + std::to_string(Random(targets_.size()));
  for (size_t i = 0; i < targets_.size() && OneIn(2); ++i) {
    const std::string other = "http://r" + std::to_string(i);
    if (rules_.Open(other)) target = other;
  }
  Pause(target, !rules_.Open(target) ? OneIn(2) : !OneIn(4));
}

// What is paused, and would stay so.
void World::ResumeAll() {
  if (timers_->paused_all()) Pause("", false);
  for (size_t i = 0; i < targets_.size(); ++i) {
    const std::string target = "http://r" + std::to_string(i);
    if (timers_->IsPaused(target)) Pause(target, false);
  }
}

void World::Pause(const std::string& target, bool paused) {
  Note((paused ? "pause " : "resume ") + target);
  // Once it is durable, attempts may start before the client learns of it.
  if (!paused) held_.erase(target);
  Request request{Ask::kPause, 0, "", {}, {}, target, paused};
  timers_->Pause(Expect(std::move(request)), target, paused);
}

void World::CheckPaused(const Request& request, const Reply& reply) {
  const auto* done = std::get_if<PausedReply>(&reply.what);
  if (done == nullptr) return;
  if (done->paused != request.paused || done->target != request.target) {
    return oracle_.Fail("a pause was answered for another");
  }
  for (const auto& [token, later] : waiting_) {
    if (later.ask == Ask::kPause && later.target == request.target) return;
  }
  if (request.paused) held_.insert(request.target);
}

bool World::Held(const std::string& target) const {
  return held_.contains("") || held_.contains(target);
}

std::set<TimerId> World::Parked() const {
  std::set<TimerId> ids;
  const auto view = kv_->View();
  const auto rows = view->Scan(Cf::kParked, "", "\xff\xff\xff\xff\xff");
  for (; rows->Valid(); rows->Next()) ids.insert(ParseParkedKey(rows->key())->key.id);
  return ids;
}

}  // namespace belfry::sim
