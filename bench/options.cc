#include "bench/options.h"

#include <cstdio>
#include <limits>
#include <map>

#include "base/duration.h"

namespace belfry {

void AddDuration(CLI::App* app, const std::string& name, int64_t* value_ms,
                 const std::string& meaning) {
  const auto parse = [name, value_ms](const std::string& text) {
    const auto parsed = ParseDuration(text);
    if (!parsed) throw CLI::ValidationError(name, "\"" + text + "\" is not a duration like 90s");
    *value_ms = *parsed;
  };
  app->add_option_function<std::string>(name, parse, meaning)
      ->type_name("DURATION")
      ->default_str(FormatDuration(*value_ms));
}

void AddEndpoint(CLI::App* app, const std::string& name, EndpointParser parser, Endpoint* endpoint,
                 const std::string& default_text, const std::string& meaning) {
  const auto parse = [name, parser, endpoint](const std::string& text) {
    Result<Endpoint> parsed = parser(text);
    if (!parsed.ok()) throw CLI::ValidationError(name, parsed.status().message());
    *endpoint = std::move(*parsed);
  };
  parse(default_text);
  app->add_option_function<std::string>(name, parse, meaning)
      ->type_name(parser == &EndpointOfUrl ? "URL" : "HOST:PORT")
      ->default_str(default_text);
}

void AddDaemon(CLI::App* app, Endpoint* endpoint) {
  AddEndpoint(app, "--url", &EndpointOfUrl, endpoint, "http://127.0.0.1:8080", "The daemon");
}

void AddPid(CLI::App* app, int* pid) {
  app->add_option("--pid", *pid, "Process of the daemon: reports its processor time")
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
}

void AddJson(CLI::App* app, bool* json) {
  app->add_flag("--json", *json, "Print the figures as one JSON object");
}

CLI::Option* AddCount(CLI::App* app, const std::string& name, uint64_t* count,
                      const std::string& meaning) {
  const std::map<std::string, uint64_t> units{{"k", 1000}, {"M", 1'000'000}, {"G", 1'000'000'000}};
  return app->add_option(name, *count, meaning)
      ->capture_default_str()
      ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::CASE_SENSITIVE));
}

int Fail(const Status& status) {
  std::fprintf(stderr, "belfry-bench: %s\n", status.message().c_str());
  return 1;
}

}  // namespace belfry
