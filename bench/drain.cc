#include "bench/drain.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "bench/process_cpu.h"

namespace belfry {
namespace {

constexpr int64_t kLookMs = 100;
constexpr int64_t kNsPerMs = 1'000'000;

// What follows the last slash; 0 when that is no number.
uint64_t IdIn(std::string_view target) {
  const std::string_view digits = target.substr(target.rfind('/') + 1);
  uint64_t id = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  return end.ec == std::errc() && end.ptr == digits.data() + digits.size() ? id : 0;
}

}  // namespace

Drain::Drain(EventLoop& loop, const DrainPlan& plan)
    : loop_(loop),
      plan_(plan),
      seen_(plan.count + 1),
      look_timer_(loop_, [this] { Look(); }),
      stop_(loop_, [this] { loop_.Stop(); }) {
  if (plan_.first_due_ms != 0) {
    order_.emplace(plan_.count, WallMs{plan_.first_due_ms}, plan_.spread_ms);
  }
}

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
  result_.missing = plan_.count - result_.arrived;
  return std::move(result_);
}

void Drain::OnRequest(std::string_view target, int64_t arrived_wall_ns) {
  const uint64_t id = IdIn(target);
  if (id == 0 || id > plan_.count) {
    ++result_.unknown;
    return;
  }
  if (seen_[id]) {
    ++result_.duplicates;
    return;
  }
  seen_[id] = true;
  if (result_.arrived++ == 0) {
    result_.first_wall_ns = arrived_wall_ns;
    cpu_before_us_ = OwnCpuMicros();
  }
  result_.last_wall_ns = arrived_wall_ns;
  if (result_.arrived == plan_.count) result_.own_cpu_us = OwnCpuMicros() - cpu_before_us_;
  if (!order_) return;
  const int64_t late_ns = arrived_wall_ns - order_->DueOf(id).ms * kNsPerMs;
  if (late_ns < 0) {
    ++result_.early;
  } else {
    result_.late_ns.Record(late_ns);
  }
}

void Drain::Look() {
  const uint64_t now_ns = uv_hrtime();
  const int64_t now_ms = WallNs() / kNsPerMs;
  const double per_second = static_cast<double>(result_.arrived - look_count_) * 1e9 /
                            static_cast<double>(now_ns - look_ns_);
  look_ns_ = now_ns;
  look_count_ = result_.arrived;
  const auto left = static_cast<double>(plan_.count - result_.arrived);
  const int64_t left_ms = per_second > 0 ? static_cast<int64_t>(left / per_second * 1e3) : -1;
  progress_.Show(std::to_string(result_.arrived) + " arrived", per_second, left_ms,
                 result_.early + result_.duplicates + result_.unknown);
  const int64_t quiet_ms = now_ms - std::max(wait_from_ms_, result_.last_wall_ns / kNsPerMs);
  if (quiet_ms > (left > 0 ? plan_.limit_ms : plan_.linger_ms)) loop_.Stop();
}

}  // namespace belfry
