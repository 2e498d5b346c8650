// linked_list.h - a list that runs through its elements, so that any of them joins or leaves at
// once and nothing is allocated.
//
// Loop thread only. Borrows its elements. An element knows by itself whether it is in a list: one
// Link is for one list at a time.
#pragma once

#include <cstddef>

namespace belfry {

template <typename T>
struct Link {
  T* before = nullptr;
  T* after = nullptr;
};

template <typename T, Link<T> T::*kLink>
class LinkedList {
 public:
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] T* front() const { return first_; }  // null when empty
  [[nodiscard]] T* back() const { return last_; }
  [[nodiscard]] static T* After(const T& element) { return (element.*kLink).after; }

  void PushBack(T& element) {
    element.*kLink = {last_, nullptr};
    (last_ != nullptr ? (last_->*kLink).after : first_) = &element;
    last_ = &element;
  }
  void PushFront(T& element) {
    element.*kLink = {nullptr, first_};
    (first_ != nullptr ? (first_->*kLink).before : last_) = &element;
    first_ = &element;
  }
  // It is in this list.
  void Remove(T& element) {
    const Link<T> link = element.*kLink;
    (link.before != nullptr ? (link.before->*kLink).after : first_) = link.after;
    (link.after != nullptr ? (link.after->*kLink).before : last_) = link.before;
    element.*kLink = {};
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace belfry
