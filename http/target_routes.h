// target_routes.h - /targets: what Belfry knows of the hosts it sends to, and their switches.
//
// Loop thread only. Registered once; outlives the router. Targets are those of all users, so all of
// it needs the scope `admin`.
//
//   GET  /targets          200 {"paused":false,"targets":[...]} by name; limit (1 to 1000, default
//                          100), after (a name). The next page is in Link.
//   POST /targets/pause    {"target":"https://example.com"}, or {"all":true}: nothing is sent
//                          there, or at all, until it is resumed. 200
//                          {"target":"https://example.com","paused":true} once it is durable. What
//                          is under way goes on. Timers wait and are charged nothing; those with a
//                          `max_lateness` end as they ask for, once the target is resumed.
//   POST /targets/resume   the same the other way. A target resumed while all are paused stays so.
//
// Each target:
//
//   name            "https://example.com:8443", as the URLs of its timers have it
//   state           closed: attempts are made. open: none before blocked_until. half_open: one at
//                   a time, which decides
//   paused          by /targets/pause, by its name
//   in_flight       attempts under way
//   limit           attempts that may be; at most delivery.per_target_in_flight
//   staged          due timers in memory that wait for it
//   parked          whether more of them wait on disk
//   error_rate      0 to 1, attempts not answered 2xx in the last five minutes; null: none
//   p50_ms, p99_ms  how long half of the attempts, and 99 of 100, took at most; null: none lately
//   blocked_until   nothing is sent before: it is open, sent Retry-After, or its rate is used up;
//                   or null
//   last_error      "timeout", "status 503"; or null
//
// The first `paused` is the switch of all. Listed are the targets with timers due or attempts under
// way, those that are paused, and those that were used last.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "base/clock.h"
#include "http/problem.h"
#include "http/reply_table.h"
#include "http/router.h"
#include "http/timer_json.h"
#include "scheduler/timers.h"

namespace belfry {

class JsonBody;

class TargetRoutes {
 public:
  // `timers`, `replies` and `clock` outlive this.
  TargetRoutes(Timers& timers, ReplyTable& replies, const Clock& clock,
               NormaliseUrlFn normalise_url);
  ~TargetRoutes();

  void Register(Router& router);

 private:
  void List(const Call& call);
  void Switch(const Call& call, bool paused);
  // The name of one target; "" for all.
  [[nodiscard]] std::variant<std::string, BodyError> Which(std::string_view body);
  [[nodiscard]] Result<std::string> TargetNamed(std::string_view text) const;

  Timers& timers_;
  ReplyTable& replies_;
  const Clock& clock_;
  const NormaliseUrlFn normalise_url_;
  const std::unique_ptr<JsonBody> json_;
};

}  // namespace belfry
