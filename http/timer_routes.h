// timer_routes.h - the routes of /timers: requests to the scheduler, its replies to responses.
//
// Loop thread only. Each request that is passed on gets a token; the token leads its Reply to the
// connection, which may be gone by then. Registered once; outlives the router.
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

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/query.h"
#include "http/message.h"
#include "http/router.h"
#include "http/timer_json.h"
#include "scheduler/timers.h"

namespace belfry {

class TimerRoutes {
 public:
  // `timers` and `clock` outlive this.
  TimerRoutes(Timers& timers, const Clock& clock, NormaliseUrlFn normalise_url,
              RetryPolicy default_retry);

  void Register(Router& router);

  // Each Reply of the scheduler, once.
  void Answer(Reply reply);

  // Requests passed on and not yet answered.
  [[nodiscard]] size_t waiting() const { return waiting_.size() - free_.size(); }

 private:
  // A request that the scheduler has to answer.
  struct Waiting {
    ReplyTo to;
    uint32_t generation = 0;
    bool taken = false;
    bool full_view = false;
    std::string next_query;  // of a list: its parameters but `after`, each followed by '&'
  };

  void Set(const Call& call);
  void List(const Call& call);
  void Count(const Call& call);
  void CancelAll(const Call& call);
  void Find(const Call& call);
  void Cancel(const Call& call);
  void Replay(const Call& call);
  void ReplayRange(const Call& call);

  [[nodiscard]] ReplyToken NewToken(const ReplyTo& to);
  [[nodiscard]] Waiting& At(ReplyToken token);
  [[nodiscard]] Response ToResponse(const Reply& reply, const Waiting& waiting) const;

  Timers& timers_;
  const Clock& clock_;
  TimerReader reader_;
  std::vector<Waiting> waiting_;
  std::vector<uint32_t> free_;
};

}  // namespace belfry
