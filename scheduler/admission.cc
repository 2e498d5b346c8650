#include "scheduler/admission.h"

#include <algorithm>

#include "base/check.h"

namespace belfry {

Key Admission::FirstStaged() const {
  Key first = kKeyMax;
  for (const auto& [id, place] : staged_) first = std::min(first, place.key);
  return first;
}

void Admission::Stage(TimerPtr timer) {
  const std::string name(TargetOf(*timer));
  auto& target = targets_[name];
  if (!target) target = std::make_unique<Target>();
  const Key key = KeyOf(*timer);
  staged_bytes_ += MemoryBytes(*timer);
  CHECK(staged_.emplace(key.id, Place{name, key}).second);
  target->waiting.emplace(key, std::move(timer));
  MakeRunnable(name, *target);
}

TimerPtr Admission::Next() {
  if (!CanStart()) return nullptr;
  const std::string name = std::move(runnable_.front());
  runnable_.pop_front();
  Target& target = *targets_.at(name);
  target.runnable = false;
  const auto first = target.waiting.begin();
  TimerPtr timer = std::move(first->second);
  target.waiting.erase(first);
  staged_.erase(timer->id);
  staged_bytes_ -= MemoryBytes(*timer);
  ++target.in_flight;
  ++in_flight_;
  MakeRunnable(name, target);
  return timer;
}

void Admission::Free(const std::string& name) {
  Target& target = *targets_.at(name);
  CHECK(target.in_flight > 0);
  --target.in_flight;
  --in_flight_;
  MakeRunnable(name, target);
  Forget(name);
}

TimerPtr Admission::Remove(TimerId id) {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  const Place place = std::move(found->second);
  staged_.erase(found);
  Target& target = *targets_.at(place.target);
  const auto waiting = target.waiting.find(place.key);
  TimerPtr timer = std::move(waiting->second);
  target.waiting.erase(waiting);
  staged_bytes_ -= MemoryBytes(*timer);
  if (target.waiting.empty() && target.runnable) {
    std::erase(runnable_, place.target);
    target.runnable = false;
  }
  Forget(place.target);
  return timer;
}

const Timer* Admission::Find(TimerId id) const {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  return targets_.at(found->second.target)->waiting.at(found->second.key).get();
}

void Admission::DropIf(const std::function<bool(const Timer&)>& drop) {
  std::vector<TimerId> dropped;
  for (const auto& [id, place] : staged_) {
    if (drop(*Find(id))) dropped.push_back(id);
  }
  for (const TimerId id : dropped) Remove(id);
}

std::vector<TimerPtr> Admission::TakeLaterThan(WallMs now) {
  std::vector<TimerId> later;
  for (const auto& [id, place] : staged_) {
    if (place.key.at > now) later.push_back(id);
  }
  std::vector<TimerPtr> taken;
  for (const TimerId id : later) taken.push_back(Remove(id));
  return taken;
}

void Admission::MakeRunnable(const std::string& name, Target& target) {
  if (target.runnable || target.waiting.empty() || target.in_flight >= per_target_in_flight_)
    return;
  target.runnable = true;
  runnable_.push_back(name);
}

void Admission::Forget(const std::string& name) {
  const auto found = targets_.find(name);
  const Target& target = *found->second;
  if (target.in_flight == 0 && target.waiting.empty()) targets_.erase(found);
}

}  // namespace belfry
