// firing_commands.h - the subcommands that look at firing without setting timers: `drain` and
// `ceiling`. Main thread.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace belfry {

// Each makes `*chosen` the run of its subcommand when it is the one on the command line.
void AddDrain(CLI::App& app, std::function<int()>* chosen);
void AddCeiling(CLI::App& app, std::function<int()>* chosen);

}  // namespace belfry
