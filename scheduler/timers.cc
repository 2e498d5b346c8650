#include "scheduler/timers.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted.h"
#include "scheduler/callback.h"
#include "scheduler/outcome_rules.h"
#include "scheduler/retry_delay.h"

namespace belfry {
namespace {

constexpr size_t kOpsExpected = 16;  // of one turn: as many as most have

bool Believable(WallMs now, WallMs last_seen) {
  if (last_seen.ms == 0) return true;
  return now >= last_seen + -kClockBackMaxMs && now <= last_seen + kClockAheadMaxMs;
}

AdmissionOptions AdmissionFor(const TimersOptions& options) {
  AdmissionOptions admission;
  admission.max_in_flight = options.max_in_flight;
  admission.target.throttle = {static_cast<uint32_t>(options.per_target_in_flight),
                               options.per_target_rate};
  admission.unpark_below = options.unpark_below;
  admission.flight_bytes_max = options.window_bytes / kWindowShare;
  admission.target.breaker = options.breaker;
  admission.target.breaker.seed = options.jitter_seed;
  return admission;
}

}  // namespace

Timers::Timers(TimersOptions options, const TimersStart& start, WallMs now, Ready* ready)
    : options_(std::move(options)),
      last_id_(start.last_id),
      last_seen_(start.last_seen),
      now_(now),
      last_tick_(now),
      clock_sane_(options_.accept_clock || Believable(now, start.last_seen) ||
                  Planted(Bug::kWrongClockFires)),
      marked_low_(start.low),
      next_mark_(now),
      backlog_moved_(now),
      window_(options_.window_bytes, now),
      backlog_(start.low, now, Reader::kBacklog),
      late_leases_(start.low, now, Reader::kLeases),
      admission_(AdmissionFor(options_)),
      ids_(options_.id_cache_bytes),
      replays_(start.replays),
      ready_(*ready) {
  for (const auto& [tenant, floor] : start.floors) floors_[tenant] = floor;
  durable_floors_ = floors_;
  // Down for long, or a clock that is wrong: what retention takes does not come back.
  if (last_seen_.ms != 0 && now - last_seen_ >= kDayMs) HoldRetention(now);
  for (const ParkedLot& lot : start.parked) {
    parking_.Add(lot.number, lot.name, lot.low);
    admission_.SetParked(lot.name, lot.number, now);
  }
  if (Planted(Bug::kPauseNotAskedOnStart)) return;
  paused_all_ = start.paused_all;
  for (const std::string& target : start.paused_targets) NotePaused(target, true);
}

// --- what came back ------------------------------------------------------------------------------

void Timers::GroupCompleted() {
  if (!failed_) Trim();
}

void Timers::Complete(Completion done, WallMs now) {
  now_ = now;
  if (failed_) return;
  unfinished_.Completed();
  if (done.id != 0) ids_.Completed(done.id, done.timer.get());
  switch (done.kind) {
    case kOpKind<PutOp>:
      return CompleteSet(done);
    case kOpKind<EraseByIdOp>:
      return CompleteErase(done);
    case kOpKind<SettleOp>:
      return CompleteSettle(done);
    case kOpKind<RetryOp>:
      low_may_rise_ = true;
      held_.erase(done.id);
      parking_.Left(done.id);
      if (flights_.contains(done.id)) FreeFlight(done.id);
      return Rearm(std::move(done.timer));
    case kOpKind<FloorOp>:
      durable_floors_[done.tenant] = std::max(durable_floors_[done.tenant], done.floor);
      parking_.LookForEnds();
      return Answer(done.token, AllGoneReply{});
    case kOpKind<ParkOp>:
      return CompletePark(done);
    case kOpKind<LoadParkedOp>:
      return TakeParked(done);
    case kOpKind<PauseOp>:
      return CompletePause(done);
    case kOpKind<LoadOp>:
      NoteLeft(done.page.left);
      if (done.page.reader == Reader::kBacklog) return TakeBacklog(std::move(done.page));
      if (done.page.reader == Reader::kLeftRows) return TakeLeft(std::move(done.page));
      if (done.page.reader == Reader::kLeases) return TakeLateLeases(std::move(done.page));
      return window_.TakePage(std::move(done.page), [this](TimerPtr& t) { return Claims(t); });
    case kOpKind<RetainOp>:
      retain_outstanding_ = false;
      if (done.more) next_retain_ = now_;
      return;
    case kOpKind<ReplayByIdOp>:
      return CompleteReplay(done);
    case kOpKind<ReplayRangeOp>:
      return CompleteReplayRange(done);
    case kOpKind<LapseStreamOp>:
      return CompleteLapse(done);
    case kOpKind<ReplayStepOp>:
      return CompleteReplayStep(done);
    default:
      CHECK(done.kind == kOpKind<MarkOp>);
  }
}

void Timers::CompleteSet(Completion& done) {
  if (!set_keys_.front().empty()) idempotency_in_progress_.erase(set_keys_.front());
  set_keys_.pop_front();
  switch (done.result) {
    case OpResult::kMismatch:
      return Answer(done.token, Refusal::kIdempotencyMismatch);
    case OpResult::kUnknown:
      return Answer(done.token, Refusal::kNoSpace);
    case OpResult::kReplayed:
      return Answer(done.token, SetReply{done.first_id});
    default:
      CHECK(done.result == OpResult::kDone);
  }
  const TimerId id = done.id;
  Rearm(std::move(done.timer));
  Answer(done.token, SetReply{id});
}

// A callback is armed by the same completion that its cause ends with.
void Timers::CompleteSettle(Completion& done) {
  low_may_rise_ = true;
  held_.erase(done.id);
  parking_.Left(done.id);
  if (done.callback) {
    ids_.Completed(done.callback->id, done.callback.get());
    Rearm(std::move(done.callback));
  }
  if (flights_.contains(done.id)) return FreeFlight(done.id);
  if (done.result == OpResult::kGone) return Answer(done.token, NotFoundReply{});
  Answer(done.token, CancelReply{done.id});
}

void Timers::CompleteErase(Completion& done) {
  low_may_rise_ = true;
  if (done.result == OpResult::kGone) {
    ReleaseHeld(done.id);
  } else {
    held_.erase(done.id);
    parking_.Left(done.id);
  }
  switch (done.result) {
    case OpResult::kCancelled:
      return Answer(done.token, CancelReply{done.id});
    case OpResult::kFired:
      return Answer(done.token, TooLateReply{done.id, TooLateReply::Why::kFired});
    case OpResult::kDead:
      return Answer(done.token, TooLateReply{done.id, TooLateReply::Why::kDead});
    default:
      CHECK(done.result == OpResult::kGone);
      return Answer(done.token, NotFoundReply{});
  }
}

void Timers::FreeFlight(TimerId id) {
  const auto flight = flights_.find(id);
  CHECK(flight != flights_.end() && !flight->second.timer);
  flight_bytes_ -= flight->second.bytes;
  --unsettled_;
  firing_ = nullptr;
  flights_.erase(flight);
}

void Timers::Rearm(TimerPtr timer) {
  if (!timer) return;
  if (!Exists(timer->tenant, timer->id)) return parking_.Left(timer->id);
  if (unfinished_.CountFor(timer->tenant, timer->id) > 0) {
    held_[timer->id] = std::move(timer);
  } else if (parking_.IsOut(timer->id)) {
    const Key key = KeyOf(*timer);
    MoveToDue(key, std::move(timer));
  } else if (!WillBeMet(*timer)) {
    window_.Arm(std::move(timer));
  }
}

// An op changed nothing under the id: what is held is still true, and free when it was the last.
void Timers::ReleaseHeld(TimerId id) {
  const auto held = held_.find(id);
  if (held == held_.end() || unfinished_.CountFor(held->second->tenant, id) > 0) return;
  TimerPtr timer = std::move(held->second);
  held_.erase(held);
  Rearm(std::move(timer));
}

// True when a row of a page does not go into the heap: memory has it, or it is held.
bool Timers::Claims(TimerPtr& timer) {
  const TimerId id = timer->id;
  if (!Exists(timer->tenant, id) && !Planted(Bug::kFloorNotHonouredByPage)) return true;
  if (flights_.contains(id) || admission_.Find(id) != nullptr) return true;
  const bool quiet = unfinished_.CountFor(timer->tenant, id) == 0;
  if (quiet || Planted(Bug::kPageArmsQueuedCancel)) return false;
  held_[id] = std::move(timer);
  return true;
}

void Timers::DeliveryDone(Outcome outcome, WallMs now) {
  now_ = now;
  if (failed_) return;
  const auto found = flights_.find(outcome.id);
  CHECK(found != flights_.end() && found->second.timer);
  Flight& flight = found->second;
  TimerPtr timer = std::move(flight.timer);
  EndLookup(flight);
  admission_.Ended(flight.slot, outcome, now);
  if (outcome.kind == OutcomeKind::kNoSlot) return PutBack(outcome.id, std::move(timer));
  ++unsettled_;
  if (Planted(Bug::kClockBackRefires) && now < flight.key.at) {
    outcome.kind = OutcomeKind::kInterrupted;
  }
  if (outcome.kind == OutcomeKind::kLocalFault && outcome.fault_scope == FaultScope::kHost) {
    starts_resume_ = now + kLocalFaultPauseMs;
  }
  Settle(flight.key, std::move(timer), outcome);
}

// Nothing was sent, and nothing has changed: it waits in its line again.
void Timers::PutBack(TimerId id, TimerPtr timer) {
  const auto flight = flights_.find(id);
  const auto [slot, bytes] = std::pair(flight->second.slot, flight->second.bytes);
  flight_bytes_ -= bytes;
  firing_ = nullptr;
  flights_.erase(flight);
  CHECK(unfinished_.CountFor(timer->tenant, id) == 0);
  const bool due = timer->next_attempt <= now_;  // not after a clock step back
  if (!due || !Exists(timer->tenant, id)) return Rearm(std::move(timer));
  Stage(std::move(timer), bytes, slot.lane);
}

// What an attempt that ended, or was charged, does to the timer that was stored under `key`.
void Timers::Settle(const Key& key, TimerPtr timer, const Outcome& outcome) {
  ApplyOutcome(*timer, outcome, options_.retry, options_.jitter_seed, now_);
  if (Planted(Bug::kOutcomeNotDurable)) return FreeFlight(key.id);
  if (!IsAlive(timer->state)) return End(key, std::move(timer));
  const Unfinished::Entry entry{0, timer->tenant, key.id, std::min(key.at, timer->next_attempt)};
  Enqueue({0, RetryOp{key, std::move(timer)}}, entry);
}

// With the callback that this end asks for, in the same batch: neither is there without the other.
void Timers::End(const Key& key, TimerPtr ended) {
  Unfinished::Entry entry{0, ended->tenant, ended->id, key.at};
  TimerPtr callback = Exists(ended->tenant, ended->id) ? CallbackOf(*ended, now_) : nullptr;
  if (callback) {
    callback->id = ++last_id_;
    entry.second_id = callback->id;
    entry.least_at = std::min(entry.least_at, callback->next_attempt);
    if (Planted(Bug::kCallbackArmedEarly)) window_.Arm(std::make_unique<Timer>(*callback));
  }
  Enqueue({0, SettleOp{key, std::move(ended), std::move(callback)}}, entry);
}

void Timers::LookupBegan(TimerId id, WallMs now) {
  now_ = now;
  if (failed_) return;
  Flight& flight = flights_.at(id);
  CHECK(flight.timer && !flight.looks_up);
  flight.looks_up = true;
  admission_.BeginLookup(flight.slot, now);
}

bool Timers::MayConnect(TimerId id, WallMs now) {
  now_ = now;
  if (failed_ || SettlingLags()) return false;
  Flight& flight = flights_.at(id);
  CHECK(flight.timer && flight.looks_up);
  if (!admission_.HasSlotFor(flight.slot)) return false;
  EndLookup(flight);
  return true;
}

void Timers::EndLookup(Flight& flight) {
  if (std::exchange(flight.looks_up, false)) admission_.EndLookup(flight.slot, now_);
}

void Timers::StoreFailed() {
  if (failed_) return;
  failed_ = true;
  for (const ReplyToken token : unfinished_.TakeTokens()) Answer(token, Refusal::kOutcomeUnknown);
}

// --- time and operation --------------------------------------------------------------------------

void Timers::Tick(WallMs now) {
  now_ = now;
  if (failed_) return;
  freeing_ = window_.heap().FreeSome();
  if (now < last_tick_) Unstage(now);
  if (now - last_tick_ >= kMinuteMs) HoldRetention(now);
  last_tick_ = now;
  if (!clock_sane_) clock_sane_ = Believable(now, last_seen_);
  if (MayFire(now)) {
    ++due_scans_;
    StageDue(now);
    LookAtTargets();
    StartStaged();
  }
  // Neither is of use to the stop, and it would wait for them.
  if (stopping_ && !Planted(Bug::kUpkeepDuringStop)) return;
  ReadOnFromResumed(now);
  QueueLoad(now);
  QueueLateLeases(now);
  QueueBacklog(now);
  QueueUnparks();
  QueueUpkeep(now);
}

bool Timers::MayFire(WallMs now) const {
  return first_page_loaded() && clock_sane_ && MayPage() && now >= starts_resume_;
}

// After a clock step back, what was due is not any more.
void Timers::Unstage(WallMs now) {
  starts_resume_ = {};
  if (!left_.empty()) resumed_ = true;
  admission_.ClockWentBack(now);
  for (TimerPtr& timer : admission_.TakeLaterThan(now)) Rearm(std::move(timer));
}

// While nothing may start, nothing is charged either: both leave outcomes that are not durable.
void Timers::LookAtTargets() {
  if (!RoomToStart()) return;
  std::vector<Admission::Waited> waited;
  const size_t room = options_.max_unsettled - std::min(unsettled_, options_.max_unsettled);
  admission_.Advance(now_, std::min(room, kOpenChargesPerTickMax), &waited);
  for (Admission::Waited& one : waited) {
    if (IsExpired(*one.timer, now_)) {
      ExpireInsteadOfAttempt(std::move(one.timer));
    } else {
      Charge(std::move(one.timer), one.bytes);
    }
  }
}

// It has waited for long enough for a target whose breaker is open: that counts as an attempt.
void Timers::Charge(TimerPtr timer, size_t bytes) {
  const Key key = KeyOf(*timer);
  CHECK(flights_.try_emplace(key.id, Flight{nullptr, {}, key, timer->tenant, bytes}).second);
  flight_bytes_ += bytes;
  ++unsettled_;
  firing_ = nullptr;
  Outcome outcome;
  outcome.id = key.id;
  outcome.error = kCircuitOpen;
  outcome.started = now_;
  Settle(key, std::move(timer), outcome);
}

void Timers::StartStaged() {
  for (size_t started = 0; started < kStartsPerTickMax && RoomToStart();) {
    const Timer* const first = admission_.PeekNext(now_);
    if (first == nullptr) return;
    if (IsExpired(*first, now_)) {
      ExpireInsteadOfAttempt(admission_.Remove(first->id, now_));
      continue;
    }
    ++started;
    Admission::Started next = admission_.Next(now_);
    const Timer* borrowed = next.timer.get();
    const auto [flight, fresh] = flights_.try_emplace(
        borrowed->id, Flight{std::move(next.timer), next.slot, KeyOf(*borrowed), borrowed->tenant,
                             next.slot.bytes});
    CHECK(fresh);
    flight_bytes_ += next.slot.bytes;
    firing_ = nullptr;
    if (next.slot.lane == Lane::kBacklog && ++late_started_ >= kLateMovedMin) BacklogMoved();
    if (ready_.deliveries.capacity() == 0) ready_.deliveries.reserve(kStartsPerTickMax);
    ready_.deliveries.push_back({borrowed, borrowed->attempts + 1});
  }
}

// Counts like an attempt that has ended, so that no more of them than of those are on their way to
// the disk.
void Timers::ExpireInsteadOfAttempt(TimerPtr timer) {
  const Key key = KeyOf(*timer);
  const size_t bytes = MemoryBytes(*timer);
  const bool fresh =
      flights_.try_emplace(key.id, Flight{nullptr, {}, key, timer->tenant, bytes, true}).second;
  CHECK(fresh);
  flight_bytes_ += bytes;
  ++unsettled_;
  Expire(*timer, now_);
  End(key, std::move(timer));
}

bool Timers::RoomToStart() const {
  if (SettlingLags()) return false;
  return flights_.empty() || flight_bytes_ < options_.window_bytes / kWindowShare;
}

bool Timers::SettlingLags() const {
  return unsettled_ >= options_.max_unsettled && !Planted(Bug::kUnsettledUnbounded);
}

void Timers::QueueLoad(WallMs now) {
  if (auto load = window_.NextLoad(OutsideBytes(), now)) {
    load->leave = paused_names_;
    Enqueue({0, std::move(*load)}, {});
  }
}

void Timers::QueueUpkeep(WallMs now) {
  if (!clock_sane_ || !first_page_loaded()) return;
  MarkOp mark;
  if (now >= next_last_seen_ || now + kLastSeenIntervalMs < next_last_seen_) {
    mark.last_seen = now;
    next_last_seen_ = now + kLastSeenIntervalMs;
  }
  const bool mark_due = now >= next_mark_ || now + kMarkIntervalMs < next_mark_;
  if (low_may_rise_ && mark_due) {
    low_may_rise_ = false;
    next_mark_ = now + kMarkIntervalMs;
    const WallMs low = LeastLive(now);
    if (low > marked_low_) mark.low = low;
    marked_low_ = low;
  }
  if (mark.low.ms != 0 || mark.last_seen.ms != 0) Enqueue({0, mark}, {});
  // A clock that stepped back must not hold it off.
  const bool retain_due = now >= next_retain_ || now + kRetentionHeldMs < next_retain_;
  if (retain_due && !retain_outstanding_) {
    next_retain_ = now + kRetentionIntervalMs;
    retain_outstanding_ = true;
    Enqueue({0, RetainOp{now + -options_.retention_ms, now}}, {});
  }
  QueueReplayStep(now);
}

// After a clock step forward: it may be the wrong one, and soon be set right.
void Timers::HoldRetention(WallMs now) { next_retain_ = now + kRetentionHeldMs; }

// No live timer, in memory, on disk or on its way there, has a smaller key time.
WallMs Timers::LeastLive(WallMs now) const {
  WallMs least = std::min(now, window_.horizon().at);
  if (!window_.heap().empty()) least = std::min(least, window_.heap().top().at);
  if (!backlog_.ended()) least = std::min(least, backlog_.cursor().at);
  if (!late_leases_.ended() && !Planted(Bug::kLateLeaseNotInLow)) {
    least = std::min(least, late_leases_.cursor().at);
  }
  if (!left_.empty()) least = std::min(least, left_.first().at);
  least = std::min(least, admission_.FirstStaged().at);
  if (Planted(Bug::kWatermarkPastLiveTimer)) return least;
  for (const auto& [id, flight] : flights_) least = std::min(least, flight.key.at);
  for (const auto& [id, timer] : held_) least = std::min(least, timer->next_attempt);
  return std::min(least, unfinished_.LeastAt());
}

void Timers::SetNoSpace(bool no_space) { no_space_ = no_space; }
void Timers::StopStarting() { stopping_ = true; }

void Timers::Enqueue(Op op, Unfinished::Entry entry) {
  unfinished_.Queued(entry);
  if (ready_.ops.capacity() == 0) ready_.ops.reserve(kOpsExpected);
  ready_.ops.push_back(std::move(op));
}

// When something may start, be staged or be read back, if nothing changes before; kKeyMax.at:
// never.
WallMs Timers::WakeToStart() const {
  WallMs wake = kKeyMax.at;
  const auto sooner = [&wake](WallMs at) { wake = std::min(wake, at); };
  if (RoomToStart()) {
    if (admission_.CanStart(now_)) sooner(now_);
    if (const auto at = admission_.NextUnblockAt()) sooner(*at);
  }
  const TimerHeap& heap = window_.heap();
  if (!heap.empty()) {
    const WallMs drop_at = next_drop_ - now_ <= kDropIntervalMs ? next_drop_ : now_;
    sooner(RoomForTop() ? heap.top().at : std::max(heap.top().at, drop_at));
  }
  const auto load_at = backlog_.NextLoadAt(now_);
  const auto left_at = left_.NextLoadAt(now_);
  const WallMs put_away_at = next_put_away_ - now_ <= kLateMs ? next_put_away_ : now_;
  const WallMs stuck_at = std::max(backlog_moved_ + kLateMs, put_away_at);
  const auto leases_at = late_leases_.NextLoadAt(now_);
  if (leases_at && (MayReadLeases() || Planted(Bug::kLapseCapSpins))) sooner(*leases_at);
  if (load_at && RoomInBacklog()) sooner(*load_at);
  if (const auto at = ReadsLeftAt()) sooner(*at);
  const bool reads_back = parking_.AnyWants() || admission_.AnyRoomy();
  if (reads_back && unpark_loads_ < kUnparkLoadsMax && RoomInBacklog()) sooner(now_);
  if ((load_at || left_at || reads_back) && !RoomInBacklog()) sooner(stuck_at);
  return wake;
}

std::optional<WallMs> Timers::WakeAt() const {
  if (freeing_) return now_;
  if (stopping_ || failed_) return std::nullopt;
  std::optional<WallMs> wake;
  if (!Planted(Bug::kWakeForgotten)) wake = window_.NextLoadAt(OutsideBytes());
  if (!first_page_loaded() || !clock_sane_) return wake;
  const auto sooner = [&wake](WallMs at) { wake = wake ? std::min(*wake, at) : at; };
  if (!paused_all_) {
    const WallMs start_at = std::max(WakeToStart(), starts_resume_);
    if (start_at < kKeyMax.at) sooner(start_at);
  }
  if (low_may_rise_) sooner(next_mark_);
  const auto replay = replays_.NextStepAt();
  if (replay && RoomToReplay()) sooner(*replay);
  return wake;
}

}  // namespace belfry
