#include "tests/support/script_rig.h"

#include <absl/strings/str_split.h>

#include "base/check.h"
#include "base/duration.h"
#include "daemon/engine_start.h"

namespace belfry {
namespace {

constexpr WallMs kStart{1'000'000'000'000};

// The value of `name=value` among the words, or `fallback`.
std::string Option(const std::vector<std::string>& words, const std::string& name,
                   const std::string& fallback) {
  for (const std::string& word : words) {
    if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
  }
  return fallback;
}

TenantId TenantOf(const std::vector<std::string>& words) {
  return static_cast<TenantId>(std::stoul(Option(words, "tenant", std::to_string(kLocalTenant))));
}

int64_t Span(const std::string& text) {
  const bool negative = text.starts_with('-');
  const bool sign = negative || text.starts_with('+');
  const auto ms = ParseDuration(text.substr(sign ? 1 : 0));
  CHECK(ms.has_value());
  return negative ? -*ms : *ms;
}

std::string N(uint64_t number) { return std::to_string(number); }

std::string Describe(Refusal refusal) {
  switch (refusal) {
    case Refusal::kOverloaded:
      return "overloaded";
    case Refusal::kNoSpace:
      return "no-space";
    case Refusal::kStopping:
      return "stopping";
    case Refusal::kIdempotencyMismatch:
      return "idempotency-mismatch";
    case Refusal::kIdempotencyInProgress:
      return "idempotency-in-progress";
    case Refusal::kOutcomeUnknown:
      return "outcome-unknown";
    case Refusal::kTooManyPaused:
      return "too-many-paused";
    case Refusal::kReadFailed:
      return "read-failed";
    case Refusal::kClockWrong:
      return "clock-wrong";
  }
  CHECK(false);
}

std::string Describe(NotDeadReply::Is is) {
  switch (is) {
    case NotDeadReply::Is::kPending:
      return "pending";
    case NotDeadReply::Is::kRetrying:
      return "retrying";
    case NotDeadReply::Is::kFiring:
      return "already_firing";
    case NotDeadReply::Is::kFired:
      return "fired";
    case NotDeadReply::Is::kCancelled:
      return "cancelled";
  }
  CHECK(false);
}

std::string Describe(TooLateReply::Why why) {
  switch (why) {
    case TooLateReply::Why::kAlreadyFiring:
      return "already_firing";
    case TooLateReply::Why::kFired:
      return "fired";
    case TooLateReply::Why::kDead:
      return "dead";
  }
  CHECK(false);
}

struct InWords {
  std::string operator()(const SetReply& r) const { return "201 " + N(r.id); }
  std::string operator()(const CancelReply& r) const { return "cancelled " + N(r.id); }
  std::string operator()(const TooLateReply& r) const {
    return "409 " + N(r.id) + " " + Describe(r.why);
  }
  std::string operator()(const ReplayReply& r) const { return "202 " + N(r.id) + " pending"; }
  std::string operator()(const NotDeadReply& r) const {
    return "409 " + N(r.id) + " " + Describe(r.is);
  }
  std::string operator()(const ReplayRangeReply& r) const { return "202 count " + N(r.count); }
  std::string operator()(const NotFoundReply&) const { return "404"; }
  std::string operator()(const AllGoneReply&) const { return "all gone"; }
  std::string operator()(const StopwatchReply& r) const {
    return (r.created ? "201 " : "200 ") + r.name;
  }
  std::string operator()(const StopwatchGoneReply&) const { return "204"; }
  std::string operator()(const StopwatchListReply& r) const {
    std::string line = "stopwatches";
    for (const Stopwatch& row : r.page.rows) {
      line += " " + row.name + "=" + N(static_cast<uint64_t>(ElapsedMs(row.started_at, r.now)));
    }
    return line;
  }
  std::string operator()(const NotOwnedReply&) const { return "403"; }
  std::string operator()(const PausedReply& r) const {
    return (r.paused ? "paused " : "resumed ") + (r.target.empty() ? "all" : r.target);
  }
  std::string operator()(const CountReply& r) const { return "count " + N(r.count); }
  std::string operator()(const TimerView& v) const {
    std::string line = "timer " + N(v.id) + " " + std::string(StateName(v.state));
    if (v.timer == nullptr) return line;
    if (!v.timer->body.empty()) line += " body=" + v.timer->body;
    line += " attempts=" + N(v.timer->history.size());
    if (v.timer->reason == DeadReason::kNone) return line;
    return line + " reason=" + std::string(ReasonName(v.timer->reason));
  }
  std::string operator()(const TimerPage& p) const { return "page of " + N(p.timers.size()); }
  std::string operator()(Refusal refusal) const { return "refused " + Describe(refusal); }
  template <typename Other>
  std::string operator()(const Other&) const {
    CHECK(false);
  }
};

}  // namespace

ScriptRig::ScriptRig() : disk_(std::make_shared<MemoryDisk>()), now_(kStart) {
  options_.retry.max_attempts = 3;
  options_.retry.schedule_ms = {kSecondMs, kMinuteMs};
  options_.retry.jitter = 0;
  options_.per_target_in_flight = 2;
  options_.breaker.failures = 3;
  Open();
  Apply();
  Complete();
  engine_->Tick(now_, mono_);
  Report();
  out_.clear();
}

std::string ScriptRig::Run(const std::string& line) {
  out_.clear();
  Do(absl::StrSplit(line.substr(0, line.find('#')), ' ', absl::SkipEmpty()));
  Report();
  return out_;
}

void ScriptRig::Do(const Words& words) {
  const std::string& verb = words.at(0);
  if (verb == "set") {
    DoSet(words);
  } else if (verb == "cancel") {
    timers_->Cancel(next_token_++, TenantOf(words), std::stoull(words.at(1)), now_);
  } else if (verb == "cancel-all") {
    timers_->CancelAll(next_token_++, kLocalTenant, now_);
  } else if (verb == "replay") {
    timers_->Replay(next_token_++, TenantOf(words), std::stoull(words.at(1)), now_);
  } else if (verb == "replay-range") {
    DoReplayRange(words);
  } else if (verb == "pause" || verb == "resume") {
    const std::string target = words.at(1) == "all" ? "" : words.at(1);
    timers_->Pause(next_token_++, target, verb == "pause");
  } else if (verb == "start") {
    engine_->stopwatches().Start(next_token_++, kLocalTenant, words.at(1), mono_);
  } else if (verb == "forget") {
    engine_->stopwatches().Delete(next_token_++, kLocalTenant, words.at(1));
  } else if (verb == "stopwatches") {
    engine_->stopwatches().List(next_token_++, {kLocalTenant, {}, true, {}, 10});
  } else if (verb == "owners") {
    engine_->stopwatches().List(next_token_++, {kLocalTenant, {words.at(1)}, false, {}, 10});
  } else if (verb == "find") {
    const bool full = Option(words, "view", "") == "full";
    timers_->Find(next_token_++, {kLocalTenant, std::stoull(words.at(1)), full});
  } else if (verb == "count") {
    timers_->Count(next_token_++, {kLocalTenant, {}});
  } else if (verb == "targets") {
    for (const TargetView& view : timers_->Targets("", 100, now_).targets) Say(Describe(view));
  } else if (verb == "outcome") {
    DoOutcome(words);
  } else if (verb == "look-up") {
    timers_->LookupBegan(std::stoull(words.at(1)), now_);
    engine_->Tick(now_, mono_);
  } else if (verb == "found") {
    const bool may = timers_->MayConnect(std::stoull(words.at(1)), now_);
    Say(may ? "may connect" : "no slot");
    engine_->Tick(now_, mono_);
  } else if (verb == "advance" || verb == "step") {
    now_ = now_ + Span(words.at(1));
    if (verb == "advance") mono_ = mono_ + Span(words.at(1));
    engine_->Tick(now_, mono_);
  } else if (verb == "apply") {
    Apply();
  } else if (verb == "complete") {
    Complete();
  } else if (verb == "commit") {
    Apply();
    Complete();
  } else if (verb == "answer") {
    Answer();
  } else if (verb == "fail-commit") {
    disk_->FailCommit(1, Option(words, "applied", "no") == "yes");
  } else if (verb == "no-space") {
    engine_->SetNoSpace(words.at(1) == "on");
  } else if (verb == "stop-starting") {
    engine_->StopStarting();
  } else if (verb == "room") {
    options_.staged_room_min = std::stoull(words.at(1));
    options_.unpark_below = options_.staged_room_min;
  } else if (verb == "accept-clock") {
    options_.accept_clock = true;
  } else if (verb == "crash") {
    disk_->Crash();
    Open();
  } else {
    CHECK(DoStream(words));
  }
}

void ScriptRig::DoSet(const Words& words) {
  auto timer = std::make_unique<Timer>();
  timer->due = now_ + Span(Option(words, "due", "0s"));
  timer->url = Option(words, "url", "http://r/x");
  timer->max_lateness_ms = Span(Option(words, "max_lateness", "0s"));
  timer->on_late = OnLateFromName(Option(words, "on_late", "fire")).value();
  const std::string on_success = Option(words, "on_success", "");
  const std::string on_failure = Option(words, "on_failure", "");
  if (!on_success.empty()) timer->callbacks.push_back({CallbackOn::kSuccess, on_success});
  if (!on_failure.empty()) timer->callbacks.push_back({CallbackOn::kFailure, on_failure});
  timers_->Set(next_token_++, std::move(timer), Option(words, "key", ""),
               Option(words, "body", "b"), now_);
}

void ScriptRig::DoReplayRange(const Words& words) {
  DeadRange range;
  range.tenant = kLocalTenant;
  const std::string after = Option(words, "due_after", "");
  const std::string before = Option(words, "due_before", "");
  if (!after.empty()) range.due_after = kStart + std::stoll(after);
  if (!before.empty()) range.due_before = kStart + std::stoll(before);
  timers_->ReplayRange(next_token_++, range, Option(words, "dry_run", "no") == "yes", now_);
}

void ScriptRig::DoOutcome(const Words& words) {
  Outcome o;
  o.id = std::stoull(words.at(1));
  o.started = now_;
  const std::string& how = words.at(2);
  if (how == "timeout") {
    o.kind = OutcomeKind::kTimeout;
  } else if (how == "failed") {
    o.kind = OutcomeKind::kFailed;
  } else if (how == "forbidden") {
    o.kind = OutcomeKind::kForbidden;
  } else if (how == "local-fault") {
    o.kind = OutcomeKind::kLocalFault;
    o.error = "local fault";
    const bool target = Option(words, "scope", "host") == "target";
    o.fault_scope = target ? FaultScope::kTarget : FaultScope::kHost;
  } else if (how == "interrupted") {
    o.kind = OutcomeKind::kInterrupted;
  } else {
    o.kind = OutcomeKind::kAnswered;
    o.status = std::stoi(how);
  }
  const std::string retry_after = Option(words, "retry_after", "");
  if (!retry_after.empty()) o.retry_after_ms = Span(retry_after);
  timers_->DeliveryDone(o, now_);
  engine_->Tick(now_, mono_);
}

void ScriptRig::Open() {
  engine_.reset();
  at_store_.clear();
  completed_.clear();
  queries_.clear();
  store_.reset();
  auto opened = Ledger::Open(std::make_unique<MemoryKv>(disk_), "abcdefghij");
  CHECK(opened.ok());
  store_ = std::move(*opened);
  engine_ = std::make_unique<Engine>(EngineOptions{options_, kFeedEventsMax, SlotOptions()},
                                     StartFrom(store_->opened()), now_, mono_);
  timers_ = &engine_->timers();
  engine_->Tick(now_, mono_);
  Report();
}

void ScriptRig::Apply() {
  const Status status = store_->Apply(std::exchange(at_store_, {}), &completed_);
  if (status.ok()) return;
  Say("the store failed");
  engine_->StoreFailed();
}

void ScriptRig::Complete() {
  engine_->Complete(std::exchange(completed_, {}), now_);
  engine_->Tick(now_, mono_);
}

void ScriptRig::Answer() {
  for (const Query& query : std::exchange(queries_, {})) {
    QueryResult result = store_->Run(query);
    result.token = query.token;
    engine_->QueryDone(std::move(result), mono_);
  }
}

void ScriptRig::Report() {
  Ready ready = engine_->TakeReady();
  for (Op& op : ready.ops) {
    const std::string line = Describe(op);
    if (!line.empty()) Say(line);
    at_store_.push_back(std::move(op));
  }
  for (const Delivery& d : ready.deliveries) {
    Say("deliver " + N(d.timer->id) + " attempt=" + N(d.attempt));
  }
  for (Query& query : ready.queries) {
    Say("query");
    queries_.push_back(std::move(query));
  }
  for (const Reply& reply : ready.replies) {
    const std::string stream = DescribeStream(reply);
    Say("reply " + (stream.empty() ? Describe(reply) : stream));
  }
  const std::string wake = ready.wake_at ? "wake " + At(*ready.wake_at) : "no wake";
  if (wake != last_wake_) Say(wake);
  last_wake_ = wake;
}

std::string ScriptRig::At(WallMs t) const {
  return t.ms == 0 ? "at once" : std::to_string(t - kStart);
}

std::string ScriptRig::Describe(const Op& op) const {
  if (const auto* put = std::get_if<PutOp>(&op.what)) {
    if (put->look_up_only) return "op look up";
    return "op put " + N(put->timer->id) + " due=" + At(put->timer->due);
  }
  if (const auto* settle = std::get_if<SettleOp>(&op.what)) {
    const Timer& ended = *settle->timer;
    std::string line = "op settle " + N(ended.id) + " " + std::string(StateName(ended.state));
    if (ended.reason != DeadReason::kNone) line += " " + std::string(ReasonName(ended.reason));
    if (settle->callback) line += " callback=" + N(settle->callback->id);
    return line;
  }
  if (const auto* replay = std::get_if<ReplayByIdOp>(&op.what)) return "op replay " + N(replay->id);
  if (const auto* range = std::get_if<ReplayRangeOp>(&op.what)) {
    return "op replay range " + N(range->number);
  }
  if (const auto* step = std::get_if<ReplayStepOp>(&op.what)) {
    return "op replay step of " + N(step->number);
  }
  if (const auto* retry = std::get_if<RetryOp>(&op.what)) {
    return "op retry " + N(retry->timer->id) + " at=" + At(retry->timer->next_attempt) +
           " attempts=" + N(retry->timer->attempts);
  }
  if (const auto* put = std::get_if<StopwatchPutOp>(&op.what)) {
    return "op start " + put->stopwatch.name + " at=" + At(put->stopwatch.started_at);
  }
  if (const auto* gone = std::get_if<StopwatchDeleteOp>(&op.what)) return "op forget " + gone->name;
  if (const auto* erase = std::get_if<EraseByIdOp>(&op.what)) return "op erase " + N(erase->id);
  if (const auto* floor = std::get_if<FloorOp>(&op.what)) return "op floor " + N(floor->last_id);
  if (const auto* park = std::get_if<ParkOp>(&op.what)) return "op park " + N(park->timer->id);
  if (const auto* load = std::get_if<LoadParkedOp>(&op.what)) {
    return "op load parked of " + N(load->target);
  }
  if (const auto* pause = std::get_if<PauseOp>(&op.what)) {
    return std::string("op ") + (pause->paused ? "pause " : "resume ") +
           (pause->target.empty() ? "all" : pause->target);
  }
  if (const auto* load = std::get_if<LoadOp>(&op.what)) {
    constexpr const char* kNames[] = {"op load", "op load backlog", "op load left rows",
                                      "op load leases"};
    return kNames[static_cast<size_t>(load->reader)];
  }
  return DescribeStream(
      op);  // "" for upkeep, which comes with the clock and would clutter every script
}

std::string ScriptRig::Describe(const TargetView& view) const {
  constexpr const char* kStates[] = {"closed", "open", "half-open"};
  std::string text = "target " + view.name + " " + kStates[static_cast<size_t>(view.state)] +
                     " in_flight=" + N(view.in_flight) + " limit=" + N(view.limit) +
                     " staged=" + N(view.staged);
  if (view.paused) text += " paused";
  if (view.parked) text += " parked";
  if (view.blocked_until) text += " blocked_until=" + At(*view.blocked_until);
  return text;
}

std::string ScriptRig::Describe(const Reply& reply) { return std::visit(InWords{}, reply.what); }

}  // namespace belfry
