#include "bench/stopwatch_commands.h"

#include <cstdio>
#include <memory>

#include "base/time.h"
#include "bench/json_line.h"
#include "bench/listeners.h"
#include "bench/options.h"
#include "bench/stopwatch_fill.h"

namespace belfry {
namespace {

void PrintListen(const ListenPlan& plan, const ListenResult& result) {
  const auto ms = [](int64_t ns) { return static_cast<double>(ns) / 1e6; };
  const Histogram& heard = result.heard_ns;
  std::printf("%-12s%llu clients, %llu resets, %llu not heard\n", "streams",
              static_cast<unsigned long long>(plan.clients),
              static_cast<unsigned long long>(plan.resets),
              static_cast<unsigned long long>(result.missed));
  std::printf("%-12sp50 %.1f ms, p99 %.1f ms, max %.1f ms\n", "heard", ms(heard.Quantile(0.5)),
              ms(heard.Quantile(0.99)), ms(heard.max()));
}

void PrintListenJson(const ListenPlan& plan, const ListenResult& result) {
  JsonLine line;
  line.Add("clients", plan.clients).Add("resets", plan.resets).Add("missed", result.missed);
  line.AddSpread("heard", result.heard_ns).AddSpread("all", result.all_ns);
  line.Print();
}

}  // namespace

void AddFillStopwatches(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    StopwatchFillPlan plan;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  StopwatchFillPlan& plan = options->plan;
  CLI::App* fill = app.add_subcommand("fill-stopwatches", "Makes a store of stopwatches");
  fill->add_option("--data", plan.data, "A data directory that is not there yet")->required();
  AddCount(fill, "--others", &plan.others, "Stopwatches of strangers; 10M for ten million")
      ->check(CLI::Range(uint64_t{0}, uint64_t{kCountMax}));
  AddCount(fill, "--own", &plan.own, "Stopwatches of the user `local`, `tea` among them");
  AddCount(fill, "--owners", &plan.owners, "Users who have a stopwatch `tea`");
  AddJson(fill, &options->json);
  fill->callback([options, chosen] {
    *chosen = [options] {
      const Result<double> seconds = FillStopwatches(options->plan);
      if (!seconds.ok()) return Fail(seconds.status());
      if (options->json) {
        JsonLine().Add("others", options->plan.others).Add("seconds", *seconds).Print();
      } else {
        std::printf("%-12s%.1f s\n", "filled", *seconds);
      }
      return 0;
    };
  });
}

void AddListen(CLI::App& app, std::function<int()>* chosen) {
  struct Options {
    ListenPlan plan;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  ListenPlan& plan = options->plan;
  plan.limit_ms = 60 * kSecondMs;
  plan.settle_ms = kSecondMs;
  CLI::App* listen = app.add_subcommand(
      "listen", "Very many clients of the events of one stopwatch, which is reset");
  AddDaemon(listen, &plan.endpoint);
  AddCount(listen, "--clients", &plan.clients, "Event streams")
      ->check(CLI::Range(uint64_t{1}, uint64_t{kConnectionsMax}));
  AddCount(listen, "--resets", &plan.resets, "One after the other")
      ->check(CLI::Range(uint64_t{1}, uint64_t{100'000}));
  AddDuration(listen, "--limit", &plan.limit_ms, "For all to be there, and for one reset");
  AddDuration(listen, "--settle", &plan.settle_ms, "When all are there, before the first reset");
  AddJson(listen, &options->json);
  listen->callback([options, chosen] {
    *chosen = [options] {
      EventLoop loop;
      const Result<ListenResult> result = std::make_unique<Listeners>(loop, options->plan)->Run();
      if (!result.ok()) return Fail(result.status());
      (options->json ? PrintListenJson : PrintListen)(options->plan, *result);
      return result->missed == 0 ? 0 : 1;
    };
  });
}

}  // namespace belfry
