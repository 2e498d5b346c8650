// arrival_log.h - when each request came, one line each. One thread; in memory until it is written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace belfry {

class ArrivalLog {
 public:
  // `arrived_wall_ns`: UTC, since 1970.
  void Add(std::string_view target, int64_t arrived_wall_ns);

  // A line for each request in the order they came: the time, a space, the target. An error when it
  // cannot be written.
  [[nodiscard]] Status WriteTo(const std::string& path) const;

 private:
  std::string lines_;
};

}  // namespace belfry
