#include "daemon/serve.h"

#include <sys/random.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "daemon/clock_watch.h"
#include "daemon/credential_file.h"
#include "daemon/delivery_files.h"
#include "daemon/engine_start.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/memory_plan.h"
#include "daemon/notify.h"
#include "daemon/read_pool.h"
#include "daemon/rlimit.h"
#include "daemon/tokens_file.h"
#include "daemon/users.h"
#include "delivery/address_policy.h"
#include "delivery/curl_sender.h"
#include "delivery/url.h"
#include "http/authentication.h"
#include "http/http_server.h"
#include "http/page_routes.h"
#include "http/router.h"
#include "http/service_routes.h"
#include "http/stopwatch_routes.h"
#include "http/stream_routes.h"
#include "http/target_routes.h"
#include "http/timer_routes.h"
#include "scheduler/tenants.h"
#include "storage/commit_thread.h"
#include "storage/data_dir.h"

namespace belfry {
namespace {

int Refuse(const Status& status) {
  std::fprintf(stderr, "belfry: %s\n", status.message().c_str());
  return ExitCodeFor(status);
}

DataDirOptions StoreOptions(const Config& config, const ServeFlags& flags, const FileShares& files,
                            LogSink& log) {
  const MemoryPlan plan = PlanMemory(config.memory);
  DataDirOptions options;
  options.path = config.data;
  options.accept_data_loss = flags.accept_data_loss;
  options.rocks.block_cache_bytes = plan.block_cache;
  options.rocks.write_buffer_bytes = plan.write_buffers;
  options.rocks.open_tables_max = files.store_tables;
  options.log = [&log](std::string_view text) { log.Warn("store", {{"says", text}}); };
  return options;
}

BreakerOptions BreakerFor(const Config::Delivery::Breaker& config) {
  BreakerOptions options;
  options.failures = static_cast<uint32_t>(config.failures);
  options.ratio = config.ratio;
  options.min_attempts = static_cast<uint32_t>(config.min_attempts);
  options.window_ms = config.window_ms;
  options.probe_min_ms = config.probe_min_ms;
  options.probe_max_ms = config.probe_max_ms;
  return options;
}

uint64_t RandomBits() {
  uint64_t bits = 0;
  CHECK(getrandom(&bits, sizeof bits, 0) == sizeof bits);
  return bits;
}

StreamsOptions SlotOptions(const Config& config) {
  StreamsOptions options;
  options.limit = static_cast<uint32_t>(config.streams.limit);
  options.require_user = config.streams.require_user;
  options.random = RandomBits;
  return options;
}

TimersOptions SchedulerOptions(const Config& config, const ServeFlags& flags, size_t in_flight,
                               uint64_t seed) {
  const MemoryPlan plan = PlanMemory(config.memory);
  TimersOptions options;
  options.window_bytes = config.memory.window;
  options.id_cache_bytes = plan.id_cache;
  options.sets_queued_bytes_max = plan.SetsQueued();
  options.max_in_flight = in_flight;
  options.per_target_in_flight = config.delivery.per_target_in_flight;
  options.per_target_rate = static_cast<uint32_t>(config.delivery.per_target_rate);
  options.breaker = BreakerFor(config.delivery.breaker);
  options.retention_ms = config.retention_ms;
  options.retry = DefaultRetry(config);
  options.jitter_seed = seed;
  options.accept_clock = flags.accept_clock;
  return options;
}

EngineOptions OptionsForEngine(const Config& config, const ServeFlags& flags, size_t in_flight,
                               MonoMs now) {
  EngineOptions options;
  options.timers = SchedulerOptions(config, flags, in_flight, now.ms);
  options.streams = SlotOptions(config);
  options.run = RandomBits();
  return options;
}

CommitThreadOptions CommitOptions(const Config& config, DataDir& data, const Notifier& notifier,
                                  const std::atomic<Loop*>& loop) {
  CommitThreadOptions options;
  options.interval_ms = BeatIntervalMs(notifier);
  options.wake = [&loop] {
    if (Loop* l = loop.load()) l->WakeFromCommits();
  };
  options.sync_durable = [&data] { return data.SyncDurable(); };
  options.close_cleanly = [&data] { return data.CloseCleanly(); };
  options.free_bytes = [&data] { return data.FreeBytes(); };
  options.min_free_bytes = config.storage.min_free;
  return options;
}

// But for whom it may send to, and how it speaks TLS.
Result<SenderOptions> SendingOptions(const Config& config, const FileShares& files,
                                     const std::string& store_id) {
  auto policy = AddressPolicy::Parse(config.delivery.targets.allow, config.delivery.targets.deny);
  if (!policy.ok()) return policy.status();
  SenderOptions options;
  options.policy = std::move(*policy);
  options.version = BELFRY_VERSION;
  options.store_id = store_id;
  options.timeout_ms = config.delivery.timeout_ms;
  options.max_in_flight = files.deliveries;
  options.idle_connections_max = files.idle_targets;
  return options;
}

EventStreamsOptions EventOptions(size_t connections) {
  EventStreamsOptions options;
  options.streams_max = connections - connections / kFeedSparedShare;
  return options;
}

ServerOptions HttpOptions(const Config& config, size_t connections) {
  ServerOptions options;
  options.connections_max = connections;
  options.buffered_bytes_max = PlanMemory(config.memory).Buffered();
  options.connection.parser.head_bytes_max = config.http.max_head;
  options.connection.parser.body_bytes_max = config.http.max_body;
  options.connection.head_timeout_ms = config.http.head_timeout_ms;
  options.connection.body_timeout_ms = config.http.body_timeout_ms;
  options.connection.write_stall_timeout_ms = config.http.write_timeout_ms;
  options.connection.idle_timeout_ms = config.http.idle_timeout_ms;
  return options;
}

Status Listen(HttpServer& server, const Config& config, LogSink& log) {
  const ListenAddress& address = config.listen;
  if (address.kind == ListenAddress::Kind::kUnix) {
    const auto mode = static_cast<unsigned>(config.http.socket_mode);
    if (Status s = server.ListenUnix(address.path, mode); !s.ok()) return s;
    log.Info("listening", {{"address", FormatListenAddress(address)}, {"pid", getpid()}});
    return {};
  }
  const auto port = server.ListenTcp(address.host, address.port);
  if (!port.ok()) return port.status();
  ListenAddress bound = address;
  bound.port = *port;
  log.Info("listening", {{"address", FormatListenAddress(bound)}, {"pid", getpid()}});
  return {};
}

// The store is closed by now. log + flush + compaction over given is the write amplification.
void LogStoreFigures(const Ledger& store, LogSink& log) {
  const WrittenBytes written = store.written();
  const HeldBytes held = store.held();
  log.Info("store_closed", {{"given_bytes", written.given},
                            {"log_bytes", written.logged},
                            {"flush_bytes", written.flushed},
                            {"compaction_bytes", written.compacted},
                            {"cache_bytes", held.cache},
                            {"write_buffer_bytes", held.write_buffers}});
}

struct UvLoop {
  uv_loop_t loop;
  UvLoop() { CHECK(uv_loop_init(&loop) == 0); }
  // What its owners closed is gone after one more turn; what else is open goes with the process.
  ~UvLoop() {
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_loop_close(&loop);
  }
};

// What an operator may change while we run. Each for itself: that a certificate is broken must not
// keep a revoked token alive.
struct Reloadable {
  Result<DeliveryFiles> delivery;
  Result<std::vector<TokenEntry>> tokens;
};

bool NeedsToken(const Config& config) { return config.auth.mode == "token"; }

Reloadable LoadFiles(const Config& config) {
  const std::string credentials = CredentialsDirectory();
  return {LoadDeliveryFiles(config.delivery, credentials),
          NeedsToken(config) ? LoadTokens(config.auth.tokens_file, credentials)
                             : std::vector<TokenEntry>()};
}

// What is wrong with them; the code is that of the first.
Status WhatFailed(const Status& a, const Status& b) {
  if (a.ok() || b.ok()) return a.ok() ? b : a;
  return Status(a.code(), a.message() + "; " + b.message());
}

// Until the loop hears it, SIGHUP waits instead of ending the process. For all threads made later.
void HoldHangUps() {
  sigset_t hang_up;
  sigemptyset(&hang_up);
  sigaddset(&hang_up, SIGHUP);
  CHECK(pthread_sigmask(SIG_BLOCK, &hang_up, nullptr) == 0);
}

// Before the commit thread has the store: nobody with a token is turned away at the start.
Status RegisterUsers(Ledger& store, Tenants& tenants, Users& users) {
  std::vector<Completion> done;
  if (Status s = store.Apply(tenants.TakeOps(), &done); !s.ok()) return s;
  for (const Completion& completion : done) tenants.Complete(completion);
  users.TenantsCompleted();
  return {};
}

// What needs no token, behind all that does; then the log has every route.
void AddPublicRoutes(Router& router, const std::atomic<Loop*>& loop, LogSink& log) {
  RegisterPageRoutes(router);
  RegisterServiceRoutes(router, [&loop] { return loop.load()->WhyNotReady(); });
  for (const std::string& route : router.Routes()) log.Debug("route", {{"serves", route}});
}

// What is right of the files is taken, whatever is wrong with the others. `users`: null without
// tokens.
Status Reload(const Config& config, CurlSender& sender, Users* users) {
  Reloadable read = LoadFiles(config);
  if (read.delivery.ok()) {
    sender.SetSigner(std::move(read.delivery->signer));
    sender.SetTls(std::move(read.delivery->tls));
  }
  if (users != nullptr && read.tokens.ok()) users->Set(std::move(*read.tokens));
  return WhatFailed(read.delivery.status(), read.tokens.status());
}

int ServeStore(const Config& config, const ServeFlags& flags, const FileShares& files,
               Reloadable reloadable, DataDir& data, Notifier& notifier, LogSink& log) {
  const SystemClock clock;
  const StoreState& state = data.store().opened();
  auto sending = SendingOptions(config, files, state.store_id);
  if (!sending.ok()) return Refuse(sending.status());

  const bool needs_token = NeedsToken(config);
  using Mode = Authentication::Mode;
  Authentication authentication(needs_token ? Mode::kToken : Mode::kNone, clock);
  Tenants tenants(state.tenants);
  Users users(tenants, authentication, log);
  if (needs_token) users.Set(std::move(*reloadable.tokens));
  if (Status s = RegisterUsers(data.store(), tenants, users); !s.ok()) return Refuse(s);

  UvLoop uv;
  std::atomic<Loop*> loop = nullptr;
  Engine engine(OptionsForEngine(config, flags, files.deliveries, clock.Mono()), StartFrom(state),
                clock.Wall(), clock.Mono());
  CommitThread commits(&data.store(), &clock, CommitOptions(config, data, notifier, loop));
  ReadPool reads(&uv.loop, data.store(), [&engine, &clock](QueryResult result) {
    engine.QueryDone(std::move(result), clock.Mono());
  });

  sending->tls = std::move(reloadable.delivery->tls);
  auto sender = CurlSender::Open(
      &uv.loop, clock, std::move(*sending),
      [&loop](Outcome outcome) { loop.load()->DeliveryDone(std::move(outcome)); },
      [&loop](TimerId id) { return loop.load()->AddressFound(id); });
  if (!sender.ok()) return Refuse(sender.status());
  (*sender)->SetSigner(std::move(reloadable.delivery->signer));
  const auto reload = [&] { return Reload(config, **sender, needs_token ? &users : nullptr); };

  Router router(authentication, {config.http.cors_origins});
  ReplyTable replies(clock);
  TimerRoutes timer_routes(engine.timers(), replies, clock, NormaliseUrl, DefaultRetry(config));
  timer_routes.Register(router);
  TargetRoutes target_routes(engine.timers(), replies, clock, NormaliseUrl);
  target_routes.Register(router);
  const auto user_name = [&tenants](TenantId tenant) { return tenants.NameOf(tenant); };
  StopwatchLists stopwatch_lists(engine.stopwatches(), replies, user_name);
  EventStreams events(engine.stopwatches(), replies, clock, authentication, user_name,
                      EventOptions(files.connections));
  authentication.WhenTokensChange([&events] { events.EndRevoked(); });
  StopwatchRoutes stopwatch_routes(engine.stopwatches(), replies, clock, stopwatch_lists, events);
  stopwatch_routes.Register(router);
  StreamRoutes stream_routes(engine.streams(), replies, clock, NormaliseUrl,
                             config.streams.default_ttl_ms);
  stream_routes.Register(router);
  AddPublicRoutes(router, loop, log);
  HttpServer server(&uv.loop, clock, router, HttpOptions(config, files.connections));
  Loop the_loop({&uv.loop, clock, log, notifier, engine, data.store(), commits, reads, **sender,
                 server, replies, events, tenants, users, reload},
                config.shutdown_timeout_ms);
  loop = &the_loop;
  const ClockWatch clock_watch(&uv.loop, [&the_loop] { the_loop.ClockStepped(); });
  if (Status s = Listen(server, config, log); !s.ok()) {
    the_loop.Abandon();
    return Refuse(s);
  }
  const int code = the_loop.Run();
  LogStoreFigures(data.store(), log);
  return code;
}

}  // namespace

int Serve(const ServeFlags& flags) {
  HoldHangUps();
  const NotifyEnvironment environment = TakeNotifyEnvironment();
  const auto config = ConfigFor(flags);
  if (!config.ok()) return Refuse(config.status());
  const auto limit = RaiseFileLimit();
  if (!limit.ok()) return Refuse(limit.status());
  const auto files =
      ShareFiles(*limit, config->http.max_connections, config->delivery.max_in_flight);
  if (!files.ok()) return Refuse(files.status());
  Reloadable reloadable = LoadFiles(*config);
  const Status unread = WhatFailed(reloadable.delivery.status(), reloadable.tokens.status());
  if (!unread.ok()) return Refuse(unread);

  LogWriter log(STDERR_FILENO, config->log.level);
  log.Info("starting", {{"version", BELFRY_VERSION},
                        {"data", config->data},
                        {"connections_max", files->connections},
                        {"deliveries_max", files->deliveries}});
  Notifier notifier;
  if (auto opened = Notifier::Open(environment); opened.ok()) {
    notifier = std::move(*opened);
  } else {
    log.Warn("notify_failed", {{"why", opened.status().message()}});
  }
  auto data = DataDir::Open(StoreOptions(*config, flags, *files, log));
  if (!data.ok()) return Refuse(data.status());
  return ServeStore(*config, flags, *files, std::move(reloadable), **data, notifier, log);
}

}  // namespace belfry
