// target_stats.h - how a target did lately, for people: error rate, durations, last error.
//
// Loop thread only; pure, no allocation, sizeof is all it takes. Attempts that say nothing about
// the target (local faults, interruptions, forbidden addresses) are not counted; every other that
// was not answered 2xx failed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/delivery.h"
#include "base/time.h"
#include "scheduler/sliding_counts.h"

namespace belfry {

class TargetStats {
 public:
  void Add(const Outcome& outcome, WallMs now);
  void ClockWentBack() { *this = {}; }

  // Of the last five minutes.
  [[nodiscard]] Counts Recent(WallMs now) const { return recent_.Sum(now, kMinuteMs); }
  // The duration that `share` (0 to 1) of the attempts did not exceed, within 13 %. What is a
  // minute older counts half. nullopt: there were none lately.
  [[nodiscard]] std::optional<int64_t> DurationMs(double share, WallMs now) const;
  // "timeout", "status 503"; "" when nothing failed. Valid until the next Add.
  [[nodiscard]] std::string_view last_error() const { return {error_.data(), error_size_}; }

 private:
  static constexpr size_t kMinutes = 5;
  // Four to each power of two, up to 131 s and all above.
  static constexpr size_t kBuckets = 64;
  // An attempt counts so much, so that it can be halved five times before it is gone.
  static constexpr uint16_t kWeight = 32;

  [[nodiscard]] static size_t BucketOf(int64_t duration_ms);
  [[nodiscard]] static int64_t MiddleOf(size_t bucket);
  void Age(int minutes);
  void NoteError(std::string_view word);

  SlidingCounts<kMinutes> recent_;
  int64_t minute_ = 0;  // as of which durations_ is halved
  std::array<uint16_t, kBuckets> durations_{};
  std::array<char, 22> error_{};
  uint8_t error_size_ = 0;
};

}  // namespace belfry
