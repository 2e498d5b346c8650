// timer_routes.h - the routes of /timers: requests to the scheduler, its replies to responses.
//
// Loop thread only. Registered once; outlives the router.
//
//   POST   /timers         201 {"id":1}, Location
//   GET    /timers         array of full views; limit, after, state, due_after, due_before
//   GET    /timers/count   {"count":1}; state, due_after, due_before
//   DELETE /timers         200 {}
//   POST   /timers/retry   202 {"count":1}, dead ones; due_after, due_before; dry_run=true: 200
//   GET    /timers/{id}    short view; view=full
//   DELETE /timers/{id}    200 {"id":1,"result":"cancelled"}, or 409 with `id` and `result`
//   POST   /timers/{id}/retry  202 {"id":1,"state":"pending"}, or 409 with `id` and `result`
#pragma once

#include "base/clock.h"
#include "http/reply_table.h"
#include "http/router.h"
#include "http/timer_json.h"
#include "scheduler/timers.h"

namespace belfry {

class TimerRoutes {
 public:
  // `timers`, `replies` and `clock` outlive this.
  TimerRoutes(Timers& timers, ReplyTable& replies, const Clock& clock, NormaliseUrlFn normalise_url,
              RetryPolicy default_retry);

  void Register(Router& router);

 private:
  void Set(const Call& call);
  void List(const Call& call);
  void Count(const Call& call);
  void CancelAll(const Call& call);
  void Find(const Call& call);
  void Cancel(const Call& call);
  void Replay(const Call& call);
  void ReplayRange(const Call& call);

  Timers& timers_;
  ReplyTable& replies_;
  const Clock& clock_;
  TimerReader reader_;
};

}  // namespace belfry
