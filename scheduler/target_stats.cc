#include "scheduler/target_stats.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>

#include "scheduler/breaker.h"

namespace belfry {
namespace {

constexpr int kHalvingsMax = 16;  // of 16 bits

}  // namespace

void TargetStats::Add(const Outcome& outcome, WallMs now) {
  if (HealthOf(outcome) == Health::kUnknown) return;
  const bool answered = outcome.kind == OutcomeKind::kAnswered;
  const bool failed = !answered || outcome.status < 200 || outcome.status > 299;
  recent_.Add(failed, now, kMinuteMs);
  if (const int64_t minute = now.ms / kMinuteMs; minute > minute_) {
    Age(static_cast<int>(std::min<int64_t>(minute - minute_, kHalvingsMax)));
    minute_ = minute;
  }
  uint16_t& count = durations_[BucketOf(outcome.duration_ms)];
  if (count > std::numeric_limits<uint16_t>::max() - kWeight) Age(1);
  count = static_cast<uint16_t>(count + kWeight);
  if (!failed) return;
  if (!answered) return NoteError(outcome.error);
  char word[] = "status ...........";
  const auto end = std::to_chars(word + 7, std::end(word) - 1, outcome.status).ptr;
  NoteError({word, static_cast<size_t>(end - word)});
}

std::optional<int64_t> TargetStats::DurationMs(double share, WallMs now) const {
  const int halvings =
      static_cast<int>(std::clamp<int64_t>(now.ms / kMinuteMs - minute_, 0, kHalvingsMax));
  uint64_t all = 0;
  for (const uint16_t count : durations_) all += count >> halvings;
  if (all == 0) return std::nullopt;
  const double wanted = share * static_cast<double>(all);
  uint64_t passed = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    passed += durations_[bucket] >> halvings;
    if (passed > 0 && static_cast<double>(passed) >= wanted) return MiddleOf(bucket);
  }
  return MiddleOf(kBuckets - 1);
}

// 0 to 3 have a bucket each; above, the two bits below the highest one tell four apart.
size_t TargetStats::BucketOf(int64_t duration_ms) {
  if (duration_ms < 4) return static_cast<size_t>(std::max<int64_t>(0, duration_ms));
  const auto ms = static_cast<uint64_t>(duration_ms);
  const int power = std::bit_width(ms) - 1;
  const size_t bucket = static_cast<size_t>(power - 1) * 4 + ((ms >> (power - 2)) & 3);
  return std::min(bucket, kBuckets - 1);
}

int64_t TargetStats::MiddleOf(size_t bucket) {
  if (bucket < 4) return static_cast<int64_t>(bucket);
  const size_t power = bucket / 4 + 1;
  const int64_t width = int64_t{1} << (power - 2);
  return (4 + static_cast<int64_t>(bucket % 4)) * width + width / 2;
}

void TargetStats::Age(int minutes) {
  for (uint16_t& count : durations_) count = static_cast<uint16_t>(count >> minutes);
}

void TargetStats::NoteError(std::string_view word) {
  error_size_ = static_cast<uint8_t>(std::min(word.size(), error_.size()));
  std::copy_n(word.begin(), error_size_, error_.begin());
}

}  // namespace belfry
