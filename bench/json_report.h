// json_report.h - what a run found, for a program, on stdout: one JSON object a run, the figures of
// report.h with their units in the names. Any thread.
#pragma once

#include "bench/ceiling.h"
#include "bench/disk_sync.h"
#include "bench/drain.h"
#include "bench/fire.h"
#include "bench/load.h"

namespace belfry {

void PrintLoadJson(const LoadPlan& plan, const LoadResult& result);
void PrintFireJson(const FirePlan& plan, const FireResult& result);
void PrintDrainJson(const DrainPlan& plan, const DrainResult& result);
void PrintCeilingJson(const CeilingPlan& plan, const CeilingResult& result);
void PrintSyncJson(const SyncResult& result);

}  // namespace belfry
