// sink.h - receives webhooks, answers 204, and counts them until SIGINT or SIGTERM.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "bench/endpoint.h"

namespace belfry {

// Says on stderr where it listens, once it does. The number of requests received.
[[nodiscard]] Result<uint64_t> RunSink(const Endpoint& endpoint);

}  // namespace belfry
