// http_api_rig.h - the whole API over loopback: server, router, routes, the real scheduler and the
// ledger in memory. Deliveries are handed to the test.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/authentication.h"
#include "http/router.h"
#include "http/stopwatch_routes.h"
#include "http/stream_routes.h"
#include "scheduler/engine.h"
#include "storage/ledger.h"
#include "storage/memory_kv.h"
#include "tests/support/http_rig.h"

namespace belfry {

class TargetRoutes;
class TimerRoutes;

class HttpApiRig {
 public:
  // Pages and feed are small, so that little makes them full.
  static constexpr size_t kPageRows = 3;
  static constexpr size_t kFeedEvents = 16;
  static constexpr size_t kWritesPerTurn = 4;
  static constexpr size_t kStreamsMax = 20;
  static constexpr size_t kNamesMax = 140;

  explicit HttpApiRig(RouterOptions options = {},
                      Authentication::Mode mode = Authentication::Mode::kNone,
                      bool require_user = false);
  ~HttpApiRig();

  // Ids of streams are UUIDs of 1, 2, 3 ...
  static StreamsOptions Slots(bool require_user);

  void Pump();  // one turn of what the daemon's loop does
  void Apply(std::vector<Op> ops);
  void ReleaseOps();
  // What the held queries find now; and handed over, whatever has changed since.
  [[nodiscard]] std::vector<QueryResult> ReadHeld();
  void HandBack(std::vector<QueryResult> results);

  // On the same connection, or a new one when that went away.
  std::string Ask(std::string_view request);
  [[nodiscard]] Router& router() { return router_; }
  [[nodiscard]] StopwatchLists& lists() { return *lists_; }
  // Lets in who has `token`.
  void Admit(const std::string& token, TenantId tenant, Scopes scopes = Scopes::All());
  void SetGrants();
  // A timer in `seconds` seconds; its id.
  std::string Set(int seconds);
  std::string Delete(std::string_view path);
  // Lets time pass and gives every started delivery this status.
  void PassAndAnswer(int64_t ms, int status);

  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  std::unique_ptr<Engine> engine;
  Timers* timers = nullptr;  // of engine
  std::unique_ptr<ReplyTable> replies;
  std::optional<std::string> why_not_ready;
  std::vector<Grant> grants;
  std::vector<Delivery> started;
  bool hold_ops = false;  // a commit that takes its time
  std::vector<Op> held;
  bool hold_queries = false;  // reads that take their time
  std::vector<Query> held_queries;
  size_t queries_run = 0;
  std::unique_ptr<EventStreams> events;

 private:
  // That of the rig, which is made later.
  struct RigClock final : Clock {
    [[nodiscard]] WallMs Wall() const override { return rig->clock.wall; }
    [[nodiscard]] MonoMs Mono() const override { return rig->clock.mono; }
    const HttpRig* rig = nullptr;
  };
  RigClock clock_;

 public:
  Authentication authentication;

 private:
  Router router_;
  std::unique_ptr<TimerRoutes> timer_routes_;
  std::unique_ptr<TargetRoutes> target_routes_;
  std::unique_ptr<StopwatchLists> lists_;
  std::unique_ptr<StopwatchRoutes> stopwatch_routes_;
  std::unique_ptr<StreamRoutes> stream_routes_;
  std::unique_ptr<Ledger> store_;

 public:
  std::unique_ptr<HttpRig> http;
  std::unique_ptr<HttpClient> client;
};

}  // namespace belfry
