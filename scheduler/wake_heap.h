// wake_heap.h - who is to be looked at, and when: a binary min-heap whose elements know their
// place.
//
// Loop thread only. Borrows its elements, which have the members `WallMs wake_at` and `size_t
// wake_place = kNoPlace`; both are this class's to change.
// Invariants: (1) heap_[e->wake_place] == e for all in it, and kNoPlace for all others. (2) Nobody
// is to be looked at before its parent.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "base/time.h"

namespace belfry {

constexpr size_t kNoPlace = std::numeric_limits<size_t>::max();

template <typename T>
class WakeHeap {
 public:
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  // The one to be looked at first. Not empty.
  [[nodiscard]] T& first() const { return *heap_.front(); }

  // Puts it in, or moves it to its new time.
  void Set(T& element, WallMs at) {
    if (element.wake_place == kNoPlace) {
      element.wake_place = heap_.size();
      heap_.push_back(&element);
    } else if (element.wake_at == at) {
      return;
    }
    element.wake_at = at;
    Sift(element.wake_place);
  }

  void Remove(T& element) {
    if (element.wake_place == kNoPlace) return;
    const size_t place = element.wake_place;
    T* last = heap_.back();
    heap_.pop_back();
    element.wake_place = kNoPlace;
    if (last == &element) return;
    Put(place, last);
    Sift(place);
  }

 private:
  void Put(size_t place, T* element) {
    heap_[place] = element;
    element->wake_place = place;
  }

  // Moves whom stands at `place` up or down to where it belongs.
  void Sift(size_t place) {
    T* element = heap_[place];
    while (place > 0 && element->wake_at < heap_[(place - 1) / 2]->wake_at) {
      Put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    for (;;) {
      size_t child = 2 * place + 1;
      if (child >= heap_.size()) break;
      const bool right = child + 1 < heap_.size();
      if (right && heap_[child + 1]->wake_at < heap_[child]->wake_at) ++child;
      if (element->wake_at <= heap_[child]->wake_at) break;
      Put(place, heap_[child]);
      place = child;
    }
    Put(place, element);
  }

  std::vector<T*> heap_;
};

}  // namespace belfry
