#include "scheduler/admission.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted.h"

namespace belfry {

Key Admission::FirstStaged() const {
  Key first = kKeyMax;
  for (const auto& [id, place] : staged_) first = std::min(first, place.key);
  return first;
}

std::optional<WallMs> Admission::NextUnblockAt() const {
  if (wakes_.empty()) return std::nullopt;
  return wakes_.first().wake_at;
}

// --- in and out ----------------------------------------------------------------------------------

void Admission::Stage(TimerPtr timer, size_t bytes, int64_t open_wait_ms, WallMs now) {
  if (Planted(Bug::kOpenWaitChargesAtOnce)) open_wait_ms = 0;
  Target& target = targets_.Use(TargetOf(*timer));
  Line& line = LineFor(target, timer->tenant);
  const Key key = KeyOf(*timer);
  CHECK(staged_.emplace(key.id, Place{&line, key}).second);
  staged_bytes_ += bytes;
  ++target.staged;
  const bool first_of_line = line.waiting.empty();
  WaitingLine::Place place{key, static_cast<uint32_t>(bytes), static_cast<uint32_t>(open_wait_ms),
                           std::move(timer)};
  target.charge_at = std::min(target.charge_at, place.charge_at());
  line.waiting.Add(std::move(place));
  if (first_of_line) target.behind.PushBack(line);
  Refresh(target, now);
}

const Timer* Admission::PeekNext() const {
  return CanStart() ? &turns_.front()->turns.front()->waiting.First() : nullptr;
}

bool Admission::CanStart() const {
  const size_t taken = Planted(Bug::kLookupTakesASlot) ? in_flight_ : slots_taken();
  return taken < max_in_flight_ && !turns_.empty();
}

Admission::Started Admission::Next(WallMs now) {
  if (!CanStart()) return {};
  Tenant& tenant = *turns_.front();
  Line& line = *tenant.turns.front();
  Target& target = *line.target;
  TakeTurn(line, false);
  WaitingLine::Place first = line.waiting.TakeFirst();
  staged_.erase(first.key.id);
  staged_bytes_ -= first.bytes;
  --target.staged;
  ++target.in_flight;
  ++in_flight_;
  target.tried = true;
  target.throttle.Started(now);
  target.breaker.Started(first.key.id);
  // Behind everybody else of its list, also when it still has a line in turn.
  if (tenant.in_turn) {
    turns_.Remove(tenant);
    turns_.PushBack(tenant);
  }
  if (line.waiting.empty()) DropLine(line);
  Refresh(target, now);
  return {std::move(first.timer), &target, first.bytes};
}

void Admission::BeginLookup(Target& target, WallMs now) {
  CHECK(target.lookups < target.in_flight);
  ++target.lookups;
  ++lookups_;
  Refresh(target, now);
}

void Admission::EndLookup(Target& target, WallMs now) {
  CHECK(target.lookups > 0);
  --target.lookups;
  --lookups_;
  if (!Planted(Bug::kLookupEndForgotten)) Refresh(target, now);
}

bool Admission::HasSlotFor(const Target& target) const {
  if (Planted(Bug::kConnectsWithoutASlot)) return true;
  return slots_taken() < max_in_flight_ && target.slots_taken() < target.throttle.limit();
}

void Admission::Ended(Target& target, const Outcome& outcome, WallMs now) {
  CHECK(target.in_flight > 0);
  --target.in_flight;
  --in_flight_;
  target.breaker.Ended(outcome, now);
  target.throttle.Ended(outcome, now);
  target.stats.Add(outcome, now);
  Settle(target, now);
}

TimerPtr Admission::Remove(TimerId id, WallMs now) {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  const Place place = found->second;
  staged_.erase(found);
  Target& target = *place.line->target;
  WaitingLine::Place taken = place.line->waiting.Take(place.key);
  staged_bytes_ -= taken.bytes;
  --target.staged;
  if (place.line->waiting.empty()) DropLine(*place.line);
  Settle(target, now);
  return std::move(taken.timer);
}

const Timer* Admission::Find(TimerId id) const {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  return found->second.line->waiting.Find(found->second.key);
}

void Admission::DropIf(const std::function<bool(const Timer&)>& drop, WallMs now) {
  TakeIf([&drop](const WaitingLine::Place& place) { return drop(*place.timer); }, now);
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
  const size_t before = taken->size();
  for (Target::Lines* lines : {&target.turns, &target.behind}) {
    Line* next = nullptr;
    for (Line* line = lines->front(); line != nullptr; line = next) {
      next = Target::Lines::After(*line);
      line->waiting.TakeIf(wanted, taken);
      if (line->waiting.empty()) DropLine(*line);
    }
  }
  for (size_t i = before; i < taken->size(); ++i) {
    staged_.erase((*taken)[i].key.id);
    staged_bytes_ -= (*taken)[i].bytes;
    --target.staged;
  }
}

// --- lines and turns -----------------------------------------------------------------------------

Line& Admission::LineFor(Target& target, TenantId tenant) {
  Line& home = target.home;
  if (home.tenant != nullptr && home.tenant->id == tenant) return home;
  if (target.lines_elsewhere > 0) {
    const auto found = lines_.find(LineKey{&target, tenant});
    if (found != lines_.end()) return *found->second;
  }
  Line* line = &home;
  if (home.tenant != nullptr) {
    auto fresh = std::make_unique<Line>();
    line = fresh.get();
    line->target = &target;
    lines_.emplace(LineKey{&target, tenant}, std::move(fresh));
    ++target.lines_elsewhere;
  }
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
  target.behind.Remove(line);
  Tenant* tenant = std::exchange(line.tenant, nullptr);
  if (&line != &target.home) {
    --target.lines_elsewhere;
    lines_.erase(LineKey{&target, tenant->id});
  }
  if (--tenant->lines == 0 && tenants_.size() > kTenantsKept) tenants_.erase(tenant->id);
}

void Admission::GiveTurn(Line& line) {
  Target& target = *line.target;
  Tenant& tenant = *line.tenant;
  target.behind.Remove(line);
  target.turns.PushBack(line);
  ++target.in_turn;
  line.in_turn = true;
  tenant.turns.PushBack(line);
  if (tenant.in_turn) return;
  tenant.in_turn = true;
  turns_.PushBack(tenant);
}

void Admission::TakeTurn(Line& line, bool to_front) {
  Target& target = *line.target;
  Tenant& tenant = *line.tenant;
  target.turns.Remove(line);
  --target.in_turn;
  line.in_turn = false;
  if (to_front) {
    target.behind.PushFront(line);
  } else {
    target.behind.PushBack(line);
  }
  tenant.turns.Remove(line);
  if (!tenant.turns.empty()) return;
  tenant.in_turn = false;
  turns_.Remove(tenant);
}

// --- targets -------------------------------------------------------------------------------------

// After whatever changed its room or its timers.
void Admission::Refresh(Target& target, WallMs now) {
  const size_t room = target.Room(now);
  while (target.in_turn > room) TakeTurn(*target.turns.back(), true);
  while (target.in_turn < room && !target.behind.empty()) GiveTurn(*target.behind.front());
  SetWake(target, room, now);
}

void Admission::SetWake(Target& target, size_t room, WallMs now) {
  WallMs at = Target::kNever;
  if (target.staged == 0) {
    target.charge_at = Target::kNever;
  } else if (room == 0) {
    const WallMs until = target.BlockedUntil(now);
    if (until > now && !Planted(Bug::kBlockedTargetForgotten)) at = until;
    const bool charges = !target.breaker.closed() && !Planted(Bug::kOpenWaitNeverCharges);
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
}

void Admission::CheckInvariants(WallMs now) const {
  CHECK(slots_taken() <= max_in_flight_);
  size_t in_flight = 0;
  size_t lookups = 0;
  size_t staged = 0;
  targets_.ForEach([&](const Target& target) {
    size_t of_lines = 0;
    size_t in_turn = 0;
    for (const Target::Lines* lines : {&target.turns, &target.behind}) {
      for (Line* line = lines->front(); line != nullptr; line = Target::Lines::After(*line)) {
        CHECK(!line->waiting.empty() && line->in_turn == (lines == &target.turns));
        CHECK(!line->in_turn || line->tenant->in_turn);
        of_lines += line->waiting.size();
        in_turn += line->in_turn ? 1 : 0;
      }
    }
    CHECK(target.staged == of_lines && target.in_turn == in_turn);
    CHECK(in_turn <= target.Room(now));
    CHECK(in_turn > 0 || of_lines == 0 || target.Room(now) == 0);
    CHECK(target.wake_place == kNoPlace || of_lines > 0);
    CHECK((target.idle_as == Target::Idle::kNo) == target.busy());
    CHECK(target.lookups <= target.in_flight);
    CHECK(target.lookups == 0 || target.Room(now) == 0);
    in_flight += target.in_flight;
    lookups += target.lookups;
    staged += target.staged;
  });
  CHECK(in_flight == in_flight_ && lookups == lookups_ && staged == staged_.size());
  CHECK(turns_.empty() || !turns_.front()->turns.empty());
}

}  // namespace belfry
