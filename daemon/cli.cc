#include "daemon/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace belfry {
namespace {

CommandLine Print(std::string text, int exit_code) {
  CommandLine out;
  out.text = std::move(text);
  out.exit_code = exit_code;
  return out;
}

CommandLine Usage(const std::string& what) {
  return Print("belfry: " + what + "\nTry: belfry --help\n", kExitUsage);
}

std::string VersionText() { return "belfry " BELFRY_VERSION "\n"; }

struct Options {
  std::string config;
  std::string data;
  std::string listen;
  std::string clock = "system";
  bool accept_clock = false;
  bool accept_data_loss = false;
  std::string check_file;
};

struct Commands {
  CLI::App* serve;
  CLI::App* check;
  CLI::App* version;
};

Commands Declare(CLI::App& app, Options& options) {
  app.require_subcommand(1);
  app.set_version_flag("--version", "belfry " BELFRY_VERSION);
  Commands commands{};
  commands.serve = app.add_subcommand("serve", "Serve the API and deliver webhooks.");
  commands.serve->add_option("--config", options.config,
                             "Configuration file (YAML, may be a pipe). Without it the development "
                             "profile holds: 127.0.0.1:8080, ./data, any target.");
  commands.serve->add_option("--data", options.data, "Directory of the store.");
  commands.serve->add_option("--listen", options.listen, "HOST:PORT, [IPV6]:PORT or unix:PATH.");
  commands.serve->add_option("--clock", options.clock, "system.");
  commands.serve->add_flag("--accept-clock", options.accept_clock,
                           "Fire although the clock is far from where the store last saw it.");
  commands.serve->add_flag("--accept-data-loss", options.accept_data_loss,
                           "Open a store that lost acknowledged timers.");
  commands.check = app.add_subcommand(
      "check-config", "Check a configuration file and print every key with its value.");
  commands.check->add_option("FILE", options.check_file, "The file.")->required();
  commands.version = app.add_subcommand("version", "Print the version.");
  return commands;
}

CommandLine Serve(const CLI::App& serve, const Options& options) {
  CommandLine out;
  out.action = CommandLine::Action::kServe;
  if (options.clock == "virtual") return Usage("--clock=virtual is not built yet; use system");
  if (options.clock != "system") return Usage("--clock: must be system");
  if (serve.count("--config") > 0) out.serve.config_file = options.config;
  if (serve.count("--data") > 0) {
    if (options.data.empty()) return Usage("--data: must name a directory");
    out.serve.data = options.data;
  }
  if (serve.count("--listen") > 0) {
    auto listen = ParseListenAddress(options.listen);
    if (!listen.ok()) return Usage("--listen " + options.listen + ": " + listen.status().message());
    out.serve.listen = listen.value();
  }
  out.serve.accept_clock = options.accept_clock;
  out.serve.accept_data_loss = options.accept_data_loss;
  return out;
}

}  // namespace

int ExitCodeFor(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return kExitOk;
    case StatusCode::kInUse:
      return kExitInUse;
    case StatusCode::kRefused:
    case StatusCode::kCorruption:
      return kExitRefused;
    default:
      return kExitFailed;
  }
}

CommandLine ParseCommandLine(const std::vector<std::string>& args) {
  CLI::App app("Belfry keeps timers and calls a webhook when they are due.", "belfry");
  Options options;
  const Commands commands = Declare(app, options);
  try {
    // CLI11 takes its arguments last first.
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::CallForVersion&) {
    return Print(VersionText(), kExitOk);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = app.get_subcommands();
    return Print(chosen.empty() ? app.help() : chosen.back()->help(), kExitOk);
  } catch (const CLI::ParseError& error) {
    // CLI11 would only say that a subcommand is missing.
    if (!args.empty() && !args[0].starts_with('-') && app.get_subcommands().empty()) {
      return Usage("unknown command: " + args[0]);
    }
    return Usage(error.what());
  }
  if (commands.version->parsed()) return Print(VersionText(), kExitOk);
  if (commands.serve->parsed()) return Serve(*commands.serve, options);
  CommandLine out;
  out.action = CommandLine::Action::kCheckConfig;
  out.config_file = options.check_file;
  return out;
}

Result<Config> ConfigFor(const ServeFlags& flags) {
  Config config = DevelopmentConfig();
  if (flags.config_file) {
    auto loaded = LoadConfig(*flags.config_file);
    if (!loaded.ok()) return loaded.status();
    config = std::move(loaded.value());
  }
  if (flags.data) config.data = *flags.data;
  if (flags.listen) config.listen = *flags.listen;
  if (Status status = CheckConfig(config); !status.ok()) return status;
  return config;
}

CommandLine CheckConfigFile(const std::string& path) {
  auto config = LoadConfig(path);
  Status status = config.ok() ? CheckConfig(config.value()) : config.status();
  if (status.ok()) return Print(FormatConfig(config.value()), kExitOk);
  if (config.ok()) status = Refused(path + ": " + status.message());
  return Print(status.message() + "\n", ExitCodeFor(status));
}

}  // namespace belfry
