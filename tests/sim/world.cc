#include "tests/sim/world.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "base/rfc3339.h"
#include "daemon/engine_start.h"
#include "tests/support/invariants.h"

namespace belfry::sim {
namespace {

constexpr int kSteps = 250;
constexpr int kDrainRounds = 5'000;
constexpr int kPagesMax = 20;
constexpr uint64_t kTargets = 4;

}  // namespace

World::World(uint64_t seed, bool verbose)
    : seed_(seed),
      verbose_(verbose),
      random_(seed),
      options_(Options(seed, random_)),
      disk_(std::make_shared<MemoryDisk>()),
      rules_({{static_cast<uint32_t>(options_.per_target_in_flight), options_.per_target_rate},
              options_.breaker}),
      stopwatches_(seed),
      streams_(seed) {
  for (uint64_t i = 0; i < kTargets; ++i) {
    targets_.push_back(OneIn(2) ? Target::kHealthy
                                : static_cast<Target>(Random(uint64_t(Target::kCount))));
  }
  Open();
}

TimersOptions World::Options(uint64_t seed, std::mt19937_64& random) {
  TimersOptions options;
  // In a small window the timers of one target may keep out those of all others.
  options.window_bytes = random() % 3 == 0 ? 64 * 1024 : 600 + random() % 8 * 600;
  options.id_cache_bytes = random() % 6 * 96;
  options.max_in_flight = 1 + random() % 4;
  options.per_target_in_flight = 1 + random() % 3;
  options.per_target_rate = random() % 4 == 0 ? 1 + random() % 30 : 0;
  options.breaker.failures = static_cast<uint32_t>(2 + random() % 4);
  options.breaker.min_attempts = static_cast<uint32_t>(3 + random() % 10);
  options.breaker.probe_max_ms = (1 + random() % 10) * kSecondMs;
  options.max_unsettled = 1 + random() % 4;
  options.lapses_max = random() % 2 == 0 ? kLapsesMax : 1 + random() % 3;
  options.staged_room_min = 1 + random() % 4;
  options.unpark_below = 1 + random() % 4;
  options.retention_ms = random() % 2 == 0 ? 7 * kDayMs : kMinuteMs;
  options.jitter_seed = seed;
  options.retry.max_attempts = kAttempts;
  options.retry.schedule_ms = {kSecondMs, 5 * kSecondMs};
  return options;
}

std::optional<Violation> World::Run() {
  for (step_ = 0; step_ < kSteps && !oracle_.violation(); ++step_) Step();
  if (!oracle_.violation()) Drain();
  if (!oracle_.violation()) return std::nullopt;
  return Violation{seed_, step_, *oracle_.violation()};
}

void World::Step() {
  switch (Random(12)) {
    case 0:
    case 1:
    case 2:
      ClientStep();
      break;
    case 3:
    case 4:
      StoreStep();
      break;
    case 5:
    case 6:
      CompletionStep();
      break;
    case 7:
    case 8:
      DeliveryStep();
      break;
    case 9:
    case 10:
      ClockStep();
      break;
    default:
      if (OneIn(6)) Crash();
      if (OneIn(8)) Stop();
      if (OneIn(4))
        targets_[Random(kTargets)] = static_cast<Target>(Random(uint64_t(Target::kCount)));
      if (OneIn(40)) StartOver();
  }
  if (OneIn(3)) stopwatches_.Step(mono_, clock_sane_);
  if (OneIn(3)) streams_.Step(now_);
  Pump();
  Check();
  if (OneIn(8)) Quieten();
  if (OneIn(2)) CheckWake();
}

// Lets the store and the pool hand back all they have.
void World::Quieten() {
  for (int round = 0; round < 10 && !Quiet() && !oracle_.violation(); ++round) {
    StoreStep();
    while (!completed_.empty()) CompletionStep();
    Pump();
    FinishReads();
    Pump();
  }
  CheckStopwatches();
}

// --- clients -------------------------------------------------------------------------------------

void World::ClientStep() {
  switch (Random(11)) {
    case 0:
    case 1:
      return Cancel(kLocalTenant, Random(last_id_ + 3));
    case 2:
      return OneIn(6) ? CancelAll() : OneIn(4) ? PauseOne() : ReadOne();
    case 4:
      return OneIn(4) ? ReplayRange() : ReplayOne();
    case 3:
      return ReadOne();
    default:
      const uint64_t burst = OneIn(50) ? 30 : OneIn(5) ? 6 : 1;
      for (uint64_t i = 0; i < burst; ++i) SetOne(false);
      if (OneIn(4)) Meddle();
  }
}

// What is left is far away, behind rows below the floor that pages have to walk through: nothing
// but the next page wakes the loop.
void World::StartOver() {
  constexpr int kWall = 10;
  for (int i = 0; i < kWall; ++i) SetOne(true);
  CancelAll();
  SetOne(true);
  Pump();
  Quieten();
  OneIn(2) ? Crash() : ClockStep();
  Pump();
  Quieten();
  CheckWake();
}

void World::SetOne(bool far) {
  auto timer = std::make_unique<Timer>();
  constexpr int64_t kDelays[] = {-5000, 0, 1, 500, 1000, 1000, 5000, 20'000, 90'000, kHourMs};
  timer->due = now_ + (far ? kHourMs : kDelays[Random(std::size(kDelays))]);
  timer->url = "http://r" + std::to_string(OneIn(3) ? 0 : Random(kTargets)) + "/x";
  if (OneIn(10)) timer->body.assign(Random(400), 'b');
  AddWishes(Random(uint64_t{1} << 32), timer.get());
  std::string key;
  std::string body;
  if (OneIn(4)) {
    key = "k" + std::to_string(Random(5));
    body = OneIn(5) ? "other" : "same";
  }
  const ReplyToken token = Expect({Ask::kSet, 0, body == "same" ? key : "", now_});
  Note("set key=" + key + " due=" + FormatRfc3339(timer->due));
  timers_->Set(token, std::move(timer), key, body, now_);
}

ReplyToken World::Expect(Request request) {
  waiting_.emplace(next_token_, std::move(request));
  return next_token_++;
}

// --- what goes on in the world -------------------------------------------------------------------

void World::SetClock(WallMs now) {
  const bool back = now < now_;
  now_ = now;
  latest_ = std::max(latest_, now);
  clock_sane_ |= ClockBelievable();
  if (!back) return;
  rules_.ClockWentBack(now);
  on_time_started_ = std::min(on_time_started_, now);
  engine_->Tick(now, mono_);
}

void World::Pass(int64_t ms) {
  mono_ = mono_ + ms;
  SetClock(now_ + ms);
}

void World::HealClock() { SetClock(now_ + -std::exchange(clock_wrong_ms_, 0)); }

// A wrong clock that was believed (by a new store) and stored makes the right one look wrong.
void World::AcceptClock() {
  options_.accept_clock = true;
  Crash();
}

bool World::ClockBelievable() const {
  if (last_seen_.ms == 0 || options_.accept_clock) return true;
  return now_ >= last_seen_ + -kClockBackMaxMs && now_ <= last_seen_ + kClockAheadMaxMs;
}

void World::ClockStep() {
  const int64_t before = now_.ms;
  if (clock_wrong_ms_ != 0 && OneIn(4)) {
    HealClock();
  } else if (OneIn(25)) {
    constexpr int64_t kJumps[] = {-kHourMs,  -10 * kSecondMs, -kSecondMs,
                                  kMinuteMs, kHourMs,         25 * kHourMs};
    SetClock(now_ + kJumps[Random(std::size(kJumps))]);
  } else {
    Pass(static_cast<int64_t>(Random(OneIn(3) ? 5000 : 300)));
  }
  Note("clock " + std::to_string(now_.ms - before) + " -> " + FormatRfc3339(now_));
  engine_->Tick(now_, mono_);
}

void World::StoreStep() {
  if (at_store_.empty()) return;
  const bool broken = OneIn(60);
  if (broken) disk_->FailCommit(1 + static_cast<int>(Random(2)), OneIn(2));
  std::vector<Op> group;
  const uint64_t size = 1 + Random(at_store_.size());
  std::vector<WallMs> ends;
  std::vector<DeadRange> ranges;
  for (uint64_t i = 0; i < size; ++i) {
    const Op& op = at_store_.front();
    ends.push_back(EndOf(op));
    if (const auto* replay = std::get_if<ReplayRangeOp>(&op.what)) ranges.push_back(replay->range);
    // Whether it is applied or not: nobody knows when the store fails.
    if (std::holds_alternative<RetainOp>(op.what)) {
      retained_before_ = std::max(retained_before_, ends.back());
    }
    stopwatches_.Given(op);
    streams_.Given(op);
    group.push_back(std::move(at_store_.front()));
    at_store_.pop_front();
  }
  std::vector<Completion> done;
  const Status status = store_->Apply(std::move(group), &done);
  NoteApplied(done, ends, ranges);
  stopwatches_.Applied(done, status.ok());
  streams_.Applied(done, status.ok());
  CheckStreams();
  Note("store applied " + std::to_string(done.size()) +
       (status.ok() ? "" : ", then failed: " + std::string(status.message())));
  if (status.ok()) {
    const Completion& last = done.back();
    if (last.kind == kOpKind<RetainOp> && !last.more) CheckForgotten(ends.back());
    if (OneIn(8)) Compact();
    std::move(done.begin(), done.end(), std::back_inserter(completed_));
    return;
  }
  engine_->StoreFailed();
  Pump();
  Crash();
}

void World::CompletionStep() {
  if (completed_.empty()) return;
  const size_t take = OneIn(2) ? completed_.size() : 1 + Random(completed_.size());
  std::vector<Completion> done(std::make_move_iterator(completed_.begin()),
                               std::make_move_iterator(completed_.begin() + take));
  completed_.erase(completed_.begin(), completed_.begin() + take);
  Note("completed " + std::to_string(done.size()));
  for (const Completion& completion : done) {
    oracle_.HandedBack(completion);
    stopwatches_.HandedBack(completion);
    streams_.HandedBack(completion);
  }
  engine_->Complete(std::move(done), now_);
  engine_->Tick(now_, mono_);
}

void World::DeliveryStep() {
  if (OneIn(2) && ReadStep()) return;
  if (flying_.empty()) return;
  auto flight = flying_.begin();
  std::advance(flight, Random(flying_.size()));
  if (OneIn(4)) return;  // hangs a little longer
  const TimerId id = flight->first;
  if (flight->second.looks_up) return EndLookup(id);
  Flying ended = std::move(flight->second);
  flying_.erase(flight);
  const Target target = targets_[ended.target.back() - '0'];
  const Outcome outcome = OutcomeOf(id, target, ended.started);
  const bool of_host = outcome.fault_scope == FaultScope::kHost;
  if (outcome.kind == OutcomeKind::kLocalFault && of_host) last_local_fault_ = now_;
  EndAttempt(id, std::move(ended), outcome);
}

Outcome World::OutcomeOf(TimerId id, Target target, WallMs started) {
  Outcome o;
  o.id = id;
  o.kind = OutcomeKind::kAnswered;
  o.started = started;
  switch (target) {
    case Target::kHealthy:
      o.status = 200;
      break;
    case Target::kFailing:
      o.kind = OneIn(2) ? OutcomeKind::kTimeout : OutcomeKind::kFailed;
      o.error = "refused";
      break;
    case Target::kGone:
      o.status = 410;
      break;
    case Target::kLimited:
      o.status = 429;
      o.retry_after_ms = 20'000;
      break;
    case Target::kBroken:
      o.status = OneIn(2) ? 500 : 503;
      break;
    case Target::kForbidden:
      o.kind = OutcomeKind::kForbidden;
      break;
    default:
      o.kind = OneIn(4) ? OutcomeKind::kInterrupted : OutcomeKind::kLocalFault;
      o.fault_scope = OneIn(2) ? FaultScope::kTarget : FaultScope::kHost;
  }
  return o;
}

// kill -9, or the power: what was not synced is gone, and so is all memory.
void World::Crash() {
  Note("crash");
  oracle_.Crashed();
  disk_->Crash();
  at_store_.clear();
  completed_.clear();
  flying_.clear();
  unsent_.clear();
  waiting_.clear();
  stopwatches_.Crashed();
  streams_.Crashed();
  queries_.clear();
  read_.clear();
  if (OneIn(3)) Pass(static_cast<int64_t>(Random(20'000)));
  if (clock_wrong_ms_ == 0 && OneIn(8)) {
    clock_wrong_ms_ = OneIn(2) ? -2 * kDayMs : 401 * kDayMs;
    SetClock(now_ + clock_wrong_ms_);
  }
  Open();
}

template <typename T>
T World::Read(const Query& query) {
  QueryResult result = store_->Run(query);
  if (result.status.ok()) return std::get<T>(std::move(result.what));
  oracle_.Fail("a read failed: " + result.status.message());
  return {};
}

void World::Open() {
  engine_.reset();
  on_time_started_ = {};
  store_.reset();
  auto kv = std::make_unique<MemoryKv>(disk_);
  kv_ = kv.get();
  auto opened = Ledger::Open(std::move(kv), "abcdefghij");
  if (!opened.ok()) return oracle_.Fail("the store does not open: " + opened.status().message());
  store_ = std::move(*opened);
  std::map<TimerId, Timer> stored;
  const StoreState& state = store_->opened();
  TimerId floor = 0;
  for (const auto& [tenant, last_id] : state.floors) floor = std::max(floor, last_id);
  ended_.erase(ended_.begin(), ended_.upper_bound(floor));
  // Looked at below, once it is known what a group whose outcome was unknown has done.
  if (OneIn(4) && !kv_->Compact().ok()) oracle_.Fail("a compaction failed");
  const auto states = StoredStates();
  for (const auto& [id, state] : states) {
    const auto found = Read<std::optional<TimerView>>({0, FindQuery{kLocalTenant, id, true}, {}});
    if (!found) return oracle_.Fail("I1: timer " + std::to_string(id) + " has no record");
    if (IsAlive(state)) {
      ended_.erase(id);
      NoteStored(*found->timer);
    } else {
      ended_[id] = found->timer->finished;
    }
    stored[id] = std::move(*found->timer);
  }
  CheckEnded();
  oracle_.Recovered(stored, floor);
  rules_.Forget();
  prompt_.clear();
  engine_ = std::make_unique<Engine>(
      EngineOptions{options_, StopwatchSim::EventsMax(seed_), streams_.Options()}, StartFrom(state),
      now_, mono_);
  timers_ = &engine_->timers();
  stopwatches_.Opened(engine_.get(), *store_);
  streams_.Opened(engine_.get(), *kv_);
  CheckStreams();
  stopping_ = false;
  last_local_fault_ = {};
  last_seen_ = state.last_seen;
  clock_sane_ = ClockBelievable();
  if (timers_->clock_sane() != clock_sane_) oracle_.Fail("the clock was misjudged at a start");
  engine_->Tick(now_, mono_);
  CheckCounts();
}

std::map<TimerId, TimerState> World::StoredStates() {
  std::map<TimerId, TimerState> states;
  TimerId after = 0;
  for (;;) {
    const auto page = Read<TimerPage>({0, ListQuery{kLocalTenant, after, 1000, {}}, {}});
    for (const TimerView& view : page.timers) states[view.id] = view.state;
    if (!page.next_after) return states;
    after = *page.next_after;
  }
}

bool World::Pump() {
  for (int round = 0;; ++round) {
    Ready ready = engine_->TakeReady();
    wake_at_ = ready.wake_at;
    for (Op& op : ready.ops) {
      NoteAsked(op);
      at_store_.push_back(std::move(op));
    }
    StartDeliveries(ready.deliveries);
    for (Query& query : ready.queries) queries_.push_back(std::move(query));
    for (const Reply& reply : ready.replies) CheckReply(reply);
    if (ready.replies.empty() && ready.deliveries.empty() && ready.ops.empty()) return round > 0;
  }
}

// --- the end -------------------------------------------------------------------------------------

void World::Drain() {
  const bool dead = OneIn(4);  // and then its timers have to give up
  // Some of the dead come back to targets that still fail.
  const int heal_at = OneIn(2) ? 0 : 40;
  if (heal_at > 0) ReplayRange();
  Pump();
  if (OneIn(2)) Crash();
  for (int round = 0; round < kDrainRounds && !oracle_.violation(); ++round) {
    if (round == heal_at) {
      std::fill(targets_.begin(), targets_.end(), dead ? Target::kFailing : Target::kHealthy);
    }
    if (clock_wrong_ms_ != 0) HealClock();
    if (!clock_sane_) AcceptClock();
    ResumeAll();
    while (!at_store_.empty() && !oracle_.violation()) StoreStep();
    while (!completed_.empty()) CompletionStep();
    FinishReads();
    Pump();
    const bool idle = flying_.empty();
    while (!flying_.empty()) DeliveryStep();
    engine_->Tick(now_, mono_);
    Pump();
    Check();
    CheckWake();
    const bool idle_store = engine_->unfinished_ops() == 0 && timers_->replays_done();
    if (oracle_.live().empty() && streams_.Deadlines().empty() && idle_store && flying_.empty())
      break;
    if (idle && at_store_.empty()) AdvanceToNextKey();
  }
  oracle_.Finished();
  if (!streams_.Deadlines().empty()) oracle_.Fail("L9: a deadline is never met");
  CheckOwed();
  CheckCounts();
  // A long list asks for its next page when it has one.
  const auto reading = [this] { return stopwatches_.waiting() || streams_.waiting(); };
  for (int page = 0; page < kPagesMax && reading(); ++page) Quieten();
  CheckStopwatches();
  if ((!waiting_.empty() || stopwatches_.waiting() || streams_.waiting()) && !oracle_.violation()) {
    oracle_.Fail("a client was never answered");
  }
}

// On to the next deadline there is, or by a little: a page may have to come in first.
void World::AdvanceToNextKey() { Pass(std::max(now_ + 60, NextDeadline().value_or(now_)) - now_); }

// --- checks --------------------------------------------------------------------------------------

void World::Check() {
  if (oracle_.violation()) return;
  const TimersInspector inspector(*timers_);
  // What is applied and not yet back is unfinished for the scheduler, and durable for the oracle.
  const auto live = LiveAndHandedBack();
  const auto parked = Parked();
  if (const auto wrong = inspector.Violation(live, parked)) oracle_.Fail(*wrong);
  if (const auto wrong = inspector.LotViolation(live, parked)) oracle_.Fail(*wrong);
  CheckHeld();
  if (const auto wrong = inspector.Violation(streams_.KnownDeadlines(), {}, kLeaseTenant)) {
    oracle_.Fail("a deadline: " + *wrong);
  }
  if (inspector.TooManyLapses()) oracle_.Fail("I8: more lapses under way than allowed");
  CheckTargets();
  const auto unsent = std::count_if(unsent_.begin(), unsent_.end(),
                                    [&](TimerId id) { return inspector.InFlight(id); });
  const size_t sent = timers_->in_flight() - static_cast<size_t>(unsent);
  if (sent > options_.max_in_flight + options_.max_unsettled) {
    oracle_.Fail("I5: " + std::to_string(sent) + " attempts are not settled");
  }
  // One timer each may overshoot: in the heap, staged in each lane, in flight, and of each page
  // that is read back.
  constexpr size_t kTimerBytesMax = 1200;
  constexpr size_t kOver = (4 + kUnparkLoadsMax) * kTimerBytesMax;
  if (timers_->window_bytes() > options_.window_bytes + kOver) {
    oracle_.Fail("I8: " + std::to_string(timers_->window_bytes()) + " bytes in a window of " +
                 std::to_string(options_.window_bytes));
  }
}

bool World::Quiet() const {
  return at_store_.empty() && completed_.empty() && queries_.empty() && read_.empty();
}

// What the loop relies on: when nothing else comes, wake_at is early enough for the next deadline;
// and it wakes only to do something, or the loop would spin.
void World::CheckWake() {
  constexpr int kTurns = 3;
  if (oracle_.violation()) return;
  bool progress = false;
  for (int turn = 0; turn < kTurns; ++turn) {
    engine_->Tick(now_, mono_);
    progress |= Pump();
  }
  if (!progress && wake_at_ && *wake_at_ <= now_) return oracle_.Fail("the loop spins");
  if (!progress) CheckNobodyIsHeldBack();
  const std::optional<WallMs> next = NextDeadline();
  if (!next || !Quiet() || !flying_.empty() || !clock_sane_) return;
  const WallMs latest =
      std::max({*next, now_ + kLoadIntervalMs, last_local_fault_ + kLocalFaultPauseMs});
  if (!wake_at_ || *wake_at_ > latest) {
    oracle_.Fail("I2: nothing wakes the loop for the deadline at " + FormatRfc3339(*next));
  }
}

void World::CheckCounts() {
  if (oracle_.violation()) return;
  std::map<TimerState, uint64_t> counted;
  const auto states = StoredStates();
  for (const auto& [id, state] : states) ++counted[state];
  for (const TimerState state :
       {TimerState::kPending, TimerState::kRetrying, TimerState::kDelivered, TimerState::kDead,
        TimerState::kCancelled}) {
    CountQuery query{kLocalTenant, {}};
    query.filter.state = state;
    if (Read<uint64_t>({0, query, {}}) != counted[state]) {
      return oracle_.Fail("the stored count of " + std::string(StateName(state)) + " is wrong");
    }
  }
}

void World::CheckSet(const Request& request, const Reply& reply) {
  const auto* set = std::get_if<SetReply>(&reply.what);
  if (set == nullptr) return;
  last_id_ = std::max(last_id_, set->id);
  Note("201 " + std::to_string(set->id));
  oracle_.SetAcknowledged(set->id, request.key, request.asked, latest_);
}

uint64_t World::Random(uint64_t below) { return random_() % below; }

void World::Note(const std::string& line) {
  if (verbose_) std::printf("%5d  %s\n", step_, line.c_str());
}

}  // namespace belfry::sim
