// waiting_line.h - the staged timers of one target, earliest key first.
//
// Loop thread only. Owns the timers in it. They nearly always come in key order and leave from the
// front, so this is a sorted vector: at both ends nothing is moved and, mostly, nothing allocated.
// Who leaves from the middle leaves a hole.
// Invariants: (1) Keys rise. (2) The first place is no hole. (3) There are never more holes, those
// in front included, than timers and kHolesMin together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/id.h"
#include "base/timer.h"

namespace belfry {

class WaitingLine {
 public:
  struct Place {
    Key key;
    uint32_t bytes = 0;         // what the timer counts as
    uint32_t open_wait_ms = 0;  // from key.at on, see OpenWaitMs
    TimerPtr timer;             // null: a hole

    [[nodiscard]] WallMs charge_at() const { return key.at + open_wait_ms; }
  };
  static constexpr size_t kHolesMin = 32;
  static constexpr size_t kPlacesKept = 4;

  [[nodiscard]] bool empty() const { return timers_ == 0; }
  [[nodiscard]] size_t size() const { return timers_; }
  // Places in memory, for tests.
  [[nodiscard]] size_t places() const { return places_.capacity(); }

  // No timer with this key is here.
  void Add(Place place);
  // Both: the line is not empty. Borrowed until the next change.
  [[nodiscard]] const Timer& First() const { return *places_[first_].timer; }
  Place TakeFirst();
  // Gives up the room for more than kPlacesKept. The line is empty.
  void Shrink();
  // Null timer when no timer with this key is here.
  Place Take(const Key& key);
  // Borrowed until the next change; null when it is not here.
  [[nodiscard]] const Timer* Find(const Key& key) const;
  // Takes out all that `wanted(const Place&)` names, in key order, into `out`.
  template <typename Wanted>
  void TakeIf(const Wanted& wanted, std::vector<Place>* out) {
    for (size_t i = first_; i < places_.size(); ++i) {
      if (places_[i].timer && wanted(static_cast<const Place&>(places_[i]))) {
        out->push_back(TakeAt(i));
      }
    }
    Tidy();
  }

 private:
  [[nodiscard]] size_t IndexOf(const Key& key) const;
  [[nodiscard]] Place TakeAt(size_t i);
  void Tidy();

  std::vector<Place> places_;  // in use from first_ on
  size_t first_ = 0;
  size_t timers_ = 0;
};

}  // namespace belfry
