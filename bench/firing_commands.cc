#include "bench/firing_commands.h"

#include <memory>
#include <string>

#include "bench/ceiling.h"
#include "bench/drain.h"
#include "bench/json_report.h"
#include "bench/options.h"
#include "bench/report.h"

namespace belfry {

void AddDrain(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    DrainPlan plan;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  DrainPlan& plan = options->plan;
  plan.count = 1'000'000;
  plan.limit_ms = 30 * kSecondMs;
  plan.linger_ms = kSecondMs;
  CLI::App* drain =
      app.add_subcommand("drain", "Receives the webhooks of a store made by `fill --target`");
  AddEndpoint(drain, "--listen", &ParseEndpoint, &plan.receiver, "127.0.0.1:9000",
              "Where it listens");
  AddCount(drain, "--count", &plan.count, "Timers in the store; 10M for ten million")
      ->check(CLI::Range(uint64_t{1}, kFillCountMax));
  drain->add_option("--first-due", plan.first_due_ms,
                    "What fill said: UTC milliseconds; without it lateness is not measured");
  AddDuration(drain, "--spread", &plan.spread_ms, "What fill was given");
  AddDuration(drain, "--limit", &plan.limit_ms,
              "How long to wait for the next one, after the last due time");
  AddDuration(drain, "--linger", &plan.linger_ms, "How long to wait for second ones at the end");
  AddJson(drain, &options->json);
  drain->callback([options, chosen] {
    *chosen = [options] {
      EventLoop loop;
      const Result<DrainResult> result = std::make_unique<Drain>(loop, options->plan)->Run();
      if (!result.ok()) return Fail(result.status());
      (options->json ? PrintDrainJson : PrintDrain)(options->plan, *result);
      return result->clean() ? 0 : 1;
    };
  });
}

void AddCeiling(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    CeilingPlan plan;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CeilingPlan& plan = options->plan;
  plan.url = "http://127.0.0.1:9000/hook";
  plan.count = 200'000;
  CLI::App* ceiling = app.add_subcommand(
      "ceiling", "POSTs as fast as libcurl can, without a daemon: what firing is compared with");
  ceiling->add_option("--target", plan.url, "Where to; a number is appended to the path")
      ->capture_default_str();
  AddCount(ceiling, "--count", &plan.count, "POSTs")->check(CLI::Range(uint64_t{1}, kFillCountMax));
  ceiling->add_option("--in-flight", plan.in_flight, "How many at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  AddJson(ceiling, &options->json);
  ceiling->callback([options, chosen] {
    *chosen = [options] {
      EventLoop loop;
      const Result<CeilingResult> result = std::make_unique<Ceiling>(loop, options->plan)->Run();
      if (!result.ok()) return Fail(result.status());
      (options->json ? PrintCeilingJson : PrintCeiling)(options->plan, *result);
      return result->failed.empty() ? 0 : 1;
    };
  });
}

}  // namespace belfry
