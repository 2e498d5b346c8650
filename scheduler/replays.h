// replays.h - replays of dead letters by range that were accepted and are not done: which step
// comes next, and when. One at a time, in the order in which they were accepted.
//
// Loop thread only. What is to be replayed, and how far it is, only the store knows; at most one
// step is outstanding.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/time.h"

namespace belfry {

class Replays {
 public:
  // The numbers that the opened store has, rising.
  explicit Replays(const std::vector<uint64_t>& unfinished);

  // kReplaysMax are accepted and not done: no further one.
  [[nodiscard]] bool full() const;
  [[nodiscard]] bool empty() const { return numbers_.empty(); }

  // The number of a new one, whose ReplayRangeOp is queued now.
  [[nodiscard]] uint64_t Accept();

  // The number whose step is to be queued now, if one is due; it is outstanding then.
  [[nodiscard]] std::optional<uint64_t> NextStep(WallMs now);
  // When there may be one; nullopt: not before something changes.
  [[nodiscard]] std::optional<WallMs> NextStepAt() const;
  // `more`: the range is not done.
  void StepDone(bool more);

 private:
  std::deque<uint64_t> numbers_;
  uint64_t last_number_ = 0;
  bool outstanding_ = false;
  WallMs next_step_;
};

}  // namespace belfry
