// How timers end, come back, and tell of it.

#include <algorithm>
#include <charconv>

#include "tests/sim/oracle.h"

namespace belfry::sim {
namespace {

// The URL that this end of a timer calls; "" when it calls nobody.
std::string_view CalledAtEnd(const Timer& t) {
  if (t.state == TimerState::kDelivered) return CallbackUrl(t, CallbackOn::kSuccess);
  const bool dropped = t.state == TimerState::kCancelled && t.reason == DeadReason::kExpired;
  const bool failed = t.state == TimerState::kDead || dropped;
  return failed ? CallbackUrl(t, CallbackOn::kFailure) : std::string_view();
}

std::string BodyAtEnd(const Timer& t) {
  const std::string reason(ReasonName(t.reason));
  return "{\"timer\":" + std::to_string(t.id) + ",\"state\":\"" + std::string(StateName(t.state)) +
         "\",\"reason\":" + (reason.empty() ? "null" : "\"" + reason + "\"") +
         ",\"attempts\":" + std::to_string(t.attempts) + "}";
}

// The timer that a callback tells of; 0: it is none.
TimerId CauseOf(const Timer& t) {
  constexpr std::string_view kStart = "{\"timer\":";
  TimerId cause = 0;
  if (!t.body.starts_with(kStart)) return 0;
  std::from_chars(t.body.data() + kStart.size(), t.body.data() + t.body.size(), cause);
  return cause;
}

}  // namespace

void Oracle::Settled(const Completion& done) {
  if (done.result != OpResult::kDone) {
    if (done.callback) Fail("callbacks: " + Name(done.id) + " is gone and calls somebody");
    return;
  }
  const Timer& ended = *done.ended;
  Known& known = timers_[done.id];
  if (ended.reason == DeadReason::kExpired) CheckExpired(ended);
  const uint32_t charged = ended.attempts - known.charged_at_replay;
  if (ended.reason == DeadReason::kExhausted && charged != kAttempts) {
    Fail("replays: " + Name(done.id) + " was given up after " + std::to_string(charged) +
         " attempts");
  }
  live_.erase(done.id);
  known.settled = known.ever_settled = true;
  known.dead = ended.state == TimerState::kDead;
  known.finished = ended.finished;
  known.charged = ended.attempts;
  CheckCallback(ended, done.callback.get());
}

void Oracle::CheckExpired(const Timer& ended) {
  ++expired_;
  const Known& known = timers_[ended.id];
  const int64_t late_ms = ended.finished - std::max(ended.due, known.replayed_at);
  const bool as_asked =
      ended.on_late == (ended.state == TimerState::kDead ? OnLate::kDeadLetter : OnLate::kDrop);
  if (!as_asked || late_ms <= ended.max_lateness_ms) {
    Fail("expiry: " + Name(ended.id) + " ended " + std::to_string(late_ms) + " ms late");
  }
  if (ended.attempts != known.charged) Fail("expiry: " + Name(ended.id) + " was charged for it");
  if (known.firing) Fail("expiry: " + Name(ended.id) + " ended while it was firing");
}

void Oracle::CheckCallback(const Timer& cause, const Timer* callback) {
  const std::string_view url = CalledAtEnd(cause);
  Known& known = timers_[cause.id];
  if (!url.empty()) ++known.calling_ends;
  if (url.empty() != (callback == nullptr)) {
    return Fail("callbacks: the end of " + Name(cause.id) + " calls " +
                (callback == nullptr ? "nobody" : "somebody"));
  }
  if (callback == nullptr) return;
  ++callbacks_;
  if (callback->url != url || callback->body != BodyAtEnd(cause) ||
      callback->tenant != cause.tenant || !callback->callbacks.empty()) {
    Fail("callbacks: that of " + Name(cause.id) + " is wrong: " + callback->body);
  }
  known.callbacks.insert(callback->id);
  live_[callback->id] = KeyOf(*callback);
  timers_[callback->id].due = callback->due;
}

void Oracle::Revived(const Timer& timer) {
  ++replays_;
  Known& known = timers_[timer.id];
  if (!known.settled || !known.dead) Fail("replays: " + Name(timer.id) + " was not dead");
  if (timer.state != TimerState::kPending || timer.due != known.due ||
      timer.attempts != known.charged) {
    Fail("replays: " + Name(timer.id) + " came back as another");
  }
  if (timer.id <= floor_) Fail("I4: " + Name(timer.id) + " came back from below the floor");
  known.settled = known.dead = false;
  ++known.replays;
  known.charged_at_replay = timer.attempts;
  known.replayed_at = timer.replayed_at;
  live_[timer.id] = KeyOf(timer);
}

void Oracle::ReplayAcknowledged(TimerId id, AtAsking then) {
  if (timers_[id].replays == then.replays)
    Fail("I7: the replay of " + Name(id) + " is not durable");
}

void Oracle::ReplayRefused(TimerId id, AtAsking then) {
  if (then.dead && timers_[id].replays == then.replays && id > floor_asked_) {
    Fail("replays: " + Name(id) + " is dead and was not brought back");
  }
}

void Oracle::RangeWritten(const DeadRange& range) {
  for (auto& [id, known] : timers_) {
    if (!known.settled || !known.dead || id <= floor_) continue;
    if (!range.Has(known.due) || known.finished >= range.finished_before) continue;
    known.replays_owed = known.replays + 1;
  }
}

std::vector<TimerId> Oracle::Owed() const {
  std::vector<TimerId> owed;
  for (const auto& [id, known] : timers_) {
    if (known.replays < known.replays_owed && id > floor_asked_) owed.push_back(id);
  }
  return owed;
}

// --- after a crash -------------------------------------------------------------------------------

void Oracle::RecoveredEnded(const Timer& timer) {
  Known& known = timers_[timer.id];
  const bool by_owner = timer.state == TimerState::kCancelled && timer.reason == DeadReason::kNone;
  if (timer.replayed_at != known.replayed_at) {
    // Brought back and cancelled by a group whose outcome was unknown; having died in it, if it was
    // not dead before.
    if (!by_owner) Fail("I1: the replay of " + Name(timer.id) + " was durable and is lost");
    if (!known.settled && !CallbackUrl(timer, CallbackOn::kFailure).empty()) ++known.calling_ends;
    ++known.replays;
    known.replayed_at = timer.replayed_at;
  } else if (!known.settled && !CalledAtEnd(timer).empty()) {
    ++known.calling_ends;
  }
  known.settled = known.ever_settled = true;
  known.dead = timer.state == TimerState::kDead;
  known.finished = timer.finished;
  known.charged = timer.attempts;
  known.due = timer.due;
}

void Oracle::RecoveredAlive(const Timer& timer) {
  Known& known = timers_[timer.id];
  const std::string name = Name(timer.id);
  if (known.cancelled) Fail("I4: " + name + " was cancelled and came back");
  if (timer.id <= floor_) Fail("I4: " + name + " came back from below the floor");
  const bool replayed = timer.replayed_at != known.replayed_at;
  if (known.settled && !(replayed && known.dead && (known.replay_asked || range_asked_))) {
    Fail("I4: " + name + " was settled and came back");
  }
  if (replayed) {
    // It died and came back by groups whose outcome was unknown, if it was not dead before.
    if (!known.settled && !CallbackUrl(timer, CallbackOn::kFailure).empty()) ++known.calling_ends;
    ++known.replays;
    known.charged_at_replay = timer.attempts_base;
    known.replayed_at = timer.replayed_at;
    known.told = false;
  }
  known.settled = known.dead = false;
  known.charged = timer.attempts;
  known.due = timer.due;
}

void Oracle::RecoveredCallbacks(const std::map<TimerId, Timer>& stored) {
  for (const auto& [id, timer] : stored) {
    if (const TimerId cause = CauseOf(timer)) timers_[cause].callbacks.insert(id);
  }
  for (const auto& [id, known] : timers_) {
    if (id <= floor_ || known.callbacks.size() == known.calling_ends) continue;
    Fail("callbacks: " + std::to_string(known.calling_ends) + " ends of " + Name(id) + " made " +
         std::to_string(known.callbacks.size()));
  }
}

}  // namespace belfry::sim
