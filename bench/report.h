// report.h - what a run found, for a person, on stdout. One `name  figures` a line. Any thread.
#pragma once

#include "bench/disk_sync.h"
#include "bench/fire.h"
#include "bench/load.h"

namespace belfry {

void PrintLoad(const LoadPlan& plan, const LoadResult& result);
void PrintFire(const FirePlan& plan, const FireResult& result);
void PrintSync(const std::string& directory, int64_t bytes, const SyncResult& result);

}  // namespace belfry
