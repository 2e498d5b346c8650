// service_routes.h - /health and /ready. Loop thread only.
//
//   GET /health   200 {"status":"ok"} while the process serves
//   GET /ready    200 {"status":"ready"}, or 503 with why
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "http/router.h"

namespace belfry {

// Why the daemon is not ready; nullopt: it is.
using WhyNotReadyFn = std::function<std::optional<std::string>()>;

void RegisterServiceRoutes(Router& router, WhyNotReadyFn why_not_ready);

}  // namespace belfry
