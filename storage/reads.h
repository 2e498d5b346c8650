// reads.h - the reads that decide nothing, answered under one snapshot. Any thread; pure but for
// the engine, which outlives the call.
#pragma once

#include "base/query.h"
#include "storage/kv.h"

namespace belfry {

// Full views carry the record; those of a list carry it without its body, which no view shows.
// `query.firing` (sorted) overlays kFiring on what is alive. A page ends early when it grows past
// kPageBytesMax. A failed read or a damaged row is in `status`, nothing else is set then.
[[nodiscard]] QueryResult Answer(const Kv& kv, const Query& query);

// A short FindQuery, when what it needs is in memory: never waits for a disk or a lock that is held
// while one is waited for. nullopt: ask Answer, which also tells what is wrong.
[[nodiscard]] std::optional<QueryResult> AnswerFromMemory(const Kv& kv, const Query& query);

}  // namespace belfry
