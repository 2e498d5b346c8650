#include "scheduler/waiting_line.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace belfry {

void WaitingLine::Add(Place place) {
  CHECK(place.timer);
  ++timers_;
  if (places_.empty() || places_.back().key < place.key) {
    places_.push_back(std::move(place));
    return;
  }
  const size_t i = IndexOf(place.key);
  if (places_[i].key == place.key) {
    CHECK(!places_[i].timer);
    places_[i] = std::move(place);
  } else {
    places_.insert(places_.begin() + static_cast<int64_t>(i), std::move(place));
  }
}

WaitingLine::Place WaitingLine::TakeFirst() {
  CHECK(timers_ > 0);
  // The one after it is next, and was last touched when it was staged.
  if (first_ + 1 < places_.size()) __builtin_prefetch(places_[first_ + 1].timer.get());
  Place place = TakeAt(first_);
  Tidy();
  return place;
}

void WaitingLine::Shrink() {
  CHECK(timers_ == 0);
  if (places_.capacity() > kPlacesKept) std::vector<Place>().swap(places_);
}

WaitingLine::Place WaitingLine::Take(const Key& key) {
  const size_t i = IndexOf(key);
  if (i == places_.size() || places_[i].key != key || !places_[i].timer) return {};
  Place place = TakeAt(i);
  Tidy();
  return place;
}

const Timer* WaitingLine::Find(const Key& key) const {
  const size_t i = IndexOf(key);
  return i == places_.size() || places_[i].key != key ? nullptr : places_[i].timer.get();
}

// Of the first place whose key is not before `key`.
size_t WaitingLine::IndexOf(const Key& key) const {
  const auto place =
      std::lower_bound(places_.begin() + static_cast<int64_t>(first_), places_.end(), key,
                       [](const Place& p, const Key& wanted) { return p.key < wanted; });
  return static_cast<size_t>(place - places_.begin());
}

WaitingLine::Place WaitingLine::TakeAt(size_t i) {
  --timers_;
  return std::exchange(places_[i], Place{places_[i].key, 0, 0, nullptr});
}

void WaitingLine::Tidy() {
  if (timers_ == 0) {
    // A target that goes on keeps a little; a burst that is over keeps nothing.
    places_.clear();
    if (places_.capacity() > 2 * kHolesMin) places_.shrink_to_fit();
    first_ = 0;
    return;
  }
  while (!places_[first_].timer) ++first_;
  if (places_.size() - timers_ <= timers_ + kHolesMin) return;
  std::erase_if(places_, [](const Place& place) { return !place.timer; });
  first_ = 0;
}

}  // namespace belfry
