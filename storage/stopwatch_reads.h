// stopwatch_reads.h - lists of stopwatches: of one owner, and of one name.
//
// Any thread, as KvView is. Both are scans of exactly the rows that are asked for, so what they
// cost does not grow with the stopwatches of others.
#pragma once

#include "base/stopwatch.h"
#include "storage/kv.h"

namespace belfry {

// kCorruption: a row that does not parse.
[[nodiscard]] Result<StopwatchPage> ListStopwatches(const KvView& view,
                                                    const StopwatchQuery& query);

}  // namespace belfry
