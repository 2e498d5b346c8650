#include "scheduler/replays.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/planted.h"

namespace belfry {

Replays::Replays(const std::vector<uint64_t>& unfinished) {
  if (unfinished.empty()) return;
  last_number_ = unfinished.back();
  if (!Planted(Bug::kReplayNotResumed)) numbers_.assign(unfinished.begin(), unfinished.end());
}

bool Replays::full() const { return numbers_.size() >= kReplaysMax; }

uint64_t Replays::Accept() {
  numbers_.push_back(++last_number_);
  return last_number_;
}

std::optional<uint64_t> Replays::NextStep(WallMs now) {
  if (numbers_.empty() || outstanding_) return std::nullopt;
  // A clock that stepped back must not hold it off.
  if (now < next_step_ && next_step_ <= now + kReplayIntervalMs) return std::nullopt;
  outstanding_ = true;
  next_step_ = now + kReplayIntervalMs;
  return numbers_.front();
}

std::optional<WallMs> Replays::NextStepAt() const {
  if (numbers_.empty() || outstanding_) return std::nullopt;
  return next_step_;
}

void Replays::StepDone(bool more) {
  CHECK(outstanding_);
  outstanding_ = false;
  if (!more) numbers_.pop_front();
}

}  // namespace belfry
