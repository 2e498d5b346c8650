#include "scheduler/admission.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted.h"

namespace belfry {

Key Admission::FirstStaged() const {
  Key first = kKeyMax;
  for (const auto& [id, place] : staged_) first = std::min(first, place.key);
  return first;
}

std::optional<WallMs> Admission::NextUnblockAt() const {
  std::optional<WallMs> at;
  if (!wakes_.empty()) at = wakes_.first().wake_at;
  // Which is the time from which the backlog may have all slots.
  const bool waits_for_idle =
      slots_taken_ < max_in_flight_ && BacklogHasRoom(ramp_.limit()) && NextClassOf(Lane::kBacklog);
  if (waits_for_idle) at = at ? std::min(*at, on_time_until_) : on_time_until_;
  return at;
}

// --- whose turn it is ----------------------------------------------------------------------------

std::optional<size_t> Admission::NextClassOf(Lane lane) const {
  const bool slow_first = !slow_had_turn_[static_cast<size_t>(lane)];
  for (const bool prompt : {!slow_first, slow_first}) {
    const size_t turn_class = TurnClass(lane, prompt);
    if (turns_[turn_class].empty()) continue;
    if (prompt || SlowMayStart(lane)) return turn_class;
  }
  return std::nullopt;
}

bool Admission::SlowHaveSlots() const {
  return slow_taken_ < std::max<size_t>(1, max_in_flight_ / kSlowShare) ||
         Planted(Bug::kSlowTakeAllSlots);
}

bool Admission::SlowMayStart(Lane lane) const {
  if (!SlowHaveSlots()) return false;
  const size_t share = lane == Lane::kOnTime ? kSlowShare : kSlowShare * kBacklogShare;
  if (slow_bytes_ > 0 && slow_bytes_ >= flight_bytes_max_ / share) return false;
  if (lane == Lane::kOnTime) return true;
  return slow_late_taken_ < std::max<size_t>(1, ramp_.limit() / kSlowShare);
}

bool Admission::BacklogHasRoom(size_t limit) const {
  if (late_taken_ >= limit || late_taken_ + late_lookups_ >= kLateLookups * limit) return false;
  return late_bytes_ == 0 || late_bytes_ < flight_bytes_max_ / kBacklogShare;
}

bool Admission::BacklogMayStart(WallMs now) const {
  const size_t share = std::max<size_t>(1, max_in_flight_ / kBacklogShare);
  if (Planted(Bug::kBacklogTakesAllSlots)) return BacklogHasRoom(ramp_.limit());
  return BacklogHasRoom(now < on_time_until_ ? std::min(ramp_.limit(), share) : ramp_.limit());
}

std::optional<size_t> Admission::NextClass(WallMs now) const {
  const size_t taken = Planted(Bug::kLookupTakesASlot) ? in_flight_ : slots_taken_;
  if (taken >= max_in_flight_) return std::nullopt;
  const auto on_time = NextClassOf(Lane::kOnTime);
  if (on_time && on_time_in_row_ < kOnTimeInRowMax) return on_time;
  const auto late = BacklogMayStart(now) ? NextClassOf(Lane::kBacklog) : std::nullopt;
  return late ? late : on_time;
}

// --- in and out ----------------------------------------------------------------------------------

void Admission::Stage(TimerPtr timer, size_t bytes, int64_t open_wait_ms, Lane lane, WallMs now) {
  if (Planted(Bug::kOpenWaitChargesAtOnce)) open_wait_ms = 0;
  Target& target = targets_.Use(TargetOf(*timer));
  Line& line = LineFor(target, timer->tenant, lane);
  const Key key = KeyOf(*timer);
  CHECK(staged_.emplace(key.id, Place{&line, key}).second);
  staged_bytes_[static_cast<size_t>(lane)] += bytes;
  ++staged_in_[static_cast<size_t>(lane)];
  ++target.staged;
  if (lane == Lane::kBacklog) ++target.staged_late;
  target.staged_bytes[static_cast<size_t>(lane)] += bytes;
  const bool first_of_line = line.waiting.empty();
  WaitingLine::Place place{key, static_cast<uint32_t>(bytes), static_cast<uint32_t>(open_wait_ms),
                           std::move(timer)};
  target.charge_at = std::min(target.charge_at, place.charge_at());
  line.waiting.Add(std::move(place));
  if (first_of_line) target.behind[static_cast<size_t>(lane)].PushBack(line);
  Refresh(target, now);
}

const Timer* Admission::PeekNext(WallMs now) const {
  const auto turn_class = NextClass(now);
  if (!turn_class) return nullptr;
  return &turns_[*turn_class].front()->lines.front()->waiting.First();
}

void Admission::Unstaged(Target& target, Lane lane, size_t bytes) {
  staged_bytes_[static_cast<size_t>(lane)] -= bytes;
  --staged_in_[static_cast<size_t>(lane)];
  --target.staged;
  if (lane == Lane::kBacklog) --target.staged_late;
  target.staged_bytes[static_cast<size_t>(lane)] -= bytes;
}

Admission::Started Admission::Next(WallMs now) {
  const auto turn_class = NextClass(now);
  if (!turn_class) return {};
  TenantTurns& turns = *turns_[*turn_class].front();
  Line& line = *turns.lines.front();
  Target& target = *line.target;
  TakeTurn(line, false);
  WaitingLine::Place first = line.waiting.TakeFirst();
  const Slot slot{&target, line.lane, target.prompt, first.bytes};
  staged_.erase(first.key.id);
  Unstaged(target, line.lane, first.bytes);
  Occupy(slot, now);
  target.throttle.Started(now);
  target.breaker.Started(first.key.id);
  // Behind everybody else of its list, also when it still has a line in turn.
  if (turns.in_turn) {
    turns_[*turn_class].Remove(turns);
    turns_[*turn_class].PushBack(turns);
  }
  if (line.waiting.empty()) DropLine(line);
  Refresh(target, now);
  return {std::move(first.timer), slot};
}

void Admission::Occupy(const Slot& slot, WallMs now) {
  ++in_flight_;
  ++slot.target->in_flight;
  slot.target->tried = true;
  CountSlot(slot, 1);
  if (!slot.prompt) slow_bytes_ += slot.bytes;
  slow_had_turn_[static_cast<size_t>(slot.lane)] = !slot.prompt;
  if (slot.lane == Lane::kBacklog) {
    ++slot.target->late_in_flight;
    late_bytes_ += slot.bytes;
    on_time_in_row_ = 0;
    ramp_.Started(now);
  } else {
    ++on_time_in_row_;
    on_time_until_ = now + kOnTimeIdleMs;
  }
}

void Admission::CountSlot(const Slot& slot, int change) {
  slots_taken_ += change;
  if (!slot.prompt) slow_taken_ += change;
  if (slot.lane == Lane::kOnTime) return;
  late_taken_ += change;
  if (!slot.prompt) slow_late_taken_ += change;
}

void Admission::BeginLookup(const Slot& slot, WallMs now) {
  CHECK(slot.target->lookups < slot.target->in_flight);
  ++slot.target->lookups;
  if (slot.lane == Lane::kBacklog) ++late_lookups_;
  CountSlot(slot, -1);
  Refresh(*slot.target, now);
}

void Admission::EndLookup(const Slot& slot, WallMs now) {
  CHECK(slot.target->lookups > 0);
  --slot.target->lookups;
  if (slot.lane == Lane::kBacklog) --late_lookups_;
  CountSlot(slot, 1);
  if (!Planted(Bug::kLookupEndForgotten)) Refresh(*slot.target, now);
}

bool Admission::HasSlotFor(const Slot& slot) const {
  if (Planted(Bug::kConnectsWithoutASlot)) return true;
  if (slots_taken_ >= max_in_flight_ || !(slot.prompt || SlowHaveSlots())) return false;
  const size_t late_max = std::max<size_t>(1, max_in_flight_ / kBacklogShare);
  if (slot.lane == Lane::kBacklog && late_taken_ >= late_max) return false;
  return slot.target->slots_taken() < slot.target->throttle.limit();
}

void Admission::Ended(const Slot& slot, const Outcome& outcome, WallMs now) {
  Target& target = *slot.target;
  CHECK(target.in_flight > 0);
  --target.in_flight;
  --in_flight_;
  CountSlot(slot, -1);
  if (!slot.prompt) slow_bytes_ -= slot.bytes;
  if (slot.lane == Lane::kBacklog) {
    --target.late_in_flight;
    late_bytes_ -= slot.bytes;
    const Health health = HealthOf(outcome);
    if (health != Health::kUnknown)
      ramp_.Ended(health == Health::kUnreachable || health == Health::kBad, now);
  }
  target.breaker.Ended(outcome, now);
  target.throttle.Ended(outcome, now);
  target.stats.Add(outcome, now);
  NotePromptness(target, outcome);
  Settle(target, now);
}

void Admission::NotePromptness(Target& target, const Outcome& outcome) {
  const Health health = HealthOf(outcome);
  if (health == Health::kUnknown) return;
  const bool prompt = health != Health::kUnreachable && outcome.duration_ms <= kPromptMs;
  if (target.prompt == prompt) return;
  target.prompt = prompt;
  // Refresh gives the turns back, among the others.
  for (Target::Lines& turns : target.turns) {
    while (!turns.empty()) TakeTurn(*turns.back(), true);
  }
}

void Admission::SetPaused(std::string_view name, bool paused, WallMs now) {
  Target& target = targets_.Use(name);
  if (target.paused && !paused) target.resumed_at = now;
  target.paused = paused;
  Settle(target, now);
}

void Admission::SetParked(std::string_view name, TargetNumber number, WallMs now) {
  Target& target = targets_.Use(name);
  target.parked_as = number;
  Settle(target, now);
}

TimerPtr Admission::Remove(TimerId id, WallMs now) {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  const Place place = found->second;
  staged_.erase(found);
  Target& target = *place.line->target;
  WaitingLine::Place taken = place.line->waiting.Take(place.key);
  Unstaged(target, place.line->lane, taken.bytes);
  if (place.line->waiting.empty()) DropLine(*place.line);
  Settle(target, now);
  return std::move(taken.timer);
}

const Timer* Admission::Find(TimerId id) const {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  return found->second.line->waiting.Find(found->second.key);
}

void Admission::DropIf(TenantId tenant, const std::function<bool(const Timer&)>& drop, WallMs now) {
  const auto known = tenants_.find(tenant);
  if (known == tenants_.end() || known->second->lines == 0) return;
  const auto wanted = [&](const WaitingLine::Place& place) {
    return place.timer->tenant == tenant && drop(*place.timer);
  };
  TakeIf(wanted, now);
}

std::vector<TimerPtr> Admission::TakeLaterThan(WallMs now) {
  return TakeIf([now](const WaitingLine::Place& place) { return place.key.at > now; }, now);
}

template <typename Wanted>
std::vector<TimerPtr> Admission::TakeIf(const Wanted& wanted, WallMs now) {
  std::vector<WaitingLine::Place> taken;
  std::vector<Target*> lost;
  targets_.ForEach([&](Target& target) {
    const size_t before = taken.size();
    TakeFrom(target, wanted, &taken);
    if (taken.size() > before) lost.push_back(&target);
  });
  for (Target* target : lost) Settle(*target, now);
  std::vector<TimerPtr> timers;
  for (WaitingLine::Place& place : taken) timers.push_back(std::move(place.timer));
  return timers;
}

template <typename Wanted>
void Admission::TakeFrom(Target& target, const Wanted& wanted,
                         std::vector<WaitingLine::Place>* taken) {
  TakeFromLane(target, Lane::kOnTime, wanted, taken);
  TakeFromLane(target, Lane::kBacklog, wanted, taken);
}

template <typename Wanted>
void Admission::TakeFromLane(Target& target, Lane lane, const Wanted& wanted,
                             std::vector<WaitingLine::Place>* taken) {
  const size_t before = taken->size();
  const auto index = static_cast<size_t>(lane);
  for (Target::Lines* lines : {&target.turns[index], &target.behind[index]}) {
    Line* next = nullptr;
    for (Line* line = lines->front(); line != nullptr; line = next) {
      next = Target::Lines::After(*line);
      line->waiting.TakeIf(wanted, taken);
      if (line->waiting.empty()) DropLine(*line);
    }
  }
  for (size_t i = before; i < taken->size(); ++i) {
    staged_.erase((*taken)[i].key.id);
    Unstaged(target, lane, (*taken)[i].bytes);
  }
}

std::vector<TimerPtr> Admission::TakeWithoutRoom(Lane lane,
                                                 const std::function<bool(const Target&)>& wanted,
                                                 WallMs now) {
  std::vector<WaitingLine::Place> taken;
  std::vector<Target*> lost;
  targets_.ForEach([&](Target& target) {
    const size_t late = target.staged_late;
    const size_t staged = lane == Lane::kBacklog ? late : target.staged - late;
    if (staged > 0 && wanted(target)) lost.push_back(&target);
  });
  for (Target* target : lost) {
    TakeFromLane(
        *target, lane, [](const WaitingLine::Place&) { return true; }, &taken);
    target->waits_on_disk = true;
    Settle(*target, now);
  }
  std::vector<TimerPtr> timers;
  for (WaitingLine::Place& place : taken) timers.push_back(std::move(place.timer));
  return timers;
}

Key Admission::DropWithoutRoom(const Key& before, WallMs now) {
  Key first = kKeyMax;
  std::vector<Target*> lost;
  targets_.ForEach([&](Target& target) {
    if (target.staged == target.staged_late || target.Room(now) > 0) return;
    lost.push_back(&target);
  });
  std::vector<WaitingLine::Place> taken;
  const auto is_before = [&](const WaitingLine::Place& place) { return place.key < before; };
  for (Target* target : lost) {
    TakeFromLane(*target, Lane::kOnTime, is_before, &taken);
    Settle(*target, now);
  }
  for (const WaitingLine::Place& place : taken) first = std::min(first, place.key);
  return first;
}

// --- lines and turns -----------------------------------------------------------------------------

Line& Admission::LineFor(Target& target, TenantId tenant, Lane lane) {
  Line& home = target.home;
  if (home.tenant != nullptr && home.tenant->id == tenant && home.lane == lane) return home;
  if (target.lines_elsewhere > 0) {
    const auto found = lines_.find(LineKey{&target, tenant, lane});
    if (found != lines_.end()) return *found->second;
  }
  Line* line = &home;
  if (home.tenant != nullptr) {
    auto fresh = std::make_unique<Line>();
    line = fresh.get();
    line->target = &target;
    lines_.emplace(LineKey{&target, tenant, lane}, std::move(fresh));
    ++target.lines_elsewhere;
  }
  line->lane = lane;
  line->tenant = &TenantFor(tenant);
  ++line->tenant->lines;
  return *line;
}

Tenant& Admission::TenantFor(TenantId id) {
  std::unique_ptr<Tenant>& tenant = tenants_[id];
  if (!tenant) {
    tenant = std::make_unique<Tenant>();
    tenant->id = id;
  }
  return *tenant;
}

// The last timer has left it: it leaves its list, and its place to who comes next.
void Admission::DropLine(Line& line) {
  Target& target = *line.target;
  if (line.in_turn) TakeTurn(line, false);
  target.behind[static_cast<size_t>(line.lane)].Remove(line);
  Tenant* tenant = std::exchange(line.tenant, nullptr);
  if (&line != &target.home) {
    --target.lines_elsewhere;
    lines_.erase(LineKey{&target, tenant->id, line.lane});
  }
  if (--tenant->lines == 0 && tenants_.size() > kTenantsKept) tenants_.erase(tenant->id);
}

void Admission::GiveTurn(Line& line) {
  Target& target = *line.target;
  const auto lane = static_cast<size_t>(line.lane);
  target.behind[lane].Remove(line);
  target.turns[lane].PushBack(line);
  ++target.in_turn;
  if (line.lane == Lane::kBacklog) ++target.late_in_turn;
  line.in_turn = true;
  line.turn_class = TurnClass(line.lane, target.prompt);
  TenantTurns& turns = line.tenant->turns[line.turn_class];
  turns.lines.PushBack(line);
  if (turns.in_turn) return;
  turns.in_turn = true;
  turns_[line.turn_class].PushBack(turns);
}

void Admission::TakeTurn(Line& line, bool to_front) {
  Target& target = *line.target;
  const auto lane = static_cast<size_t>(line.lane);
  target.turns[lane].Remove(line);
  --target.in_turn;
  if (line.lane == Lane::kBacklog) --target.late_in_turn;
  line.in_turn = false;
  if (to_front) {
    target.behind[lane].PushFront(line);
  } else {
    target.behind[lane].PushBack(line);
  }
  TenantTurns& turns = line.tenant->turns[line.turn_class];
  turns.lines.Remove(line);
  if (!turns.lines.empty()) return;
  turns.in_turn = false;
  turns_[line.turn_class].Remove(turns);
}

// --- targets -------------------------------------------------------------------------------------

// After whatever changed its room or its timers.
void Admission::Refresh(Target& target, WallMs now) {
  Target::Lines& on_time = target.behind[static_cast<size_t>(Lane::kOnTime)];
  Target::Lines& late = target.behind[static_cast<size_t>(Lane::kBacklog)];
  Target::Lines& late_turns = target.turns[static_cast<size_t>(Lane::kBacklog)];
  const size_t room = target.Room(now);
  while (target.in_turn > room) {
    Line* last = late_turns.back();
    TakeTurn(*(last ? last : target.turns[static_cast<size_t>(Lane::kOnTime)].back()), true);
  }
  const size_t late_room = target.LateRoom(room);
  while (target.late_in_turn > late_room) TakeTurn(*late_turns.back(), true);
  while (!on_time.empty() && (target.in_turn < room || !late_turns.empty())) {
    if (target.in_turn == room) TakeTurn(*late_turns.back(), true);
    GiveTurn(*on_time.front());
  }
  while (target.in_turn < room && target.late_in_turn < late_room && !late.empty()) {
    GiveTurn(*late.front());
  }
  if (room > 0) target.waits_on_disk = false;
  const bool wants = !target.paused && !target.waits_on_disk && target.staged < unpark_below_;
  if (target.parked_as != 0 && wants) roomy_.push_back(target.parked_as);
  CountHeld(target);
  SetWake(target, room, now);
}

void Admission::CountHeld(Target& target) {
  const bool held = target.paused || !target.breaker.closed();
  const uint32_t staged = held ? target.staged - target.staged_late : 0;
  const size_t bytes = held ? target.staged_bytes[static_cast<size_t>(Lane::kOnTime)] : 0;
  staged_held_ -= std::exchange(target.held, staged);
  staged_held_ += staged;
  staged_held_bytes_ -= std::exchange(target.held_bytes, bytes);
  staged_held_bytes_ += bytes;
}

void Admission::SetWake(Target& target, size_t room, WallMs now) {
  WallMs at = Target::kNever;
  if (target.staged == 0) target.charge_at = Target::kNever;
  const bool waits = target.staged > 0 || (target.parked_as != 0 && target.waits_on_disk);
  if (waits && room == 0) {
    const WallMs until = target.BlockedUntil(now);
    if (until > now && !Planted(Bug::kBlockedTargetForgotten)) at = until;
    const bool held = target.paused && !Planted(Bug::kPausedAreCharged);
    const bool charges = !target.breaker.closed() && !held && !Planted(Bug::kOpenWaitNeverCharges);
    if (charges) at = std::min(at, target.charge_at);
  }
  if (at == Target::kNever) {
    wakes_.Remove(target);
  } else {
    wakes_.Set(target, at);
  }
}

void Admission::Settle(Target& target, WallMs now) {
  Refresh(target, now);
  if (!target.busy()) targets_.Idle(target, now);
}

void Admission::Advance(WallMs now, size_t charges_max, std::vector<Waited>* waited) {
  for (size_t looked = 0; looked < kTargetsPerTickMax; ++looked) {
    if (wakes_.empty() || wakes_.first().wake_at > now) return;
    Target& target = wakes_.first();
    Refresh(target, now);
    // Still there: only for those who have waited.
    if (target.wake_place == kNoPlace || target.wake_at > now) continue;
    if (charges_max == 0) return;
    charges_max -= TakeWaited(target, charges_max, now, waited);
  }
}

size_t Admission::TakeWaited(Target& target, size_t count_max, WallMs now,
                             std::vector<Waited>* waited) {
  std::vector<WaitingLine::Place> taken;
  WallMs next = Target::kNever;
  size_t count = 0;
  const auto long_enough = [&](const WaitingLine::Place& place) {
    if (count < count_max && place.charge_at() <= now) return ++count > 0;
    next = std::min(next, place.charge_at());
    return false;
  };
  TakeFrom(target, long_enough, &taken);
  // Those left over come behind the targets whose time has come meanwhile.
  target.charge_at = std::max(next, now);
  Settle(target, now);
  for (WaitingLine::Place& place : taken) waited->push_back({std::move(place.timer), place.bytes});
  return taken.size();
}

void Admission::ClockWentBack(WallMs now) {
  targets_.ForEach([&](Target& target) {
    target.breaker.ClockWentBack(now);
    target.throttle.ClockWentBack(now);
    target.stats.ClockWentBack();
    target.charge_at = std::min(target.charge_at, now);
    Refresh(target, now);
  });
  on_time_until_ = std::min(on_time_until_, now + kOnTimeIdleMs);
}

void Admission::CheckInvariants(WallMs now) const {
  CHECK(slots_taken_ <= max_in_flight_);
  CHECK(late_taken_ <= slots_taken_ && slow_taken_ <= slots_taken_);
  size_t in_flight = 0;
  size_t slots_taken = 0;
  size_t held = 0;
  std::array<size_t, kLanes> staged{};
  std::array<size_t, kLanes> bytes{};
  targets_.ForEach([&](const Target& target) {
    CheckLines(target, now);
    CHECK(target.wake_place == kNoPlace || target.staged > 0 || target.parked_as != 0);
    CHECK((target.idle_as == Target::Idle::kNo) == target.busy());
    CHECK(target.lookups <= target.in_flight);
    CHECK(target.lookups == 0 || target.Room(now) == 0);
    in_flight += target.in_flight;
    slots_taken += target.slots_taken();
    staged[static_cast<size_t>(Lane::kBacklog)] += target.staged_late;
    staged[static_cast<size_t>(Lane::kOnTime)] += target.staged - target.staged_late;
    held += target.held;
    for (size_t lane = 0; lane < kLanes; ++lane) bytes[lane] += target.staged_bytes[lane];
  });
  CHECK(held == staged_held_ && bytes == staged_bytes_);
  CHECK(in_flight == in_flight_ && slots_taken == slots_taken_ && staged == staged_in_);
  CHECK(staged_.size() == staged[0] + staged[1]);
  for (const auto& turns : turns_) CHECK(turns.empty() || !turns.front()->lines.empty());
}

void Admission::CheckLines(const Target& target, WallMs now) const {
  std::array<size_t, kLanes> waiting{};
  std::array<size_t, kLanes> in_turn{};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    for (const Target::Lines* lines : {&target.turns[lane], &target.behind[lane]}) {
      for (Line* line = lines->front(); line != nullptr; line = Target::Lines::After(*line)) {
        CHECK(!line->waiting.empty() && line->in_turn == (lines == &target.turns[lane]));
        CHECK(!line->in_turn || line->turn_class == TurnClass(line->lane, target.prompt));
        CHECK(!line->in_turn || line->tenant->turns[line->turn_class].in_turn);
        CHECK(static_cast<size_t>(line->lane) == lane);
        waiting[lane] += line->waiting.size();
        in_turn[lane] += line->in_turn ? 1 : 0;
      }
    }
  }
  constexpr auto kLate = static_cast<size_t>(Lane::kBacklog);
  constexpr auto kOnTime = static_cast<size_t>(Lane::kOnTime);
  CHECK(target.staged == waiting[kOnTime] + waiting[kLate] && target.staged_late == waiting[kLate]);
  CHECK(target.in_turn == in_turn[kOnTime] + in_turn[kLate] && target.in_turn <= target.Room(now));
  CHECK(in_turn[kLate] == target.late_in_turn);
  const size_t room = target.Room(now);
  const size_t may = target.behind[kOnTime].empty() ? target.LateRoom(room) : room;
  CHECK(target.in_turn > 0 || target.staged == 0 || may == 0);
  CHECK(in_turn[kLate] == 0 || target.behind[kOnTime].empty());
}

}  // namespace belfry
