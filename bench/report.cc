#include "bench/report.h"

#include <cstdio>

#include "base/duration.h"

namespace belfry {
namespace {

unsigned long long Number(uint64_t value) { return value; }

double Ms(int64_t ns) { return static_cast<double>(ns) / 1e6; }

double PerSecond(uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

void PrintSpread(const char* name, const Histogram& ns) {
  if (ns.count() == 0) {
    std::printf("%-12snothing to measure\n", name);
    return;
  }
  std::printf("%-12sp50 %.3f ms  p99 %.3f ms  p99.9 %.3f ms  max %.3f ms\n", name,
              Ms(ns.Quantile(0.5)), Ms(ns.Quantile(0.99)), Ms(ns.Quantile(0.999)), Ms(ns.max()));
}

void PrintCounts(const char* name, const std::map<std::string, uint64_t>& counts) {
  for (const auto& [why, count] : counts) {
    std::printf("%-12s%llu: %s\n", name, Number(count), why.c_str());
  }
}

void PrintCpu(const LoadResult& result) {
  if (result.answered() == 0) return;
  const auto answers = static_cast<double>(result.answered());
  std::printf("%-12sdriver %.2f us/request", "cpu",
              static_cast<double>(result.own_cpu_us) / answers);
  if (result.daemon_cpu_us) {
    std::printf("  daemon %.2f us/request", static_cast<double>(*result.daemon_cpu_us) / answers);
  }
  std::printf("\n");
}

}  // namespace

void PrintLoad(const LoadPlan& plan, const LoadResult& result) {
  std::printf("%-12s%d connections, pipeline %d, ", "load", plan.connections, plan.pipeline);
  if (plan.rate > 0) std::printf("%.0f/s intended, ", plan.rate);
  std::printf("%.1f s after %s of warm-up\n", result.seconds,
              FormatDuration(plan.warmup_ms).c_str());
  std::printf("%-12s%llu, %.0f/s\n", "requests", Number(result.answered()),
              PerSecond(result.answered(), result.seconds));
  PrintSpread("latency", result.latency_ns);
  for (const auto& [status, count] : result.by_status) {
    std::printf("%-12s%d: %llu\n", "status", status, Number(count));
  }
  PrintCounts("broken", result.broken);
  if (result.unsent > 0) {
    std::printf("%-12s%llu: no connection was free at their time\n", "unsent",
                Number(result.unsent));
  }
  std::printf("%-12s%llu\n", "errors", Number(result.errors()));
  PrintCpu(result);
}

void PrintFire(const FirePlan& plan, const FireResult& result) {
  std::printf("%-12s%llu of %lld timers in %.2f s, %.0f/s, due over %s\n", "set",
              Number(result.set), static_cast<long long>(plan.count), result.set_seconds,
              PerSecond(result.set, result.set_seconds), FormatDuration(plan.spread_ms).c_str());
  PrintCounts("not set", result.not_set);
  std::printf("%-12s%llu webhooks, %.0f/s\n", "arrived", Number(result.arrived),
              PerSecond(result.arrived, result.arriving_seconds));
  PrintSpread("lateness", result.late_ns);
  if (result.set_late > 0) {
    std::printf(
        "%-12s%llu were due before they were acknowledged and are not in the lateness: "
        "raise --lead\n",
        "", Number(result.set_late));
  }
  std::printf("%-12s%llu\n%-12s%llu\n%-12s%llu\n", "early", Number(result.early), "duplicates",
              Number(result.duplicates), "missing", Number(result.missing()));
  if (result.unknown > 0) {
    std::printf("%-12s%llu webhooks of timers that were not acknowledged\n", "unknown",
                Number(result.unknown));
  }
  if (result.daemon_cpu_us && result.arrived_then > 0) {
    std::printf(
        "%-12sdaemon %.2f us/webhook, after all were set\n", "cpu",
        static_cast<double>(*result.daemon_cpu_us) / static_cast<double>(result.arrived_then));
  }
}

void PrintDrain(const DrainPlan& plan, const DrainResult& result) {
  const Arrivals& arrivals = result.arrivals;
  std::printf("%-12s%llu of %llu timers in %.2f s, %.0f/s\n", "arrived", Number(arrivals.arrived()),
              Number(plan.count), result.seconds(),
              PerSecond(arrivals.arrived(), result.seconds()));
  if (plan.first_due_ms != 0) PrintSpread("lateness", arrivals.late_ns());
  std::printf("%-12s%llu\n%-12s%llu\n%-12s%llu\n", "early", Number(arrivals.early()), "duplicates",
              Number(arrivals.duplicates()), "missing", Number(arrivals.missing()));
  if (arrivals.unknown() > 0) {
    std::printf("%-12s%llu requests that name no such timer\n", "unknown",
                Number(arrivals.unknown()));
  }
}

void PrintCeiling(const CeilingPlan& plan, const CeilingResult& result) {
  std::printf("%-12s%llu POSTs in %.2f s, %.0f/s, %d under way\n", "answered",
              Number(result.answered), result.seconds, PerSecond(result.answered, result.seconds),
              plan.in_flight);
  PrintCounts("failed", result.failed);
  PrintSpread("latency", result.latency_ns);
  if (result.answered > 0) {
    std::printf("%-12s%.2f us/POST\n", "cpu",
                static_cast<double>(result.own_cpu_us) / static_cast<double>(result.answered));
  }
}

void PrintSync(const std::string& directory, int64_t bytes, const SyncResult& result) {
  std::printf("%-12sappend of %lld B and fdatasync in %s\n", "sync", static_cast<long long>(bytes),
              directory.c_str());
  std::printf("%-12s%llu, %.0f/s\n", "syncs", Number(result.latency_ns.count()),
              PerSecond(result.latency_ns.count(), result.seconds));
  PrintSpread("latency", result.latency_ns);
}

}  // namespace belfry
