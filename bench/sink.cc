#include "bench/sink.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "bench/arrival_log.h"
#include "bench/json_line.h"
#include "bench/progress.h"
#include "bench/receiver.h"

namespace belfry {
namespace {

constexpr int64_t kLookMs = 200;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kSettleNs = 1000 * kNsPerMs;

unsigned long long Number(uint64_t value) { return value; }

double Ms(int64_t ns) { return static_cast<double>(ns) / kNsPerMs; }

// `pattern` as for printf.
[[gnu::format(printf, 1, 2)]] std::string Words(const char* pattern, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

}  // namespace

void BurstArrivals::Add(std::string_view target, int64_t arrived_wall_ns) {
  ++received_;
  if (burst_.expected == 0 || !targets_.emplace(target).second) return;
  const int64_t late_ns = arrived_wall_ns - burst_.due_ms * kNsPerMs;
  first_ns_ = different() == 1 ? late_ns : std::min(first_ns_, late_ns);
  last_ns_ = different() == 1 ? late_ns : std::max(last_ns_, late_ns);
  if (late_ns < 0) {
    ++early_;
  } else {
    late_ns_.Record(late_ns);
  }
}

uint64_t BurstArrivals::missing() const {
  return burst_.expected > different() ? burst_.expected - different() : 0;
}

std::string BurstArrivals::Text() const {
  std::string text = Words("%-12s%llu\n", "received", Number(received_));
  if (burst_.expected == 0) return text;
  text += Words("%-12s%llu of %llu, first %.3f ms, last %.3f ms after they were due\n", "arrived",
                Number(different()), Number(burst_.expected), Ms(first_ns_), Ms(last_ns_));
  text += Words("%-12sp50 %.3f ms  p99 %.3f ms  max %.3f ms\n", "lateness",
                Ms(late_ns_.Quantile(0.5)), Ms(late_ns_.Quantile(0.99)), Ms(late_ns_.max()));
  text += Words("%-12s%llu\n%-12s%llu\n%-12s%llu\n", "early", Number(early_), "duplicates",
                Number(duplicates()), "missing", Number(missing()));
  return text;
}

std::string BurstArrivals::Json() const {
  std::string text = Words("{\"received\":%llu", Number(received_));
  if (burst_.expected == 0) return text + "}\n";
  text +=
      Words(",\"expected\":%llu,\"arrived\":%llu,\"missing\":%llu,\"duplicates\":%llu",
            Number(burst_.expected), Number(different()), Number(missing()), Number(duplicates()));
  text += Words(",\"early\":%llu,\"first_ms\":%.3f,\"last_ms\":%.3f", Number(early_), Ms(first_ns_),
                Ms(last_ns_));
  text += Words(",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n", Ms(late_ns_.Quantile(0.5)),
                Ms(late_ns_.Quantile(0.99)), Ms(late_ns_.max()));
  return text;
}

std::string SinkResult::Text(bool with_counts) const {
  if (!with_counts) return arrivals.Text();
  const std::pair<const char*, uint64_t> lines[] = {
      {"timers", counts.timers()},         {"answered", counts.answered()},
      {"unanswered", counts.unanswered()}, {"duplicates", counts.duplicates()},
      {"unknown", counts.unknown()},       {"closed idle", closed_idle}};
  std::string text;
  for (const auto& [name, value] : lines) text += Words("%-12s%llu\n", name, Number(value));
  return text;
}

std::string SinkResult::Json(bool with_counts) const {
  if (!with_counts) return arrivals.Json();
  JsonLine line;
  line.Add("timers", counts.timers()).Add("answered", counts.answered());
  line.Add("unanswered", counts.unanswered()).Add("duplicates", counts.duplicates());
  line.Add("unknown", counts.unknown()).Add("closed_idle", closed_idle);
  return line.text() + "\n";
}

Result<SinkResult> RunSink(const SinkPlan& plan) {
  EventLoop loop;
  SinkResult result{BurstArrivals(plan.burst), {}, 0};
  BurstArrivals& arrivals = result.arrivals;
  ArrivalLog log;
  int64_t last_new_ns = 0;
  const auto on_request = [&](std::string_view target, int64_t arrived_wall_ns) {
    arrivals.Add(target, arrived_wall_ns);
    if (!plan.counts_path.empty()) result.counts.Add(target, true);
    if (!plan.arrivals_path.empty()) log.Add(target, arrived_wall_ns);
    last_new_ns = arrived_wall_ns;
  };
  const auto on_unanswered = [&](std::string_view target, int64_t) {
    if (!plan.counts_path.empty()) result.counts.Add(target, false);
  };
  Result<std::unique_ptr<Receiver>> receiver =
      Receiver::Listen(loop, plan.endpoint, on_request, {plan.close_idle_ms, on_unanswered});
  if (!receiver.ok()) return receiver.status();
  std::fprintf(stderr, "listening on %s\n", (*receiver)->address().c_str());

  Progress progress;
  uint64_t looked_ns = uv_hrtime();
  uint64_t looked_at = 0;
  LoopTimer look(loop, [&] {
    const uint64_t now_ns = uv_hrtime();
    const double seconds = static_cast<double>(now_ns - looked_ns) / 1e9;
    const uint64_t received = arrivals.received();
    const int64_t left_ms = plan.burst.expected == 0
                                ? -1
                                : plan.burst.due_ms + plan.burst.limit_ms - WallNs() / kNsPerMs;
    progress.Show(std::to_string(received) + " received",
                  static_cast<double>(received - looked_at) / seconds, left_ms, 0);
    looked_ns = now_ns;
    looked_at = received;
    if (plan.burst.expected == 0) return;
    const bool settled = arrivals.all_came() && WallNs() - last_new_ns > kSettleNs;
    if (settled || left_ms < 0) loop.Stop();
  });
  look.Start(kLookMs, kLookMs);
  StopSignals stop(loop, [&loop] { loop.Stop(); });
  loop.Run();
  result.closed_idle = (*receiver)->closed_idle();
  Status written;
  if (!plan.counts_path.empty()) written = result.counts.WriteTo(plan.counts_path);
  if (written.ok() && !plan.arrivals_path.empty()) written = log.WriteTo(plan.arrivals_path);
  if (!written.ok()) return written;
  return result;
}

}  // namespace belfry
