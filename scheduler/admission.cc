#include "scheduler/admission.h"

#include <algorithm>

#include "base/check.h"

namespace belfry {

Key Admission::FirstStaged() const {
  Key first = kKeyMax;
  for (const auto& [id, place] : staged_) first = std::min(first, place.key);
  return first;
}

void Admission::Stage(TimerPtr timer, size_t bytes) {
  const std::string_view name = TargetOf(*timer);
  auto found = targets_.find(name);
  if (found == targets_.end()) {
    auto fresh = std::make_unique<Target>(name);
    const std::string_view kept = fresh->name;
    found = targets_.emplace(kept, std::move(fresh)).first;
  }
  Target* target = found->second.get();
  const Key key = KeyOf(*timer);
  staged_bytes_ += bytes;
  CHECK(staged_.emplace(key.id, Place{target, key}).second);
  target->waiting.Add({key, bytes, std::move(timer)});
  MakeRunnable(target);
}

Admission::Started Admission::Next() {
  if (!CanStart()) return {};
  Target* target = runnable_.front();
  runnable_.pop_front();
  target->runnable = false;
  WaitingLine::Place first = target->waiting.TakeFirst();
  staged_.erase(first.key.id);
  staged_bytes_ -= first.bytes;
  ++target->in_flight;
  ++in_flight_;
  MakeRunnable(target);
  return {std::move(first.timer), target, first.bytes};
}

void Admission::Free(Target* target) {
  CHECK(target->in_flight > 0);
  --target->in_flight;
  --in_flight_;
  MakeRunnable(target);
  Forget(target);
}

TimerPtr Admission::Remove(TimerId id) {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  const Place place = found->second;
  staged_.erase(found);
  WaitingLine::Place taken = place.target->waiting.Take(place.key);
  staged_bytes_ -= taken.bytes;
  ForgetEmptied({place.target});
  return std::move(taken.timer);
}

// One pass over the turns, however many targets lost their last timer.
void Admission::ForgetEmptied(const std::vector<Target*>& targets) {
  bool turns_change = false;
  for (Target* target : targets) {
    if (!target->waiting.empty() || !target->runnable) continue;
    target->runnable = false;
    turns_change = true;
  }
  if (turns_change) {
    std::erase_if(runnable_, [](const Target* target) { return !target->runnable; });
  }
  for (Target* target : targets) Forget(target);
}

const Timer* Admission::Find(TimerId id) const {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  return found->second.target->waiting.Find(found->second.key);
}

void Admission::DropIf(const std::function<bool(const Timer&)>& drop) {
  TakeIf([&drop](const WaitingLine::Place& place) { return drop(*place.timer); });
}

std::vector<TimerPtr> Admission::TakeLaterThan(WallMs now) {
  return TakeIf([now](const WaitingLine::Place& place) { return place.key.at > now; });
}

template <typename Wanted>
std::vector<TimerPtr> Admission::TakeIf(const Wanted& wanted) {
  std::vector<WaitingLine::Place> taken;
  std::vector<Target*> lost;
  for (const auto& [name, target] : targets_) {
    const size_t before = taken.size();
    target->waiting.TakeIf(wanted, &taken);
    if (taken.size() > before) lost.push_back(target.get());
  }
  std::vector<TimerPtr> timers;
  for (WaitingLine::Place& place : taken) {
    staged_.erase(place.key.id);
    staged_bytes_ -= place.bytes;
    timers.push_back(std::move(place.timer));
  }
  ForgetEmptied(lost);
  return timers;
}

void Admission::MakeRunnable(Target* target) {
  if (target->runnable || target->waiting.empty() || target->in_flight >= per_target_in_flight_) {
    return;
  }
  target->runnable = true;
  runnable_.push_back(target);
}

void Admission::Forget(Target* target) {
  if (target->in_flight == 0 && target->waiting.empty()) targets_.erase(target->name);
}

}  // namespace belfry
