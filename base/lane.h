// lane.h - two ways to the sender, so that what is late never delays what is on time.
#pragma once

#include <cstddef>
#include <cstdint>

namespace belfry {

enum class Lane : uint8_t {
  kOnTime,   // due now
  kBacklog,  // due for longer than that: while the daemon was down, or its target was not to be had
};
constexpr size_t kLanes = 2;

}  // namespace belfry
