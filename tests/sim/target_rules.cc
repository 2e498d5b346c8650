#include "tests/sim/target_rules.h"

#include <algorithm>

#include "base/limits.h"
#include "base/rfc3339.h"

namespace belfry::sim {
namespace {

constexpr int64_t kBucketsOfWindow = 6;
constexpr int64_t kOne = 1000;

bool Unreachable(const Outcome& o) {
  return o.kind == OutcomeKind::kFailed || o.kind == OutcomeKind::kTimeout;
}
bool SaysNothing(const Outcome& o) { return !Unreachable(o) && o.kind != OutcomeKind::kAnswered; }
bool Failed(const Outcome& o) { return Unreachable(o) || o.status == 429 || o.status >= 500; }

bool Overloaded(const Outcome& o) {
  if (o.kind == OutcomeKind::kTimeout) return true;
  constexpr int32_t kStatuses[] = {408, 425, 429, 502, 503, 504};
  return o.kind == OutcomeKind::kAnswered &&
         std::find(std::begin(kStatuses), std::end(kStatuses), o.status) != std::end(kStatuses);
}

}  // namespace

TargetRules::State& TargetRules::At(const std::string& name) {
  const auto [found, fresh] = targets_.try_emplace(name);
  State& state = found->second;
  if (!fresh) return state;
  state.limit = options_.throttle.limit_max;
  state.tokens = kOne * std::max<int64_t>(1, options_.throttle.rate / 10);
  return state;
}

void TargetRules::ClockWentBack(WallMs now) {
  for (auto& [name, state] : targets_) {
    const int64_t delay_ms = ProbeDelayMs(state);
    state.probe_from = std::min(state.probe_from, now + delay_ms * 8 / 10);
    state.probe_by = std::min(state.probe_by, now + delay_ms * 12 / 10);
    state.closed_since = std::min(state.closed_since, now);
    state.recent.clear();
    if (state.halved) state.halved = std::min(*state.halved, now);
    state.paused_until = std::min(state.paused_until, now + kTargetPauseMsMax);
    state.filled = std::min(state.filled, now);
  }
}

TargetRules::Wrong TargetRules::Started(const std::string& name, TimerId id, WallMs now) {
  State& state = At(name);
  if (!state.looking_up.empty()) return "an attempt while another looks up the name of " + name;
  if (state.open && state.probe != 0) return "two attempts at the half-open " + name;
  if (state.open && now < state.probe_from) return "an attempt at the open " + name;
  if (state.in_flight >= state.limit) return "more attempts than the limit of " + name;
  if (now < state.paused_until) return "Retry-After of " + name + " is not waited for";
  if (options_.throttle.rate > 0) {
    state.tokens = Tokens(state, now) - kOne;
    state.filled = std::max(state.filled, now);
    if (state.tokens < 0) return "more attempts a second than the rate of " + name;
  }
  ++state.in_flight;
  if (state.open) state.probe = id;
  return std::nullopt;
}

TargetRules::Wrong TargetRules::Connects(const std::string& name, TimerId id) {
  if (!HasSlot(name)) return "more connections than the limit of " + name;
  At(name).looking_up.erase(id);
  return std::nullopt;
}

bool TargetRules::HasSlot(const std::string& name) const {
  const State& state = targets_.at(name);
  return state.in_flight - state.looking_up.size() < state.limit;
}

void TargetRules::Ended(const std::string& name, const Outcome& outcome, WallMs now) {
  State& state = At(name);
  --state.in_flight;
  state.looking_up.erase(outcome.id);
  EndOfBreaker(state, outcome, now);
  EndOfThrottle(state, outcome, now);
}

void TargetRules::EndOfBreaker(State& state, const Outcome& outcome, WallMs now) const {
  if (state.open) {
    if (outcome.id != state.probe) return;
    state.probe = 0;
    if (SaysNothing(outcome)) return;
    if (Failed(outcome)) {
      ++state.failed_probes;
      return Break(state, now);
    }
    state.open = false;
    state.in_a_row = state.failed_probes = 0;
    state.recent.clear();
    state.closed_since = now;
    return;
  }
  if (SaysNothing(outcome) || outcome.started < state.closed_since) return;
  state.in_a_row = Unreachable(outcome) ? state.in_a_row + 1 : 0;
  state.recent.emplace_back(now, Failed(outcome));
  if (!Failed(outcome)) return;
  if (state.in_a_row >= options_.breaker.failures || HalfFailed(state, now)) Break(state, now);
}

bool TargetRules::HalfFailed(const State& state, WallMs now) const {
  const int64_t bucket_ms = std::max<int64_t>(1, options_.breaker.window_ms / kBucketsOfWindow);
  const int64_t oldest = now.ms / bucket_ms - kBucketsOfWindow + 1;
  uint32_t attempts = 0;
  uint32_t failures = 0;
  for (const auto& [at, failed] : state.recent) {
    if (at.ms / bucket_ms < oldest) continue;
    ++attempts;
    if (failed) ++failures;
  }
  return attempts >= options_.breaker.min_attempts && failures >= options_.breaker.ratio * attempts;
}

void TargetRules::Break(State& state, WallMs now) const {
  state.open = true;
  state.probe_from = now + ProbeDelayMs(state) * 8 / 10;
  state.probe_by = now + ProbeDelayMs(state) * 12 / 10;
}

int64_t TargetRules::ProbeDelayMs(const State& state) const {
  int64_t delay_ms = options_.breaker.probe_min_ms;
  for (uint32_t i = 0; i < state.failed_probes; ++i) {
    delay_ms = std::min(2 * delay_ms, options_.breaker.probe_max_ms);
  }
  return delay_ms;
}

void TargetRules::EndOfThrottle(State& state, const Outcome& outcome, WallMs now) const {
  const bool answered = outcome.kind == OutcomeKind::kAnswered;
  if (answered && outcome.retry_after_ms && (outcome.status == 429 || outcome.status == 503)) {
    state.paused_until =
        std::max(state.paused_until, now + std::min(*outcome.retry_after_ms, kTargetPauseMsMax));
  }
  if (outcome.kind == OutcomeKind::kNoSlot && options_.throttle.rate > 0) {
    const int64_t full = kOne * std::max<int64_t>(1, options_.throttle.rate / 10);
    state.tokens = std::min(full, Tokens(state, now) + kOne);
    state.filled = std::max(state.filled, now);
  }
  if (Overloaded(outcome)) {
    state.good = 0;
    if (state.halved && now - *state.halved < kHalvingIntervalMs) return;
    state.halved = now;
    state.limit = std::max<size_t>(1, state.limit / 2);
  } else if (answered && !Failed(outcome) && state.limit < options_.throttle.limit_max) {
    if (++state.good < state.limit) return;
    state.good = 0;
    ++state.limit;
  }
}

int64_t TargetRules::Tokens(const State& state, WallMs now) const {
  const int64_t rate = options_.throttle.rate;
  const int64_t passed_ms = std::clamp<int64_t>(now - state.filled, 0, kMinuteMs);
  return std::min(kOne * std::max<int64_t>(1, rate / 10), state.tokens + passed_ms * rate);
}

bool TargetRules::Open(const std::string& name) const {
  const auto found = targets_.find(name);
  return found != targets_.end() && found->second.open;
}

TargetRules::Wrong TargetRules::Charged(const std::string& name, WallMs charge_at,
                                        WallMs now) const {
  if (!Open(name)) return "an attempt at " + name + " was charged and not sent, and it is not open";
  if (now < charge_at) return "an attempt at " + name + " was charged before its wait was over";
  return std::nullopt;
}

std::optional<WallMs> TargetRules::BlockedUntil(const std::string& name, WallMs now) const {
  const auto found = targets_.find(name);
  if (found == targets_.end()) return std::nullopt;
  const State& state = found->second;
  if (state.in_flight >= state.limit || !state.looking_up.empty()) return Target::kNever;
  if (state.open && state.probe != 0) return Target::kNever;
  WallMs until = std::max(now, state.paused_until);
  if (state.open) until = std::max(until, state.probe_by);
  if (options_.throttle.rate > 0) {
    const int64_t missing = kOne - Tokens(state, until);
    if (missing > 0) until = std::max(until, state.filled) + (missing / options_.throttle.rate + 1);
  }
  if (until > now) return until;
  return std::nullopt;
}

TargetRules::Wrong TargetRules::Shown(const TargetPage& page, WallMs now) const {
  std::map<std::string, const TargetView*> views;
  for (const TargetView& view : page.targets) views[view.name] = &view;
  for (const auto& [name, state] : targets_) {
    const auto view = views.find(name);
    if (view == views.end()) {
      const bool troubled = state.open || state.limit < options_.throttle.limit_max;
      if (state.in_flight > 0 || troubled) return name + " was forgotten";
    } else if (Wrong wrong = Compare(*view->second, state, now)) {
      return name + " " + *wrong;
    }
  }
  return std::nullopt;
}

TargetRules::Wrong TargetRules::Compare(const TargetView& view, const State& state,
                                        WallMs now) const {
  const bool open = view.state != BreakerState::kClosed;
  if (open && !state.open) return "is open and should be closed";
  if (!open && state.open) return "is closed and should be open";
  if (view.in_flight != state.in_flight) return "has not the attempts under way that it shows";
  if (view.limit != state.limit) {
    return "has a limit of " + std::to_string(view.limit) + ", not " + std::to_string(state.limit);
  }
  if (!view.blocked_until) return std::nullopt;
  const std::optional<WallMs> until = BlockedUntil(view.name, now);
  if (!until || *view.blocked_until > *until) {
    return "is blocked until " + FormatRfc3339(*view.blocked_until) + ", longer than it should";
  }
  return std::nullopt;
}

}  // namespace belfry::sim
