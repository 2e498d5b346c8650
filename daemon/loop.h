// loop.h - the loop thread: once per turn it takes what the scheduler wants done and hands it to
// the parts that do it. The only place that sets the scheduler's timer, and the order of a stop.
//
// Loop thread only. Borrows every part; all outlive it.
//
// A turn: Tick(now), TakeReady, ops to the commit thread, deliveries to the sender, reads to the
// pool, replies to the clients, then sleep until wake_at or until something comes back. With many
// clients a turn is long, so two things do not wait for its end: what completed is answered when
// it is taken, and a commit thread that has nothing to do gets the ops there are after every 16
// requests, or a quarter as many as there are clients.
//
// A stop (DESIGN: serve on, start nothing, wait, cut off, settle, flush):
//   serving -> draining (SIGTERM) -> settling (nothing under way, or the time is up) -> stopped.
// A failed store goes to `failed` from anywhere: its clients are told, then the process ends.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/notify.h"
#include "daemon/read_pool.h"
#include "daemon/users.h"
#include "delivery/sender.h"
#include "http/event_streams.h"
#include "http/http_server.h"
#include "http/reply_table.h"
#include "scheduler/engine.h"
#include "scheduler/tenants.h"
#include "storage/commit_thread.h"

namespace belfry {

class Loop {
 public:
  struct Parts {
    uv_loop_t* uv;
    const Clock& clock;
    LogSink& log;
    Notifier& notify;
    Engine& engine;
    const Store& store;
    CommitThread& commits;
    ReadPool& reads;
    Sender& sender;
    HttpServer& server;
    ReplyTable& replies;
    EventStreams& events;
    Tenants& tenants;
    Users& users;
    std::function<Status()> reload;  // at SIGHUP; what of it fails leaves what held before
  };

  Loop(const Parts& parts, int64_t shutdown_timeout_ms);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Serves until SIGTERM, SIGINT or a failure; the exit code. SIGHUP is blocked when it is called,
  // and heard from here on.
  [[nodiscard]] int Run();

  // Instead of Run, when the start failed after all: stops the store in order.
  void Abandon();

  // Any thread: completions are waiting.
  void WakeFromCommits() { uv_async_send(&completions_); }
  // From the sender's DoneFn.
  void DeliveryDone(Outcome outcome);
  // From the sender's FoundFn.
  [[nodiscard]] bool AddressFound(TimerId id);
  // The clock was set: look at it now.
  void ClockStepped();

  // nullopt: ready; else why not, for /ready.
  [[nodiscard]] std::optional<std::string> WhyNotReady() const;

 private:
  enum class Phase { kServing, kDraining, kSettling, kStopped, kFailed };

  void Turn();
  void Slice();
  // True: some of what started gave its slot back, and another may start.
  bool HandOver(Ready ready);
  void SendEvents();
  void Read(Query query);
  void SleepUntil(std::optional<WallMs> wake_at, WallMs now);
  void TakeCompletions();
  void TakeTenants(std::vector<Completion>* done);
  void Beat();
  void Signal(int number);
  void Reload();
  void WatchCommits();
  void AdvanceStop();
  void Close();
  void Failed(const Status& why);
  void AnnounceReady();
  void FeedWatchdog();
  void Told(const Status& status);
  void LogFault(FaultScope scope);
  void LogCompletion(const Completion& completion);
  void LogEnd(const Timer& ended);
  void CloseHandles();

  Parts parts_;
  int64_t shutdown_timeout_ms_;
  Phase phase_ = Phase::kServing;
  int exit_code_ = 0;
  bool announced_ = false;
  MonoMs stop_deadline_;
  MonoMs next_feed_;
  uint64_t fed_due_scans_ = 0;
  uint64_t fed_commit_turns_ = 0;
  bool commits_awaited_ = false;
  uint64_t commits_seen_ = 0;
  uint64_t slice_requests_ = 0;  // of this turn, since ops were last handed over
  MonoMs commits_moved_;
  uint64_t faults_ = 0;  // attempts that ended in one and are not in the log yet
  MonoMs next_fault_log_;
  uint64_t forgotten_ = 0;  // by retention, since it last had nothing more to do
  uint64_t forgotten_dead_ = 0;

  uv_prepare_t turn_;
  uv_timer_t wake_;
  uv_timer_t beat_;
  uv_async_t completions_;
  uv_signal_t terminate_;
  uv_signal_t interrupt_;
  uv_signal_t hang_up_;
};

}  // namespace belfry
