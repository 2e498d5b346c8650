#include "bench/drain.h"

#include <algorithm>
#include <cstdio>

#include "bench/process_cpu.h"

namespace belfry {
namespace {

constexpr int64_t kLookMs = 100;
constexpr int64_t kNsPerMs = 1'000'000;

std::optional<FillOrder> OrderOf(const DrainPlan& plan) {
  if (plan.first_due_ms == 0) return std::nullopt;
  return FillOrder(plan.count, WallMs{plan.first_due_ms}, plan.spread_ms);
}

}  // namespace

Drain::Drain(EventLoop& loop, const DrainPlan& plan)
    : loop_(loop),
      plan_(plan),
      result_{Arrivals(plan.count, OrderOf(plan))},
      look_timer_(loop_, [this] { Look(); }),
      stop_(loop_, [this] { loop_.Stop(); }) {}

Result<DrainResult> Drain::Run() {
  const auto on_request = [this](std::string_view t, int64_t at_ns) { OnRequest(t, at_ns); };
  Result<std::unique_ptr<Receiver>> receiver = Receiver::Listen(loop_, plan_.receiver, on_request);
  if (!receiver.ok()) return receiver.status();
  std::fprintf(stderr, "listening on %s\n", (*receiver)->address().c_str());
  wait_from_ms_ = std::max(WallNs() / kNsPerMs, plan_.first_due_ms + plan_.spread_ms);
  look_ns_ = uv_hrtime();
  look_timer_.Start(kLookMs, kLookMs);
  loop_.Run();
  receiver->reset();
  return std::move(result_);
}

void Drain::OnRequest(std::string_view target, int64_t arrived_wall_ns) {
  Arrivals& arrivals = result_.arrivals;
  if (!arrivals.Add(target, arrived_wall_ns)) return;
  if (arrivals.arrived() == 1) cpu_before_us_ = OwnCpuMicros();
  if (arrivals.missing() == 0) result_.own_cpu_us = OwnCpuMicros() - cpu_before_us_;
}

void Drain::Look() {
  const Arrivals& arrivals = result_.arrivals;
  const uint64_t now_ns = uv_hrtime();
  const int64_t now_ms = WallNs() / kNsPerMs;
  const double per_second = static_cast<double>(arrivals.arrived() - look_count_) * 1e9 /
                            static_cast<double>(now_ns - look_ns_);
  look_ns_ = now_ns;
  look_count_ = arrivals.arrived();
  const auto left = static_cast<double>(arrivals.missing());
  const int64_t left_ms = per_second > 0 ? static_cast<int64_t>(left / per_second * 1e3) : -1;
  progress_.Show(std::to_string(arrivals.arrived()) + " arrived", per_second, left_ms,
                 arrivals.early() + arrivals.duplicates() + arrivals.unknown());
  const int64_t quiet_ms = now_ms - std::max(wait_from_ms_, arrivals.last_wall_ns() / kNsPerMs);
  if (quiet_ms > (left > 0 ? plan_.limit_ms : plan_.linger_ms)) loop_.Stop();
}

}  // namespace belfry
