#include "bench/arrivals.h"

#include <charconv>
#include <utility>

namespace belfry {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

}  // namespace

uint64_t TimerIdIn(std::string_view target) {
  const std::string_view digits = target.substr(target.rfind('/') + 1);
  uint64_t id = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  return end.ec == std::errc() && end.ptr == digits.data() + digits.size() ? id : 0;
}

Arrivals::Arrivals(uint64_t count, std::optional<FillOrder> order)
    : seen_(count + 1), order_(std::move(order)) {}

bool Arrivals::Add(std::string_view target, int64_t arrived_wall_ns) {
  const uint64_t id = TimerIdIn(target);
  if (id == 0 || id > count()) {
    ++unknown_;
    return false;
  }
  if (seen_[id]) {
    ++duplicates_;
    return false;
  }
  seen_[id] = true;
  if (arrived_++ == 0) first_wall_ns_ = arrived_wall_ns;
  last_wall_ns_ = arrived_wall_ns;
  if (!order_) return true;
  const int64_t late_ns = arrived_wall_ns - order_->DueOf(id).ms * kNsPerMs;
  if (late_ns < 0) {
    ++early_;
  } else {
    late_ns_.Record(late_ns);
  }
  return true;
}

}  // namespace belfry
