#include "daemon/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/clock.h"
#include "base/duration.h"
#include "base/time.h"

namespace belfry {
namespace {

constexpr int64_t kExpiresMsMax = 36500 * kDayMs;

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
  std::string tokens_file;
  std::string user;
  std::vector<std::string> scopes;
  std::string expires;
  std::string token_id;
  bool expired = false;
};

struct Commands {
  CLI::App* serve;
  CLI::App* check;
  CLI::App* version;
  CLI::App* token;
  CLI::App* token_create;
  CLI::App* token_list;
  CLI::App* token_revoke;
};

void DeclareToken(CLI::App& app, Options& options, Commands& commands) {
  commands.token = app.add_subcommand("token", "Make, list and revoke the tokens of users.");
  commands.token->require_subcommand(1);
  const auto add = [&](const char* name, const char* what) {
    CLI::App* command = commands.token->add_subcommand(name, what);
    command->add_option("--tokens-file", options.tokens_file, "The file of auth.tokens_file.")
        ->required();
    return command;
  };
  commands.token_create =
      add("create", "Make a token, add it to the file (made when absent), and print it once.");
  commands.token_create->add_option("--user", options.user, "Whose it is.")->required();
  commands.token_create->add_option("--scope", options.scopes,
                                    "timers:read, timers:write, stopwatches, streams or admin; may "
                                    "be repeated. Without it: all but admin.");
  commands.token_create->add_option("--expires", options.expires, "After so long, like 90d.");
  commands.token_list = add("list", "Print what the file holds, which is no token.");
  commands.token_revoke =
      add("revoke", "Remove one token by its id, all of a user, or all that have expired.");
  commands.token_revoke->add_option("ID", options.token_id, "The id, as `list` has it.");
  commands.token_revoke->add_option("--user", options.user, "Whose tokens are all removed.");
  commands.token_revoke->add_flag("--expired", options.expired, "Those that are over.");
}

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
  DeclareToken(app, options, commands);
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

CommandLine TokenCreate(const CLI::App& create, const Options& options, TokenCommand command) {
  command.kind = TokenCommand::Kind::kCreate;
  if (const std::string wrong = WrongUserName(command.user); !wrong.empty()) {
    return Usage("--user: " + wrong);
  }
  if (options.scopes.empty()) command.scopes = DefaultScopes();
  for (const std::string& name : options.scopes) {
    const auto scope = ScopeNamed(name);
    if (!scope) {
      return Usage("--scope " + name +
                   ": must be timers:read, timers:write, stopwatches, streams or admin");
    }
    command.scopes.Add(*scope);
  }
  if (create.count("--expires") > 0) {
    command.expires_ms = ParseDuration(options.expires);
    if (!command.expires_ms || *command.expires_ms <= 0 || *command.expires_ms > kExpiresMsMax) {
      return Usage("--expires " + options.expires +
                   ": must be a duration like 90d, at most 36500d");
    }
  }
  CommandLine out;
  out.action = CommandLine::Action::kToken;
  out.token = std::move(command);
  return out;
}

CommandLine Token(const Commands& commands, const Options& options) {
  CommandLine out;
  out.action = CommandLine::Action::kToken;
  out.token.file = options.tokens_file;
  out.token.user = options.user;
  if (options.tokens_file.empty()) return Usage("--tokens-file: must name a file");
  if (commands.token_create->parsed()) {
    return TokenCreate(*commands.token_create, options, std::move(out.token));
  }
  if (commands.token_list->parsed()) return out;
  out.token.kind = TokenCommand::Kind::kRevoke;
  out.token.id = options.token_id;
  out.token.expired = options.expired;
  const CLI::App& revoke = *commands.token_revoke;
  if (revoke.count("ID") + revoke.count("--user") + revoke.count("--expired") != 1) {
    return Usage("token revoke: needs either an ID, --user NAME or --expired");
  }
  if (revoke.count("ID") > 0 && options.token_id.empty()) return Usage("ID: must not be empty");
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
  if (commands.token->parsed()) return Token(commands, options);
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

CommandLine DoToken(const TokenCommand& command) {
  const auto text = RunTokenCommand(command, SystemClock());
  if (text.ok()) return Print(*text, kExitOk);
  return Print("belfry: " + text.status().message() + "\n", ExitCodeFor(text.status()));
}

}  // namespace belfry
