#include "scheduler/stopwatch_feed.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/planted.h"

namespace belfry {

// --- changes -------------------------------------------------------------------------------------

void StopwatchFeed::Add(StopwatchEvent::Kind kind, Stopwatch stopwatch) {
  const uint64_t number = ++last_;
  const TenantId tenant = stopwatch.tenant;
  Name& name = Intern(stopwatch.name);
  Latest& latest = name.latest[tenant];
  const bool resets = kind == StopwatchEvent::Kind::kReset;
  if (const uint64_t followed = std::exchange(latest.reset, 0); followed != 0) {
    followed_.push_back(followed);
  }
  (resets ? latest.reset : latest.owning) = number;
  const Entry& entry =
      ring_.emplace_hint(ring_.end(), number, Entry{{number, kind, std::move(stopwatch)}, &name})
          ->second;
  for (const SubscriberId id : name.subscribers) Wake(id, entry);
  if (const auto own = by_owner_.find(tenant); own != by_owner_.end()) {
    for (const SubscriberId id : own->second) Wake(id, entry);
  }
  if (ring_.size() > events_max_) GiveUpOne();
}

void StopwatchFeed::GiveUpOne() {
  auto given_up = ring_.begin();
  if (followed_.empty()) {
    floor_ = given_up->first;
  } else if (Planted(Bug::kFeedForgetsTheLast)) {
    given_up = std::prev(ring_.end());
  } else {
    given_up = ring_.find(followed_.front());
    CHECK(given_up != ring_.end());
    followed_.pop_front();
  }
  const auto& [number, entry] = *given_up;
  Name& name = *entry.name;
  const auto latest = name.latest.find(entry.event.stopwatch.tenant);
  if (latest != name.latest.end()) {
    if (latest->second.reset == number) latest->second.reset = 0;
    if (latest->second.owning == number) latest->second.owning = 0;
    if (latest->second.reset == 0 && latest->second.owning == 0) name.latest.erase(latest);
  }
  ring_.erase(given_up);
  ForgetUnused(name);
}

StopwatchFeed::Name& StopwatchFeed::Intern(std::string_view text) {
  if (const auto found = names_.find(text); found != names_.end()) return *found->second;
  auto name = std::make_unique<Name>();
  name->text = text;
  Name& kept = *name;
  names_.emplace(kept.text, std::move(name));
  return kept;
}

void StopwatchFeed::ForgetUnused(const Name& name) {
  if (name.latest.empty() && name.subscribers.empty()) names_.erase(names_.find(name.text));
}

void StopwatchFeed::Wake(SubscriberId id, const Entry& entry) {
  Subscriber& subscriber = subscribers_.at(id);
  if (!subscriber.Wants(entry)) return;
  if (entry.event.stopwatch.tenant == subscriber.tenant) OwningChanged(subscriber, entry);
  if (std::exchange(subscriber.waiting, true)) return;
  subscriber.next = entry.event.number;
  woken_.push_back(id);
}

void StopwatchFeed::OwningChanged(Subscriber& subscriber, const Entry& entry) {
  if (entry.event.kind == StopwatchEvent::Kind::kReset) return;
  const bool gives_up = entry.event.kind == StopwatchEvent::Kind::kDeleted;
  if (gives_up && Planted(Bug::kFeedKeepsNameNotOwned)) return;
  for (Named& named : subscriber.names) {
    if (named.name != entry.name || named.until != kForEver) continue;
    if (gives_up) {
      named.until = entry.event.number;
      subscriber.complete_up_to = std::min(subscriber.complete_up_to, named.until);
    } else {
      // It subscribed too early: what it would hear of the name begins before this.
      subscriber.lost = true;
    }
  }
}

// --- subscribers ---------------------------------------------------------------------------------

bool StopwatchFeed::Subscriber::Wants(const Entry& entry) const {
  const bool mine = entry.event.stopwatch.tenant == tenant;
  if (mine && own) return true;
  for (const Named& named : names) {
    if (named.name != entry.name) continue;
    return mine ? entry.event.number <= named.until : named.until == kForEver;
  }
  return false;
}

bool StopwatchFeed::MayTell(SubscriberId id, const Stopwatch& row) const {
  const Subscriber& subscriber = subscribers_.at(id);
  return row.tenant == subscriber.tenant ||
         std::any_of(subscriber.names.begin(), subscriber.names.end(), [&](const Named& named) {
           return named.until == kForEver && named.name->text == row.name;
         });
}

bool StopwatchFeed::Subscriber::Ended() const {
  return !own && std::all_of(names.begin(), names.end(),
                             [](const Named& named) { return named.until != kForEver; });
}

bool StopwatchFeed::CanResume(const Wish& wish, uint64_t after) const {
  if (after > last_ || after < floor_) return false;
  if (Planted(Bug::kFeedResumesOverOwning)) return true;
  return std::all_of(wish.names.begin(), wish.names.end(), [&](const std::string& text) {
    const auto name = names_.find(text);
    if (name == names_.end()) return true;
    const auto latest = name->second->latest.find(wish.tenant);
    return latest == name->second->latest.end() || latest->second.owning <= after;
  });
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
  subscriber.names.reserve(wish.names.size());
  for (const std::string& text : wish.names) {
    Name& name = Intern(text);
    name.subscribers.insert(id);
    subscriber.names.push_back({&name});
  }
  if (wish.own) by_owner_[wish.tenant].insert(id);
  CHECK(subscribers_.emplace(id, std::move(subscriber)).second);
  return resumes || !after;
}

void StopwatchFeed::Unsubscribe(SubscriberId id) {
  const auto found = subscribers_.find(id);
  if (found == subscribers_.end()) return;
  const Subscriber subscriber = std::move(found->second);
  subscribers_.erase(found);
  for (const Named& named : subscriber.names) {
    named.name->subscribers.erase(id);
    ForgetUnused(*named.name);
  }
  const auto own = by_owner_.find(subscriber.tenant);
  if (own == by_owner_.end()) return;
  own->second.erase(id);
  if (own->second.empty()) by_owner_.erase(own);
}

// Most ask for the last one, or for what is behind it.
StopwatchFeed::Ring::const_iterator StopwatchFeed::From(uint64_t number) const {
  if (ring_.empty()) return ring_.end();
  const auto last = std::prev(ring_.end());
  if (number < last->first) return ring_.lower_bound(number);
  return number == last->first ? last : ring_.end();
}

StopwatchFeed::Taken StopwatchFeed::Take(SubscriberId id) {
  Subscriber& subscriber = subscribers_.at(id);
  if (subscriber.lost) return {Place::kLost};
  if (subscriber.waiting) {
    if (subscriber.next <= floor_) {
      if (!Planted(Bug::kFeedGapHidden)) return {Place::kLost};
      subscriber.next = floor_ + 1;
    }
    for (auto at = From(subscriber.next); at != ring_.end(); ++at) {
      if (!subscriber.Wants(at->second)) continue;
      subscriber.next = at->first + 1;
      return {Place::kEvent, &at->second.event, at->first <= subscriber.complete_up_to};
    }
    subscriber.waiting = false;
  }
  return {subscriber.Ended() ? Place::kEnded : Place::kNothing};
}

std::vector<StopwatchFeed::SubscriberId> StopwatchFeed::TakeWoken() {
  return std::exchange(woken_, {});
}

}  // namespace belfry
