#include "bench/json_report.h"

#include "bench/json_line.h"

namespace belfry {
namespace {

double Ratio(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

void PrintLoadJson(const LoadPlan& plan, const LoadResult& result) {
  const auto answered = static_cast<double>(result.answered());
  std::map<std::string, uint64_t> by_status;
  for (const auto& [status, count] : result.by_status) by_status[std::to_string(status)] = count;
  JsonLine line;
  line.Add("connections", int64_t{plan.connections}).Add("pipeline", int64_t{plan.pipeline});
  line.Add("intended_per_second", plan.rate).Add("seconds", result.seconds);
  line.Add("answered", result.answered()).Add("per_second", Ratio(answered, result.seconds));
  line.AddSpread("latency", result.latency_ns).Add("status", by_status);
  line.Add("broken", result.broken).Add("unsent", result.unsent).Add("errors", result.errors());
  line.Add("client_us", Ratio(static_cast<double>(result.own_cpu_us), answered));
  if (result.daemon_cpu_us) {
    line.Add("daemon_us", Ratio(static_cast<double>(*result.daemon_cpu_us), answered));
  }
  line.Print();
}

void PrintFireJson(const FirePlan& plan, const FireResult& result) {
  const auto arrived = static_cast<double>(result.arrived);
  JsonLine line;
  line.Add("count", plan.count).Add("spread_ms", plan.spread_ms);
  line.Add("set", result.set).Add("set_seconds", result.set_seconds);
  line.Add("not_set", result.not_set).Add("set_late", result.set_late);
  line.Add("arrived", result.arrived).Add("seconds", result.arriving_seconds);
  line.Add("per_second", Ratio(arrived, result.arriving_seconds));
  line.AddSpread("lateness", result.late_ns);
  line.Add("early", result.early).Add("duplicates", result.duplicates);
  line.Add("missing", result.missing()).Add("unknown", result.unknown);
  if (result.daemon_cpu_us) {
    line.Add("daemon_us", Ratio(static_cast<double>(*result.daemon_cpu_us),
                                static_cast<double>(result.arrived_then)));
  }
  line.Print();
}

void PrintDrainJson(const DrainPlan& plan, const DrainResult& result) {
  const Arrivals& arrivals = result.arrivals;
  const auto arrived = static_cast<double>(arrivals.arrived());
  JsonLine line;
  line.Add("count", plan.count).Add("arrived", arrivals.arrived());
  line.Add("seconds", result.seconds()).Add("per_second", Ratio(arrived, result.seconds()));
  line.Add("first_wall_ns", arrivals.first_wall_ns()).Add("last_wall_ns", arrivals.last_wall_ns());
  line.AddSpread("lateness", arrivals.late_ns());
  line.Add("early", arrivals.early()).Add("duplicates", arrivals.duplicates());
  line.Add("missing", arrivals.missing()).Add("unknown", arrivals.unknown());
  line.Add("client_us", Ratio(static_cast<double>(result.own_cpu_us), arrived));
  line.Print();
}

void PrintCeilingJson(const CeilingPlan& plan, const CeilingResult& result) {
  const auto answered = static_cast<double>(result.answered);
  JsonLine line;
  line.Add("in_flight", int64_t{plan.in_flight}).Add("answered", result.answered);
  line.Add("seconds", result.seconds).Add("per_second", Ratio(answered, result.seconds));
  line.Add("failed", result.failed).AddSpread("latency", result.latency_ns);
  line.Add("client_us", Ratio(static_cast<double>(result.own_cpu_us), answered));
  line.Print();
}

void PrintSyncJson(const SyncResult& result) {
  const auto count = static_cast<double>(result.latency_ns.count());
  JsonLine line;
  line.Add("syncs", result.latency_ns.count()).Add("seconds", result.seconds);
  line.Add("per_second", Ratio(count, result.seconds)).AddSpread("latency", result.latency_ns);
  line.Print();
}

}  // namespace belfry
