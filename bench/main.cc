// belfry-bench: loads a running daemon and measures it. bench/README.md shows how to use it.
// Exit codes: 0 fine; 1 the run failed or found errors; 2 wrong command line.

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <functional>

#include "base/time.h"
#include "bench/disk_sync.h"
#include "bench/fill.h"
#include "bench/fire.h"
#include "bench/firing_commands.h"
#include "bench/json_line.h"
#include "bench/json_report.h"
#include "bench/load.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/requests.h"
#include "bench/sink.h"
#include "bench/stopwatch_commands.h"

namespace belfry {
namespace {

constexpr int kPipelineMax = 1024;

void AddLoadOptions(CLI::App* app, LoadPlan* plan, bool* json) {
  plan->duration_ms = 30 * kSecondMs;
  plan->warmup_ms = 10 * kSecondMs;
  AddDaemon(app, &plan->endpoint);
  app->add_option("--token", plan->token, "Sent as `Authorization: Bearer`");
  app->add_option("--connections", plan->connections, "Keep-alive connections")
      ->capture_default_str()
      ->check(CLI::Range(1, kConnectionsMax));
  AddDuration(app, "--duration", &plan->duration_ms, "Measured time");
  AddDuration(app, "--warmup", &plan->warmup_ms, "Time before it that is not measured");
  app->add_option("--pipeline", plan->pipeline, "Requests under way on one connection")
      ->capture_default_str()
      ->check(CLI::Range(1, kPipelineMax));
  app->add_option("--rate", plan->rate,
                  "Requests per second to send whatever the answers do; latency then counts from "
                  "the intended send time, also where requests leave together: the client wakes "
                  "at most every 0.2 ms for them")
      ->check(CLI::Range(0.001, 10'000'000.0));
  AddPid(app, &plan->pid);
  AddJson(app, json);
}

int RunLoad(const LoadPlan& plan, bool json, RequestSource& source) {
  EventLoop loop;
  // Freed before the report, which takes the progress line away.
  Result<LoadResult> result = std::make_unique<Load>(loop, plan, source)->Run();
  if (!result.ok()) return Fail(result.status());
  (json ? PrintLoadJson : PrintLoad)(plan, *result);
  return result->errors() == 0 && result->answered() > 0 ? 0 : 1;
}

void AddSet(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    LoadPlan plan;
    int64_t delay_ms = kHourMs;
    std::string target = "http://127.0.0.1:9000/hook";
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* set = app.add_subcommand("set", "Sets timers as fast as it can, or at a rate");
  AddLoadOptions(set, &options->plan, &options->json);
  AddDuration(set, "--delay", &options->delay_ms, "When the timers are due, from now");
  set->add_option("--target", options->target, "The timers' url")->capture_default_str();
  set->callback([options, chosen] {
    *chosen = [options] {
      Result<SetRequests> requests =
          SetRequests::Make(options->plan.endpoint.host_port, options->delay_ms, options->target,
                            options->plan.token);
      if (!requests.ok()) return Fail(requests.status());
      return RunLoad(options->plan, options->json, *requests);
    };
  });
}

void AddGet(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    LoadPlan plan;
    uint64_t first = 1;
    uint64_t last = 1000;
    bool full = false;
    bool in_order = false;
    std::string path;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* get = app.add_subcommand("get", "Reads timers by id, at random or in order");
  AddLoadOptions(get, &options->plan, &options->json);
  get->add_option("--first", options->first, "Smallest id asked for")->capture_default_str();
  get->add_option("--last", options->last, "Greatest id asked for")->capture_default_str();
  get->add_flag("--full", options->full, "Ask for ?view=full");
  get->add_flag("--in-order", options->in_order, "Each id in turn, not at random");
  get->add_option("--path", options->path, "This path instead of timers");
  get->callback([options, chosen] {
    if (options->first > options->last) {
      throw CLI::ValidationError("--last", "is smaller than --first");
    }
    *chosen = [options] {
      const std::string& host_port = options->plan.endpoint.host_port;
      if (!options->path.empty()) {
        PathRequests requests(host_port, options->path);
        return RunLoad(options->plan, options->json, requests);
      }
      GetRequests requests(host_port, options->first, options->last, options->full,
                           options->in_order, options->plan.token);
      return RunLoad(options->plan, options->json, requests);
    };
  });
}

int RunFire(const FirePlan& plan, bool json) {
  EventLoop loop;
  Result<FireResult> result = std::make_unique<Fire>(loop, plan)->Run();
  if (!result.ok()) return Fail(result.status());
  (json ? PrintFireJson : PrintFire)(plan, *result);
  return result->clean() ? 0 : 1;
}

void AddFire(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    FirePlan plan;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  FirePlan* plan = &options->plan;
  plan->count = 1000;
  plan->spread_ms = 10 * kSecondMs;
  plan->lead_ms = 2 * kSecondMs;
  plan->limit_ms = 30 * kSecondMs;
  CLI::App* fire = app.add_subcommand(
      "fire", "Sets timers, receives their webhooks, and reports how late each came");
  AddDaemon(fire, &plan->daemon);
  fire->add_option("--count", plan->count, "Timers")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, kCountMax));
  AddDuration(fire, "--spread", &plan->spread_ms, "From the first due time to the last");
  AddDuration(fire, "--lead", &plan->lead_ms, "From the start to the first due time");
  AddDuration(fire, "--limit", &plan->limit_ms, "How long to wait after the last due time");
  fire->add_option("--connections", plan->connections, "Connections that set timers")
      ->capture_default_str()
      ->check(CLI::Range(1, kConnectionsMax));
  AddEndpoint(fire, "--listen", &ParseEndpoint, &plan->receiver, "127.0.0.1:0",
              "Where the receiver listens; port 0: any that is free");
  AddPid(fire, &plan->pid);
  AddJson(fire, &options->json);
  fire->callback(
      [options, chosen] { *chosen = [options] { return RunFire(options->plan, options->json); }; });
}

