#include "daemon/loop.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/check.h"
#include "base/limits.h"
#include "daemon/cli.h"

namespace belfry {
namespace {

// After this the answers of a stop, or of a failed store, are no longer waited for.
constexpr int64_t kFlushTimeoutMs = 5 * kSecondMs;
constexpr int64_t kFailedFlushTimeoutMs = 50;
// For the last commits and the files of the store.
constexpr int64_t kCloseTimeoutMs = 30 * kSecondMs;

constexpr uint64_t kRequestsPerSlice = 16;
constexpr uint64_t kSliceShare = 4;  // a slice has at least a quarter as many as there are clients
constexpr int64_t kFaultLogIntervalMs = 10 * kSecondMs;  // one line for all faults in that time

template <typename Handle>
uv_handle_t* Base(Handle& handle) {
  return reinterpret_cast<uv_handle_t*>(&handle);
}

}  // namespace

Loop::Loop(const Parts& parts, int64_t shutdown_timeout_ms)
    : parts_(parts), shutdown_timeout_ms_(shutdown_timeout_ms) {
  uv_loop_t* uv = parts_.uv;
  uv_prepare_init(uv, &turn_);
  uv_timer_init(uv, &wake_);
  uv_timer_init(uv, &beat_);
  uv_signal_init(uv, &terminate_);
  uv_signal_init(uv, &interrupt_);
  uv_signal_init(uv, &hang_up_);
  uv_async_init(uv, &completions_,
                [](uv_async_t* h) { static_cast<Loop*>(h->data)->TakeCompletions(); });
  turn_.data = wake_.data = beat_.data = completions_.data = this;
  terminate_.data = interrupt_.data = hang_up_.data = this;
}

Loop::~Loop() = default;

int Loop::Run() {
  uv_prepare_start(&turn_, [](uv_prepare_t* h) { static_cast<Loop*>(h->data)->Turn(); });
  uv_timer_start(
      &beat_, [](uv_timer_t* h) { static_cast<Loop*>(h->data)->Beat(); }, 0,
      static_cast<uint64_t>(BeatIntervalMs(parts_.notify)));
  const auto on_signal = [](uv_signal_t* h, int n) { static_cast<Loop*>(h->data)->Signal(n); };
  uv_signal_start(&terminate_, on_signal, SIGTERM);
  uv_signal_start(&interrupt_, on_signal, SIGINT);
  uv_signal_start(
      &hang_up_, [](uv_signal_t* h, int) { static_cast<Loop*>(h->data)->Reload(); }, SIGHUP);
  sigset_t hang_up;
  sigemptyset(&hang_up);
  sigaddset(&hang_up, SIGHUP);
  CHECK(pthread_sigmask(SIG_UNBLOCK, &hang_up, nullptr) == 0);
  parts_.server.AfterEach(kRequestsPerSlice, [this] { Slice(); });
  uv_run(parts_.uv, UV_RUN_DEFAULT);
  return exit_code_;
}

// --- one turn ------------------------------------------------------------------------------------

void Loop::Turn() {
  const WallMs now = parts_.clock.Wall();
  parts_.engine.SetNoSpace(parts_.commits.below_min_free());
  parts_.engine.Tick(now, parts_.clock.Mono());
  Ready ready = parts_.engine.TakeReady();
  slice_requests_ = 0;
  std::optional<WallMs> wake_at = ready.wake_at;
  if (HandOver(std::move(ready))) wake_at = now;
  SendEvents();
  WatchCommits();
  parts_.server.FlushWrites();
  AnnounceReady();
  AdvanceStop();
  if (parts_.events.busy()) wake_at = now;
  SleepUntil(wake_at, now);
}

// Many clients are better served by larger groups than by early ones.
void Loop::Slice() {
  slice_requests_ += kRequestsPerSlice;
  if (slice_requests_ * kSliceShare < parts_.server.connections()) return;
  slice_requests_ = 0;
  if (parts_.commits.idle()) HandOver(parts_.engine.TakeReady());
}

bool Loop::HandOver(Ready ready) {
  bool slot_given_back = false;
  for (Op& op : parts_.tenants.TakeOps()) ready.ops.push_back(std::move(op));
  if (!ready.ops.empty()) parts_.commits.Submit(&ready.ops);
  for (const Delivery& delivery : ready.deliveries) {
    if (parts_.sender.Start(delivery) != Sender::Begun::kLookingUp) continue;
    parts_.engine.timers().LookupBegan(delivery.timer->id, parts_.clock.Wall());
    slot_given_back = true;
  }
  for (Query& query : ready.queries) Read(std::move(query));
  for (Reply& reply : ready.replies) parts_.replies.Answer(std::move(reply));
  if (!ready.queries.empty()) {
    for (Reply& reply : parts_.engine.TakeReplies()) parts_.replies.Answer(std::move(reply));
  }
  return slot_given_back;
}

// What goes on with an answer, as a long list does with its next page, must not wait for the next
// turn: nothing would wake the loop for it.
void Loop::SendEvents() {
  parts_.events.Tick();
  while (parts_.engine.pending()) HandOver(parts_.engine.TakeReady());
}

// To the pool only what may have to wait for a disk.
void Loop::Read(Query query) {
  if (auto result = parts_.store.RunFromMemory(query)) {
    parts_.engine.QueryDone(std::move(*result), parts_.clock.Mono());
  } else {
    parts_.reads.Run(std::move(query));
  }
}

void Loop::SleepUntil(std::optional<WallMs> wake_at, WallMs now) {
  int64_t sleep_ms = kSleepMaxMs;
  if (wake_at) sleep_ms = std::clamp<int64_t>(*wake_at - now, 0, kSleepMaxMs);
  uv_update_time(parts_.uv);
  uv_timer_start(
      &wake_, [](uv_timer_t*) {}, static_cast<uint64_t>(sleep_ms), 0);
}

void Loop::TakeCompletions() {
  std::vector<Completion> done;
  const Status status = parts_.commits.Take(&done);
  TakeTenants(&done);
  for (const Completion& completion : done) LogCompletion(completion);
  parts_.engine.Complete(std::move(done), parts_.clock.Wall());
  if (!status.ok()) Failed(status);
  HandOver(parts_.engine.TakeReady());
  SendEvents();
  parts_.server.FlushWrites();
}

// Those of the tenants are not the scheduler's.
void Loop::TakeTenants(std::vector<Completion>* done) {
  if (parts_.tenants.settled()) return;
  std::erase_if(*done, [&](const Completion& completion) {
    const bool is_theirs = completion.kind == kOpKind<TenantOp>;
    if (is_theirs) parts_.tenants.Complete(completion);
    return is_theirs;
  });
  parts_.users.TenantsCompleted();
}

void Loop::DeliveryDone(Outcome outcome) {
  if (parts_.log.Wants(LogLevel::kDebug)) {
    parts_.log.Debug("attempt", {{"id", outcome.id},
                                 {"status", outcome.status},
                                 {"error", outcome.error},
                                 {"duration_ms", outcome.duration_ms}});
  }
  if (outcome.kind == OutcomeKind::kLocalFault) LogFault(outcome.fault_scope);
  parts_.engine.timers().DeliveryDone(std::move(outcome), parts_.clock.Wall());
}

bool Loop::AddressFound(TimerId id) {
  return parts_.engine.timers().MayConnect(id, parts_.clock.Wall());
}

// No ports, files or memory: somebody has to know, as no attempt is charged and nothing else shows.
void Loop::LogFault(FaultScope scope) {
  ++faults_;
  const MonoMs now = parts_.clock.Mono();
  if (now < next_fault_log_) return;
  next_fault_log_ = now + kFaultLogIntervalMs;
  parts_.log.Warn("local_fault", {{"scope", scope == FaultScope::kHost ? "host" : "target"},
                                  {"attempts", std::exchange(faults_, 0)}});
}

// Commits stand still when ops wait and none completes.
void Loop::WatchCommits() {
  const bool waiting = parts_.engine.unfinished_ops() > 0 || !parts_.tenants.settled();
  const uint64_t commits = parts_.commits.commits();
  if (!waiting || !commits_awaited_ || commits != commits_seen_) {
    commits_moved_ = parts_.clock.Mono();
  }
  commits_awaited_ = waiting;
  commits_seen_ = commits;
}

void Loop::ClockStepped() { parts_.log.Warn("clock_set"); }

// Nothing is given up or forgotten in silence.
void Loop::LogCompletion(const Completion& completion) {
  if (completion.ended) LogEnd(*completion.ended);
  if (completion.kind == kOpKind<ReplayStepOp> && !completion.page.timers.empty()) {
    parts_.log.Info("replayed", {{"timers", completion.page.timers.size()}});
  }
  if (completion.kind != kOpKind<RetainOp>) return;
  forgotten_ += completion.removed;
  forgotten_dead_ += completion.removed_dead;
  if (completion.more || forgotten_ == 0) return;
  parts_.log.Info("retention", {{"forgotten", forgotten_}, {"dead", forgotten_dead_}});
  forgotten_ = forgotten_dead_ = 0;
}

void Loop::LogEnd(const Timer& ended) {
  if (ended.reason == DeadReason::kNone) return;
  const bool dead = ended.state == TimerState::kDead;
  parts_.log.Warn(dead ? "timer_dead" : "timer_dropped", {{"id", ended.id},
                                                          {"reason", ReasonName(ended.reason)},
                                                          {"target", TargetOf(ended)},
                                                          {"attempts", ended.attempts}});
}

// --- readiness and health ------------------------------------------------------------------------

std::optional<std::string> Loop::WhyNotReady() const {
  if (phase_ == Phase::kFailed) return "the store failed; restarting";
  if (phase_ != Phase::kServing) return "stopping";
  if (!parts_.engine.timers().first_page_loaded()) return "the first timers are not loaded yet";
  if (!parts_.engine.timers().clock_sane()) {
    return "the clock is more than a day before, or 400 days after, the time last seen: nothing "
           "fires; set the clock, or start with --accept-clock";
  }
  if (commits_awaited_ && parts_.clock.Mono() - commits_moved_ > kCommitStallMs) {
    return "commits stand still: the disk does not answer";
  }
  if (parts_.commits.below_min_free()) return "the disk is nearly full: nothing new is stored";
  return std::nullopt;
}

void Loop::AnnounceReady() {
  if (announced_ || phase_ != Phase::kServing || !parts_.engine.timers().first_page_loaded())
    return;
  announced_ = true;
  parts_.log.Info("ready");
  const std::optional<std::string> why = WhyNotReady();
  if (why) parts_.log.Error("not_ready", {{"why", *why}});
  Told(parts_.notify.SayReady(why ? *why : "serving"));
}

void Loop::Beat() { FeedWatchdog(); }

// Only while commits and the due scan advance: a loop that merely turns is not alive.
void Loop::FeedWatchdog() {
  const auto interval_ms = parts_.notify.watchdog_interval_ms();
  if (!interval_ms || parts_.clock.Mono() < next_feed_) return;
  const Timers& timers = parts_.engine.timers();
  const uint64_t scans = timers.due_scans();
  const uint64_t commit_turns = parts_.commits.turns();
  const bool may_fire = timers.first_page_loaded() && timers.clock_sane() &&
                        !timers.paused_all() && phase_ == Phase::kServing;
  if ((may_fire && scans == fed_due_scans_) || commit_turns == fed_commit_turns_) return;
  fed_due_scans_ = scans;
  fed_commit_turns_ = commit_turns;
  next_feed_ = parts_.clock.Mono() + *interval_ms;
  Told(parts_.notify.FeedWatchdog());
}

void Loop::Told(const Status& status) {
  if (!status.ok()) parts_.log.Warn("notify_failed", {{"why", status.message()}});
}

void Loop::Reload() {
  if (const Status s = parts_.reload(); s.ok()) {
    parts_.log.Info("reload");
  } else {
    parts_.log.Error("reload_failed", {{"why", s.message()}, {"kept", "what was read before"}});
  }
}

// --- the end -------------------------------------------------------------------------------------

void Loop::Signal(int number) {
  if (phase_ != Phase::kServing) {
    parts_.log.Warn("stop_at_once", {{"signal", number}});
    _exit(kExitFailed);
  }
  parts_.log.Info("stopping",
                  {{"signal", number}, {"in_flight", parts_.engine.timers().in_flight()}});
  Told(parts_.notify.SayStopping());
  Told(parts_.notify.ExtendTimeout(shutdown_timeout_ms_ + kFlushTimeoutMs + kCloseTimeoutMs));
  phase_ = Phase::kDraining;
  stop_deadline_ = parts_.clock.Mono() + shutdown_timeout_ms_;
  parts_.server.StopAccepting();
  parts_.engine.StopStarting();
}

void Loop::AdvanceStop() {
  if (phase_ == Phase::kServing || phase_ == Phase::kStopped) return;
  const bool late = parts_.clock.Mono() >= stop_deadline_;
  if (phase_ == Phase::kFailed) {
    if (late || parts_.server.Flushed()) _exit(exit_code_);
    return;
  }
  if (phase_ == Phase::kDraining) {
    if (parts_.sender.in_flight() > 0 && !late) return;
    phase_ = Phase::kSettling;
    stop_deadline_ = parts_.clock.Mono() + kFlushTimeoutMs;
    parts_.sender.InterruptAll();
    parts_.events.EndAll();
    parts_.server.StopReading();
    // A count may scan everything; the time to stop does not depend on how much is stored.
    parts_.reads.Stop();
  }
  const bool settled = parts_.sender.in_flight() == 0 && parts_.engine.unfinished_ops() == 0 &&
                       parts_.tenants.settled() && parts_.reads.outstanding() == 0;
  if (settled && (late || parts_.server.Flushed())) {
    Close();
    uv_stop(parts_.uv);
  }
}

void Loop::Abandon() {
  Close();
  uv_run(parts_.uv, UV_RUN_NOWAIT);
}

void Loop::Close() {
  phase_ = Phase::kStopped;
  parts_.server.CloseAll();
  const Status stopped = parts_.commits.Stop();
  if (!stopped.ok()) {
    parts_.log.Error("stop_failed", {{"why", stopped.message()}});
    exit_code_ = kExitFailed;
  } else {
    parts_.log.Info("stopped");
  }
  CloseHandles();
}

// Nothing more is written or started; who waits is told that the outcome is unknown.
void Loop::Failed(const Status& why) {
  if (phase_ == Phase::kFailed) return;
  parts_.log.Error("store_failed", {{"why", why.message()}});
  phase_ = Phase::kFailed;
  // A damaged store is refused, as at the start: a restart would meet it again.
  exit_code_ = ExitCodeFor(why);
  stop_deadline_ = parts_.clock.Mono() + kFailedFlushTimeoutMs;
  parts_.engine.StoreFailed();
  uv_timer_start(
      &beat_, [](uv_timer_t* h) { static_cast<Loop*>(h->data)->AdvanceStop(); }, 10, 10);
}

void Loop::CloseHandles() {
  for (uv_handle_t* handle : {Base(turn_), Base(wake_), Base(beat_), Base(completions_),
                              Base(terminate_), Base(interrupt_), Base(hang_up_)}) {
    if (!uv_is_closing(handle)) uv_close(handle, nullptr);
  }
}

}  // namespace belfry
