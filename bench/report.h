// report.h - what a run found, for a person, on stdout. One `name  figures` a line. Any thread.
#pragma once

#include "bench/ceiling.h"
#include "bench/disk_sync.h"
#include "bench/drain.h"
#include "bench/fire.h"
#include "bench/load.h"

namespace belfry {

void PrintLoad(const LoadPlan& plan, const LoadResult& result);
void PrintFire(const FirePlan& plan, const FireResult& result);
void PrintDrain(const DrainPlan& plan, const DrainResult& result);
void PrintCeiling(const CeilingPlan& plan, const CeilingResult& result);
void PrintSync(const std::string& directory, int64_t bytes, const SyncResult& result);

}  // namespace belfry
