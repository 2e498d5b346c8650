#include "scheduler/stopwatch_feed.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted.h"

namespace belfry {

bool StopwatchFeed::Subscriber::Wants(const StopwatchEvent& event) const {
  const Stopwatch& changed = event.stopwatch;
  const bool mine = changed.tenant == tenant;
  if (mine && own) return true;
  for (const Named& named : names) {
    if (named.name != changed.name) continue;
    return mine ? event.number <= named.until : named.until == kForEver;
  }
  return false;
}

bool StopwatchFeed::Subscriber::Ended() const {
  return !own && std::all_of(names.begin(), names.end(),
                             [](const Named& named) { return named.until != kForEver; });
}

void StopwatchFeed::Add(StopwatchEvent::Kind kind, Stopwatch stopwatch) {
  events_.push_back({++last_, kind, std::move(stopwatch)});
  if (events_.size() > events_max_) events_.pop_front();
  const StopwatchEvent& event = events_.back();
  if (const auto named = by_name_.find(event.stopwatch.name); named != by_name_.end()) {
    for (const SubscriberId id : named->second) Wake(id, event);
  }
  if (const auto own = by_owner_.find(event.stopwatch.tenant); own != by_owner_.end()) {
    for (const SubscriberId id : own->second) Wake(id, event);
  }
}

void StopwatchFeed::Wake(SubscriberId id, const StopwatchEvent& event) {
  Subscriber& subscriber = subscribers_.at(id);
  if (!subscriber.Wants(event)) return;
  if (event.stopwatch.tenant == subscriber.tenant) OwningChanged(subscriber, event);
  if (std::exchange(subscriber.waiting, true)) return;
  subscriber.next = event.number;
  woken_.push_back(id);
}

void StopwatchFeed::OwningChanged(Subscriber& subscriber, const StopwatchEvent& event) {
  if (event.kind == StopwatchEvent::Kind::kReset) return;
  const bool gives_up = event.kind == StopwatchEvent::Kind::kDeleted;
  if (gives_up && Planted(Bug::kFeedKeepsNameNotOwned)) return;
  for (Named& named : subscriber.names) {
    if (named.name != event.stopwatch.name || named.until != kForEver) continue;
    if (gives_up) named.until = event.number;
    // It subscribed too early: what it would hear of the name begins before this.
    if (!gives_up) subscriber.lost = true;
  }
}

bool StopwatchFeed::CanResume(const Wish& wish, uint64_t after) const {
  if (after > last_ || after + 1 < First()) return false;
  for (auto event = events_.rbegin(); event != events_.rend() && event->number > after; ++event) {
    if (event->kind == StopwatchEvent::Kind::kReset) continue;
    if (event->stopwatch.tenant != wish.tenant || Planted(Bug::kFeedResumesOverOwning)) continue;
    const auto& names = wish.names;
    if (std::find(names.begin(), names.end(), event->stopwatch.name) != names.end()) return false;
  }
  return true;
}

bool StopwatchFeed::Subscribe(SubscriberId id, Wish wish, std::optional<uint64_t> after) {
  Subscriber subscriber;
  const bool resumes = after && CanResume(wish, *after);
  if (resumes && *after < last_) {
    subscriber.waiting = true;
    subscriber.next = *after + 1;
    woken_.push_back(id);
  }
  subscriber.tenant = wish.tenant;
  subscriber.own = wish.own;
  for (std::string& name : wish.names) {
    by_name_[name].insert(id);
    subscriber.names.push_back({std::move(name)});
  }
  if (wish.own) by_owner_[wish.tenant].insert(id);
  CHECK(subscribers_.emplace(id, std::move(subscriber)).second);
  return resumes || !after;
}

void StopwatchFeed::Unsubscribe(SubscriberId id) {
  const auto found = subscribers_.find(id);
  if (found == subscribers_.end()) return;
  const auto leave = [id](auto& index, const auto& key) {
    const auto at = index.find(key);
    if (at == index.end()) return;
    at->second.erase(id);
    if (at->second.empty()) index.erase(at);
  };
  for (const Named& named : found->second.names) leave(by_name_, named.name);
  leave(by_owner_, found->second.tenant);
  subscribers_.erase(found);
}

StopwatchFeed::Place StopwatchFeed::Take(SubscriberId id, const StopwatchEvent** event) {
  Subscriber& subscriber = subscribers_.at(id);
  if (subscriber.lost) return Place::kLost;
  if (!subscriber.waiting) return subscriber.Ended() ? Place::kEnded : Place::kNothing;
  if (subscriber.next < First()) {
    if (!Planted(Bug::kFeedGapHidden)) return Place::kLost;
    subscriber.next = First();
  }
  while (subscriber.next <= last_) {
    const StopwatchEvent& candidate = events_[subscriber.next++ - First()];
    if (!subscriber.Wants(candidate)) continue;
    *event = &candidate;
    return Place::kEvent;
  }
  subscriber.waiting = false;
  return subscriber.Ended() ? Place::kEnded : Place::kNothing;
}

uint64_t StopwatchFeed::CompleteUpTo(SubscriberId id) const {
  uint64_t least = kForEver;
  for (const Named& named : subscribers_.at(id).names) least = std::min(least, named.until);
  return least;
}

std::vector<StopwatchFeed::SubscriberId> StopwatchFeed::TakeWoken() {
  return std::exchange(woken_, {});
}

}  // namespace belfry
