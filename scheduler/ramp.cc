#include "scheduler/ramp.h"

#include <algorithm>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr uint32_t kFailedOneIn = 20;

}  // namespace

Ramp::Ramp(size_t max) : max_(max), limit_(std::min(max, kRampStart)) {}

void Ramp::StartOver(WallMs now) {
  limit_ = std::min(max_, kRampStart);
  step_began_ = now;
  ended_ = 0;
  failed_ = 0;
}

void Ramp::Started(WallMs now) {
  // A clock that stepped back starts over as well.
  if (now < last_used_ || now - last_used_ >= kRampForgetMs) StartOver(now);
  last_used_ = now;
}

void Ramp::Ended(bool failed, WallMs now) {
  if (now < last_used_) StartOver(now);
  last_used_ = now;
  ++ended_;
  if (failed) ++failed_;
  if (now - step_began_ < kRampStepMs) return;
  const bool well = failed_ * kFailedOneIn < ended_;
  limit_ = well ? std::min(max_, limit_ * 2) : std::max(std::min(max_, kRampStart), limit_ / 2);
  step_began_ = now;
  ended_ = 0;
  failed_ = 0;
}

}  // namespace belfry
