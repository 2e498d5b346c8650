#include "scheduler/target_table.h"

#include "base/check.h"
#include "base/planted.h"

namespace belfry {
namespace {

constexpr size_t kHealthyShare = 4;  // one that is known to be prompt starts before those that hang

}  // namespace

Target& TargetTable::Use(std::string_view name) {
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) {
    Target& target = *found->second;
    if (target.idle_as != Target::Idle::kNo) LeaveIdle(target);
    return target;
  }
  auto fresh = std::make_unique<Target>(name, options_);
  Target& target = *fresh;
  by_name_.emplace(target.name, std::move(fresh));
  in_order_.emplace(target.name, &target);
  return target;
}

void TargetTable::Idle(Target& target, WallMs now) {
  CHECK(!target.busy() && target.idle_as == Target::Idle::kNo);
  const bool troubled = target.Troubled(now);
  const bool worth_it = troubled ? !Planted(Bug::kOpenTargetNotKept) : target.tried;
  if (!worth_it) return Forget(target);
  target.home.waiting.Shrink();
  target.idle_as = troubled ? Target::Idle::kTroubled : Target::Idle::kHealthy;
  (troubled ? troubled_ : healthy_).PushBack(target);
  if (!troubled) ++idle_healthy_;
  if (++idle_ <= kept_) return;
  const bool spare = idle_healthy_ > kept_ / kHealthyShare || troubled_.empty();
  Target& oldest = spare ? *healthy_.front() : *troubled_.front();
  LeaveIdle(oldest);
  Forget(oldest);
}

void TargetTable::LeaveIdle(Target& target) {
  (target.idle_as == Target::Idle::kTroubled ? troubled_ : healthy_).Remove(target);
  if (target.idle_as == Target::Idle::kHealthy) --idle_healthy_;
  target.idle_as = Target::Idle::kNo;
  --idle_;
}

TargetPage TargetTable::Page(std::string_view after, size_t limit, WallMs now) const {
  TargetPage page;
  auto next = in_order_.upper_bound(after);
  for (; next != in_order_.end() && page.targets.size() < limit; ++next) {
    page.targets.push_back(ViewOf(*next->second, now));
  }
  page.more = next != in_order_.end();
  return page;
}

void TargetTable::Forget(Target& target) {
  CHECK(target.wake_place == kNoPlace);
  in_order_.erase(target.name);
  by_name_.erase(target.name);
}

}  // namespace belfry