int Receive(const SinkPlan& plan, bool json) {
  const Result<SinkResult> result = RunSink(plan);
  if (!result.ok()) return Fail(result.status());
  const bool counted = !plan.counts_path.empty();
  std::fputs((json ? result->Json(counted) : result->Text(counted)).c_str(), stdout);
  return plan.burst.expected == 0 || result->arrivals.clean() ? 0 : 1;
}

void AddSink(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    SinkPlan plan;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  Burst& burst = options->plan.burst;
  burst.limit_ms = 30 * kSecondMs;
  CLI::App* sink = app.add_subcommand(
      "sink", "Answers 204 to everything until it is interrupted or an expected burst is over");
  AddEndpoint(sink, "--listen", &ParseEndpoint, &options->plan.endpoint, "127.0.0.1:9000",
              "Where it listens; port 0: any that is free");
  CLI::Option* expect =
      sink->add_option(
              "--expect", burst.expected,
              "Webhooks of a burst, each with a path of its own: reports how late they came")
          ->check(CLI::Range(int64_t{1}, kCountMax));
  CLI::Option* due = sink->add_option("--due", burst.due_ms, "When they are due, Unix time in ms");
  expect->needs(due);
  due->needs(expect);
  AddDuration(sink, "--limit", &burst.limit_ms, "How long to wait after that for what is missing");
  AddDuration(sink, "--close-idle", &options->plan.close_idle_ms,
              "Close connections that were idle for a random time up to this, each time anew");
  sink->add_option("--counts", options->plan.counts_path,
                   "A file for the requests by timer: id, answered, unanswered")
      ->excludes(expect);
  sink->add_option("--arrivals", options->plan.arrivals_path,
                   "A file for when each request came: UTC nanoseconds, target");
  sink->add_flag("--json", options->json, "One JSON object instead of text");
  sink->callback(
      [options, chosen] { *chosen = [options] { return Receive(options->plan, options->json); }; });
}

