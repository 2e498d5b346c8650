// request_counts.h - how many requests came for each timer, and how many of them were answered. One
// thread.
//
// A timer is known by its id, the last part of the path of a request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/status.h"

namespace belfry {

class RequestCounts {
 public:
  void Add(std::string_view target, bool answered);

  [[nodiscard]] uint64_t timers() const { return by_id_.size(); }
  [[nodiscard]] uint64_t answered() const { return answered_; }
  [[nodiscard]] uint64_t unanswered() const { return unanswered_; }
  // Requests, answered or not, of a timer that had been answered before.
  [[nodiscard]] uint64_t duplicates() const { return duplicates_; }
  [[nodiscard]] uint64_t unknown() const { return unknown_; }  // name no timer

  // A line for each timer: id, answered, unanswered. An error when it cannot be written.
  [[nodiscard]] Status WriteTo(const std::string& path) const;

 private:
  struct Count {
    uint32_t answered = 0;
    uint32_t unanswered = 0;
  };

  std::unordered_map<uint64_t, Count> by_id_;
  uint64_t answered_ = 0;
  uint64_t unanswered_ = 0;
  uint64_t duplicates_ = 0;
  uint64_t unknown_ = 0;
};

}  // namespace belfry
