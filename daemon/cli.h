// cli.h - the command line as a value: what was asked for, or what to print and with which exit
// code. Reads no file and prints nothing itself, but for the functions at the end. CLI11
// stops in cli.cc. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "daemon/config.h"
#include "daemon/token_command.h"

namespace belfry {

// As in sysexits.h from 64 on.
constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInUse = 75;    // the data directory belongs to another process
constexpr int kExitRefused = 78;  // configuration or store may not be used: restarting cannot help

[[nodiscard]] int ExitCodeFor(const Status& status);

// Flags win over the file.
struct ServeFlags {
  std::optional<std::string> config_file;  // absent: the development profile
  std::optional<std::string> data;
  std::optional<ListenAddress> listen;
  bool accept_clock = false;      // believe the clock at start whatever the store last saw
  bool accept_data_loss = false;  // open a store that lost acknowledged records
};

struct CommandLine {
  enum class Action {
    kServe,        // see `serve`
    kCheckConfig,  // see `config_file`
    kToken,        // see `token`
    kPrint,        // see `text`: stdout when exit_code is 0, else stderr
  };
  Action action = Action::kPrint;
  ServeFlags serve;
  std::string config_file;
  TokenCommand token;
  std::string text;
  int exit_code = kExitOk;
};

// `args` without the program's name.
[[nodiscard]] CommandLine ParseCommandLine(const std::vector<std::string>& args);

// The configuration to serve with: file or development profile, then flags, then CheckConfig.
[[nodiscard]] Result<Config> ConfigFor(const ServeFlags& flags);

// `belfry check-config FILE`: the effective configuration, or what is wrong with it.
[[nodiscard]] CommandLine CheckConfigFile(const std::string& path);

// `belfry token ...`: does it.
[[nodiscard]] CommandLine DoToken(const TokenCommand& command);

}  // namespace belfry
