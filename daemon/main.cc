#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "daemon/cli.h"
#include "daemon/serve.h"

namespace {

// A descriptor that the caller left closed would be given to the first file that is opened, and
// what is printed would go into the store.
void OpenStandardStreams() {
  for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR)) {
    if (fd <= STDERR_FILENO) continue;
    close(fd);
    return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  using belfry::CommandLine;
  OpenStandardStreams();
  // A client or receiver that went away must be an error value, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  CommandLine command = belfry::ParseCommandLine({argv + 1, argv + argc});
  if (command.action == CommandLine::Action::kServe) return belfry::Serve(command.serve);
  if (command.action == CommandLine::Action::kCheckConfig) {
    command = belfry::CheckConfigFile(command.config_file);
  }
  if (command.action == CommandLine::Action::kToken) command = belfry::DoToken(command.token);
  std::FILE* const out = command.exit_code == belfry::kExitOk ? stdout : stderr;
  const bool written = std::fputs(command.text.c_str(), out) >= 0 && std::fflush(out) == 0;
  if (written || command.exit_code != belfry::kExitOk) return command.exit_code;
  std::perror("belfry: what was done could not be printed");
  return belfry::kExitFailed;
}