void AddSync(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    std::string directory;
    int64_t count = 5000;
    int64_t bytes = 200;
    double rate = 0;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* sync = app.add_subcommand("sync", "Measures append + fdatasync of a disk");
  sync->add_option("--dir", options->directory, "A directory on that disk")
      ->required()
      ->check(CLI::ExistingDirectory);
  sync->add_option("--count", options->count, "How often")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, kCountMax));
  sync->add_option("--bytes", options->bytes, "Size of each append")
      ->capture_default_str()
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  sync->add_option(
          "--rate", options->rate,
          "So many a second, timed from when each was meant to begin; 0: one after another")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  AddJson(sync, &options->json);
  sync->callback([options, chosen] {
    *chosen = [options] {
      const Result<SyncResult> result =
          MeasureSync(options->directory, options->count, options->bytes, options->rate);
      if (!result.ok()) return Fail(result.status());
      if (options->json) {
        PrintSyncJson(*result);
      } else {
        PrintSync(options->directory, options->bytes, *result);
      }
      return 0;
    };
  });
}

void PrintFill(const FillPlan& plan, const FillResult& result) {
  const auto count = static_cast<double>(plan.count);
  std::printf("%-12s%llu timers in %.1f s, %.0f/s\n", "filled",
              static_cast<unsigned long long>(plan.count), result.seconds, count / result.seconds);
  std::printf("%-12s%.1f bytes a timer\n", "tables", static_cast<double>(result.bytes) / count);
  std::printf("%-12s%lld, the first, in UTC milliseconds\n", "due",
              static_cast<long long>(result.first_due.ms));
}

void PrintFillJson(const FillPlan& plan, const FillResult& result) {
  JsonLine line;
  line.Add("count", plan.count).Add("seconds", result.seconds).Add("bytes", result.bytes);
  line.Add("first_due_ms", result.first_due.ms).Add("spread_ms", plan.spread_ms);
  line.Print();
}

void AddFill(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    FillPlan plan;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  FillPlan* plan = &options->plan;
  CLI::App* fill = app.add_subcommand("fill", "Makes a store that holds very many pending timers");
  fill->add_option("--data", plan->data, "The data directory; it must hold no timer yet")
      ->required();
  AddCount(fill, "--count", &plan->count, "Timers; 100M for a hundred million")
      ->check(CLI::Range(uint64_t{1}, kFillCountMax));
  AddDuration(fill, "--from", &plan->from_ms, "From now to the first due time");
  AddDuration(fill, "--spread", &plan->spread_ms, "From the first due time to the last");
  fill->add_option("--target", plan->target, "Their url; a made-up one when empty");
  AddJson(fill, &options->json);
  fill->callback([options, chosen] {
    *chosen = [options] {
      const Result<FillResult> result = Fill(options->plan);
      if (!result.ok()) return Fail(result.status());
      (options->json ? PrintFillJson : PrintFill)(options->plan, *result);
      return 0;
    };
  });
}

// As many descriptors as this user may have.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();
  CLI::App app("Loads a running Belfry daemon and measures it.", "belfry-bench");
  app.set_version_flag("--version", BELFRY_VERSION);
  app.require_subcommand(1);
  std::function<int()> chosen;
  AddSet(app, &chosen);
  AddGet(app, &chosen);
  AddFire(app, &chosen);
  AddSink(app, &chosen);
  AddSync(app, &chosen);
  AddFill(app, &chosen);
  AddDrain(app, &chosen);
  AddCeiling(app, &chosen);
  AddFillStopwatches(app, &chosen);
  AddListen(app, &chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return chosen();
}

}  // namespace
}  // namespace belfry

int main(int argc, char** argv) { return belfry::Main(argc, argv); }
