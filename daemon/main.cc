#include <csignal>
#include <cstdio>

#include "daemon/cli.h"
#include "daemon/serve.h"

int main(int argc, char** argv) {
  using belfry::CommandLine;
  // A client or receiver that went away must be an error value, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  CommandLine command = belfry::ParseCommandLine({argv + 1, argv + argc});
  if (command.action == CommandLine::Action::kServe) return belfry::Serve(command.serve);
  if (command.action == CommandLine::Action::kCheckConfig) {
    command = belfry::CheckConfigFile(command.config_file);
  }
  std::fputs(command.text.c_str(), command.exit_code == belfry::kExitOk ? stdout : stderr);
  return command.exit_code;
}
