// fill_order.h - which of the timers that `fill` makes is due when. Pure; any thread.
//
// Ids are 1..count. Due times are spread evenly over slots of equal length, at most one slot a
// millisecond, in an order that has nothing to do with the ids. Within a slot ids ascend.
#pragma once

#include <cstdint>

#include "base/id.h"
#include "base/time.h"

namespace belfry {

constexpr uint64_t kFillCountMax = 1'000'000'000;

class FillOrder {
 public:
  // `count` > 0.
  FillOrder(uint64_t count, WallMs first_due, int64_t spread_ms);

  // In a slot are FirstIdIn(slot) and every slots()-th id after it.
  [[nodiscard]] uint64_t slots() const { return slots_; }
  [[nodiscard]] TimerId FirstIdIn(uint64_t slot) const { return Times(slot, factor_) + 1; }
  [[nodiscard]] WallMs DueIn(uint64_t slot) const;
  [[nodiscard]] WallMs DueOf(TimerId id) const { return DueIn(Times((id - 1) % slots_, inverse_)); }

 private:
  [[nodiscard]] uint64_t Times(uint64_t a, uint64_t b) const {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b % slots_);
  }
  uint64_t slots_;
  WallMs first_due_;
  int64_t spread_ms_;
  uint64_t factor_;
  uint64_t inverse_ = 0;
};

}  // namespace belfry
