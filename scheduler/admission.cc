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
  std::string target;
  TimerPtr timer = TakeOut(id, &target);
  if (timer) ForgetEmptied({target});
  return timer;
}

TimerPtr Admission::TakeOut(TimerId id, std::string* target) {
  const auto found = staged_.find(id);
  if (found == staged_.end()) return nullptr;
  const Key key = found->second.key;
  *target = std::move(found->second.target);
  staged_.erase(found);
  auto& waiting = targets_.at(*target)->waiting;
  const auto place = waiting.find(key);
  TimerPtr timer = std::move(place->second);
  waiting.erase(place);
  staged_bytes_ -= MemoryBytes(*timer);
  return timer;
}

// One pass over the turns, however many targets lost their last timer.
void Admission::ForgetEmptied(const std::vector<std::string>& targets) {
  bool turns_change = false;
  for (const std::string& name : targets) {
    Target& target = *targets_.at(name);
    if (!target.waiting.empty() || !target.runnable) continue;
    target.runnable = false;
    turns_change = true;
  }
  if (turns_change) {
    std::erase_if(runnable_,
                  [this](const std::string& name) { return !targets_.at(name)->runnable; });
  }
  for (const std::string& name : targets) Forget(name);
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
  TakeAll(dropped);
}

std::vector<TimerPtr> Admission::TakeLaterThan(WallMs now) {
  std::vector<TimerId> later;
  for (const auto& [id, place] : staged_) {
    if (place.key.at > now) later.push_back(id);
  }
  return TakeAll(later);
}

std::vector<TimerPtr> Admission::TakeAll(const std::vector<TimerId>& ids) {
  std::vector<TimerPtr> taken;
  std::vector<std::string> targets;
  for (const TimerId id : ids) {
    taken.push_back(TakeOut(id, &targets.emplace_back()));
  }
  ForgetEmptied(targets);
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
  if (found == targets_.end()) return;
  const Target& target = *found->second;
  if (target.in_flight == 0 && target.waiting.empty()) targets_.erase(found);
}

}  // namespace belfry
