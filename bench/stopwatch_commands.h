// stopwatch_commands.h - the subcommands about stopwatches. Main thread.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace belfry {

void AddFillStopwatches(CLI::App& app, std::function<int()>* chosen);
void AddListen(CLI::App& app, std::function<int()>* chosen);

}  // namespace belfry
