// serve.h - `belfry serve`: puts the parts together, runs the loop, and gives the exit code.
#pragma once

#include "daemon/cli.h"

namespace belfry {

// Blocks until the daemon has stopped. Errors are said on stderr.
[[nodiscard]] int Serve(const ServeFlags& flags);

}  // namespace belfry
