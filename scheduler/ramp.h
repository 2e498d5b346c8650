// ramp.h - how many attempts the backlog may have under way: few at first, more while it goes well.
//
// Loop thread only; pure. Starts at kRampStart, doubles every kRampStepMs while less than 5 % of
// the attempts that ended in it failed, and halves otherwise. A backlog that did nothing for
// kRampForgetMs starts over.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace belfry {

class Ramp {
 public:
  explicit Ramp(size_t max);

  [[nodiscard]] size_t limit() const { return limit_; }
  void Started(WallMs now);
  void Ended(bool failed, WallMs now);

 private:
  void StartOver(WallMs now);

  const size_t max_;
  size_t limit_;
  WallMs step_began_;
  WallMs last_used_;
  uint32_t ended_ = 0;
  uint32_t failed_ = 0;
};

}  // namespace belfry
