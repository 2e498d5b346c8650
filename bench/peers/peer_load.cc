// peer-load: keeps one request under way on each of many connections to a server of any protocol
// whose replies are a fixed number of lines, or HTTP. Used by bench/peers/run.py.
//
// stdout: a JSON object a line; {"event":"begin"} when the measuring begins, then
// {"event":"end", requests, seconds, bad, p50_ms, p99_ms, client_cpu_us}.
// Exit codes: 0 fine; 1 the run failed or something was refused; 2 wrong command line.

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sstream>

#include "bench/peers/closed_load.h"

namespace belfry {
namespace {

struct Options {
  std::string to;
  std::string request_file;
  size_t lines = 0;
  std::string expected;
  ClosedPlan plan;
};

int Fail(const std::string& why) {
  std::fprintf(stderr, "peer-load: %s\n", why.c_str());
  return 1;
}

void Add(CLI::App& app, Options* options) {
  app.add_option("--to", options->to, "HOST:PORT of the server")->required();
  app.add_option("--request", options->request_file,
                 "File with one request; {n} and {left_ms} in it differ each time")
      ->required()
      ->check(CLI::ExistingFile);
  CLI::Option* lines =
      app.add_option("--lines", options->lines, "Lines of one reply; without it replies are HTTP")
          ->check(CLI::Range(1, 1000));
  app.add_option("--good", options->expected, "Occurs in every reply that is not a refusal")
      ->needs(lines);
  app.add_option("--connections", options->plan.connections, "Connections")
      ->capture_default_str()
      ->check(CLI::Range(1, 60'000));
  app.add_option("--warmup-ms", options->plan.warmup_ms, "Time that is not measured")
      ->check(CLI::Range(0, std::numeric_limits<int>::max()));
  CLI::Option* duration =
      app.add_option("--duration-ms", options->plan.duration_ms, "Measured time")
          ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  CLI::Option* count =
      app.add_option("--count", options->plan.count, "So many requests instead of a time")
          ->check(CLI::Range(1, std::numeric_limits<int>::max()));
  duration->excludes(count);
  app.add_option("--due", options->plan.due_ms, "Unix time in ms that {left_ms} counts to");
  app.callback([duration, count] {
    if (duration->empty() == count->empty()) {
      throw CLI::ValidationError("peer-load", "give --duration-ms or --count");
    }
  });
}

int Run(Options& options) {
  Result<Endpoint> endpoint = ParseEndpoint(options.to);
  if (!endpoint.ok()) return Fail(endpoint.status().message());
  options.plan.endpoint = std::move(*endpoint);
  options.plan.reader = [&options]() -> std::unique_ptr<ReplyReader> {
    if (options.lines == 0) return std::make_unique<HttpReader>();
    return std::make_unique<LinesReader>(options.lines, options.expected);
  };
  std::ifstream file(options.request_file, std::ios::binary);
  std::ostringstream request;
  request << file.rdbuf();
  if (!file || request.str().empty()) return Fail("there is no request in " + options.request_file);

  EventLoop loop;
  const auto begin = [] {
    std::puts("{\"event\":\"begin\"}");
    std::fflush(stdout);
  };
  const Result<ClosedResult> result =
      ClosedLoad(loop, options.plan, RequestTemplate(request.str()), begin).Run();
  if (!result.ok()) return Fail(result.status().message());
  const auto ms = [&](double share) {
    return static_cast<double>(result->latency_ns.Quantile(share)) / 1e6;
  };
  std::printf(
      "{\"event\":\"end\",\"requests\":%llu,\"seconds\":%.6f,\"bad\":%llu,\"p50_ms\":%.3f,"
      "\"p99_ms\":%.3f,\"client_cpu_us\":%lld}\n",
      static_cast<unsigned long long>(result->latency_ns.count()), result->seconds,
      static_cast<unsigned long long>(result->bad), ms(0.5), ms(0.99),
      static_cast<long long>(result->own_cpu_us));
  return result->bad == 0 ? 0 : Fail("refused: " + result->first_bad);
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Closed-loop load on a peer; bench/peers/run.py says how it is used.", "peer-load");
  Options options;
  Add(app, &options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return Run(options);
}

}  // namespace
}  // namespace belfry

int main(int argc, char** argv) { return belfry::Main(argc, argv); }
