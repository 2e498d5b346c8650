// stopwatch.h - how long since: a name, whose it is, and when it was last started. Times are those
// of the stopwatch clock (scheduler/stopwatch_clock.h).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/planted.h"
#include "base/time.h"

namespace belfry {

struct Stopwatch {
  TenantId tenant = 0;
  std::string name;
  WallMs started_at;
  friend bool operator==(const Stopwatch&, const Stopwatch&) = default;
};

// An earlier run may have started it later than it is now: then nothing has elapsed yet.
[[nodiscard]] inline int64_t ElapsedMs(WallMs started_at, WallMs now) {
  if (Planted(Bug::kStopwatchNegative)) return now - started_at;
  return std::max<int64_t>(now - started_at, 0);
}

// Where a page of a StopwatchQuery ended.
struct StopwatchCursor {
  size_t part = 0;      // index into the names; behind them: the own ones
  TenantId tenant = 0;  // of this name, the owners up to this one are done
  std::string name;     // of the own ones, those up to this name are done
  friend bool operator==(const StopwatchCursor&, const StopwatchCursor&) = default;
};

// Everybody's stopwatches of `names`, each of which `tenant` has to own, and then, with `own`, all
// of the tenant's that are not among them.
struct StopwatchQuery {
  TenantId tenant = 0;
  std::vector<std::string> names;
  bool own = false;
  std::optional<StopwatchCursor> after;  // a further page. What is owned no more is passed over
  size_t rows_max = 0;                   // 0: says only whether all names are owned
};

struct StopwatchPage {
  bool owned = true;  // false: one of the names is not owned; nothing else is set
  std::vector<Stopwatch> rows;
  std::optional<StopwatchCursor> next;  // set when there may be more
};

}  // namespace belfry
