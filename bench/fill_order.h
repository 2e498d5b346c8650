// fill_order.h - which of the timers that `fill` makes is due when. Pure; any thread.
//
// Ids are 1..count. Due times are spread evenly, in an order that has nothing to do with the ids.
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

  [[nodiscard]] TimerId IdAt(uint64_t rank) const { return Times(rank, factor_) + 1; }
  [[nodiscard]] uint64_t RankOf(TimerId id) const { return Times(id - 1, inverse_); }
  [[nodiscard]] WallMs DueAt(uint64_t rank) const;
  [[nodiscard]] WallMs DueOf(TimerId id) const { return DueAt(RankOf(id)); }

 private:
  [[nodiscard]] uint64_t Times(uint64_t a, uint64_t b) const {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b % count_);
  }
  uint64_t count_;
  WallMs first_due_;
  int64_t spread_ms_;
  uint64_t factor_;
  uint64_t inverse_ = 0;
};

}  // namespace belfry
