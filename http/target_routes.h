// target_routes.h - /targets: what Belfry knows of the hosts it sends to. Loop thread only.
//
//   GET /targets   200 {"targets":[...]} by name; limit (1 to 1000, default 100), after (a name).
//                  The next page is in Link.
//
// Each target:
//   name           "https://example.com:8443", as the URLs of its timers have it
//   state          closed: attempts are made. open: none before blocked_until. half_open: one at a
//                  time, which decides
//   in_flight      attempts under way
//   limit          attempts that may be: delivery.per_target_in_flight, less after it asked for
//   less staged         due timers in memory that wait for it error_rate     0 to 1, attempts not
//   answered 2xx in the last five minutes; null: none was made p50_ms, p99_ms how long half of the
//   attempts, and 99 of 100, took at most; null: none lately blocked_until  nothing is sent before:
//   it is open, sent Retry-After, or its rate is used up; or
//                  null
//   last_error     "timeout", "status 503"; or null
//
// Listed are the targets with timers due or attempts under way, and those that were used last.
#pragma once

#include "base/clock.h"
#include "http/router.h"
#include "scheduler/timers.h"

namespace belfry {

// `timers` and `clock` outlive the router.
void RegisterTargetRoutes(Router& router, const Timers& timers, const Clock& clock);

}  // namespace belfry
