#include "http/timer_routes.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/json_writer.h"
#include "http/problem.h"
#include "http/timer_query.h"
#include "http/timer_view.h"

namespace belfry {
namespace {

Response NoSuchTimer() { return Problem(ProblemKind::kNotFound, "there is no such timer"); }

Response Render(const SetReply& reply) {
  const std::string id = std::to_string(reply.id);
  Response response = Json("{\"id\":" + id + "}");
  response.status = 201;
  response.headers = "Location: /timers/" + id + "\r\n";
  return response;
}

Response Render(const CancelReply& reply) {
  return Json("{\"id\":" + std::to_string(reply.id) + ",\"result\":\"cancelled\"}");
}

Response Render(const TooLateReply& reply) {
  std::string_view result;
  std::string_view detail;
  switch (reply.why) {
    case TooLateReply::Why::kAlreadyFiring:
      result = "already_firing";
      detail = "the timer is being delivered; nothing changed";
      break;
    case TooLateReply::Why::kFired:
      result = "fired";
      detail = "the timer was delivered";
      break;
    case TooLateReply::Why::kDead:
      result = "dead";
      detail = "the timer was given up";
      break;
  }
  std::string members = "\"id\":" + std::to_string(reply.id) + ",\"result\":";
  AppendJsonString(members, result);
  return Problem(ProblemKind::kTooLate, detail, {}, members);
}

Response Render(const ReplayReply& reply) {
  Response response = Json("{\"id\":" + std::to_string(reply.id) + ",\"state\":\"pending\"}");
  response.status = 202;
  return response;
}

Response Render(const NotDeadReply& reply) {
  std::string_view result;
  switch (reply.is) {
    case NotDeadReply::Is::kPending:
      result = "pending";
      break;
    case NotDeadReply::Is::kRetrying:
      result = "retrying";
      break;
    case NotDeadReply::Is::kFiring:
      result = "already_firing";
      break;
    case NotDeadReply::Is::kFired:
      result = "fired";
      break;
    case NotDeadReply::Is::kCancelled:
      result = "cancelled";
      break;
  }
  std::string members = "\"id\":" + std::to_string(reply.id) + ",\"result\":";
  AppendJsonString(members, result);
  return Problem(ProblemKind::kNotDead, "only a dead timer is retried; nothing changed", {},
                 members);
}

Response Render(const ReplayRangeReply& reply) {
  Response response = Json("{\"count\":" + std::to_string(reply.count) + "}");
  response.status = 202;
  return response;
}

Response Render(const NotFoundReply&) { return NoSuchTimer(); }
Response Render(const AllGoneReply&) { return Json("{}"); }

Response Render(const CountReply& reply) {
  return Json("{\"count\":" + std::to_string(reply.count) + "}");
}

// A page ends early when it grows too long; then the rest is on the next one.
Response RenderPage(const TimerPage& page, const std::string& next_query, WallMs now) {
  Response response = Json("[");
  std::optional<TimerId> next_after = page.next_after;
  for (size_t i = 0; i < page.timers.size(); ++i) {
    if (i > 0) response.body += ',';
    AppendFullView(response.body, page.timers[i], now);
    if (response.body.size() > kListBytesMax && i + 1 < page.timers.size()) {
      next_after = page.timers[i].id;
      break;
    }
  }
  response.body += ']';
  if (next_after) {
    response.headers = "Link: </timers?" + next_query + "after=" + std::to_string(*next_after) +
                       ">; rel=\"next\"\r\n";
  }
  return response;
}

Response RenderView(const TimerView& view, bool full, WallMs now) {
  Response response;
  if (full) {
    AppendFullView(response.body, view, now);
  } else {
    AppendShortView(response.body, view, now);
  }
  return response;
}

// Whatever the scheduler says of timers.
Response Render(const Reply& reply, const ReplyTable::Waiting& waiting, WallMs now) {
  return std::visit(
      [&](const auto& what) -> Response {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, TimerPage>) {
          return RenderPage(what, waiting.next_query, now);
        } else if constexpr (std::is_same_v<What, TimerView>) {
          return RenderView(what, waiting.full_view, now);
        } else if constexpr (requires { Render(what); }) {
          return Render(what);
        } else {
          CHECK(false);
        }
      },
      reply.what);
}

}  // namespace

TimerRoutes::TimerRoutes(Timers& timers, ReplyTable& replies, const Clock& clock,
                         NormaliseUrlFn normalise_url, RetryPolicy default_retry)
    : timers_(timers),
      replies_(replies),
      clock_(clock),
      reader_(std::move(normalise_url), std::move(default_retry)) {}

void TimerRoutes::Register(Router& router) {
  const auto to = [this](void (TimerRoutes::*method)(const Call&)) {
    return [this, method](const Call& call) { (this->*method)(call); };
  };
  router.Add("/timers", {.verb = Verb::kPost,
                         .needs = Scope::kTimersWrite,
                         .handler = to(&TimerRoutes::Set),
                         .takes_body = true});
  router.Add("/timers", {.verb = Verb::kGet,
                         .needs = Scope::kTimersRead,
                         .handler = to(&TimerRoutes::List),
                         .query = {"limit", "after", "state", "due_after", "due_before"},
                         .long_answer = true});
  router.Add("/timers", {.verb = Verb::kDelete,
                         .needs = Scope::kTimersWrite,
                         .handler = to(&TimerRoutes::CancelAll)});
  router.Add("/timers/count", {.verb = Verb::kGet,
                               .needs = Scope::kTimersRead,
                               .handler = to(&TimerRoutes::Count),
                               .query = {"state", "due_after", "due_before"}});
  router.Add("/timers/retry", {.verb = Verb::kPost,
                               .needs = Scope::kTimersWrite,
                               .handler = to(&TimerRoutes::ReplayRange),
                               .query = {"due_after", "due_before", "dry_run"}});
  router.Add(
      "/timers/{id}/retry",
      {.verb = Verb::kPost, .needs = Scope::kTimersWrite, .handler = to(&TimerRoutes::Replay)});
  router.Add("/timers/{id}", {.verb = Verb::kGet,
                              .needs = Scope::kTimersRead,
                              .handler = to(&TimerRoutes::Find),
                              .query = {"view"}});
  router.Add(
      "/timers/{id}",
      {.verb = Verb::kDelete, .needs = Scope::kTimersWrite, .handler = to(&TimerRoutes::Cancel)});
}

// --- requests ------------------------------------------------------------------------------------

void TimerRoutes::Set(const Call& call) {
  Result<std::string> key = IdempotencyKey(call.request);
  if (!key.ok()) {
    Respond(call.to, Problem(ProblemKind::kInvalidHeader, key.status().message()));
    return;
  }
  const WallMs now = clock_.Wall();
  auto read = reader_.Read(call.request.body, call.caller.tenant(), now);
  if (const auto* error = std::get_if<BodyError>(&read)) {
    Respond(call.to, Problem(error->kind, error->detail, error->errors));
    return;
  }
  std::string body;
  if (!key->empty()) body = call.request.body;
  timers_.Set(replies_.Add(call.to, Render), std::get<TimerPtr>(std::move(read)), std::move(*key),
              std::move(body), now);
}

void TimerRoutes::List(const Call& call) {
  Result<ListQuery> list = ParseList(call.query, call.caller.tenant());
  if (!list.ok()) {
    Respond(call.to, Problem(ProblemKind::kInvalidQuery, list.status().message()));
    return;
  }
  const ReplyToken token = replies_.Add(call.to, Render);
  std::string& next_query = replies_.At(token).next_query;
  for (const std::string_view name : {"limit", "state", "due_after", "due_before"}) {
    const auto value = call.query.Get(name);
    if (value) next_query.append(name).append("=").append(PercentEncode(*value)).append("&");
  }
  timers_.List(token, *list);
}

void TimerRoutes::Count(const Call& call) {
  const Result<TimerFilter> filter = ParseFilter(call.query);
  if (!filter.ok()) {
    Respond(call.to, Problem(ProblemKind::kInvalidQuery, filter.status().message()));
    return;
  }
  // It may look at every timer; without this, one connection could ask for many such at once.
  if (filter->NeedsScan()) call.to.responder->HoldFurther(call.to);
  timers_.Count(replies_.Add(call.to, Render), {call.caller.tenant(), *filter});
}

void TimerRoutes::CancelAll(const Call& call) {
  timers_.CancelAll(replies_.Add(call.to, Render), call.caller.tenant(), clock_.Wall());
}

void TimerRoutes::Find(const Call& call) {
  const auto view = call.query.Get("view");
  if (view && *view != "full") {
    Respond(call.to, Problem(ProblemKind::kInvalidQuery, "`view` must be `full`"));
    return;
  }
  const auto id = ParseTimerId(call.path_params[0]);
  if (!id) {
    Respond(call.to, NoSuchTimer());
    return;
  }
  const ReplyToken token = replies_.Add(call.to, Render);
  replies_.At(token).full_view = view.has_value();
  timers_.Find(token, {call.caller.tenant(), *id, view.has_value()});
}

void TimerRoutes::Cancel(const Call& call) {
  const auto id = ParseTimerId(call.path_params[0]);
  if (!id) {
    Respond(call.to, NoSuchTimer());
    return;
  }
  timers_.Cancel(replies_.Add(call.to, Render), call.caller.tenant(), *id, clock_.Wall());
}

void TimerRoutes::Replay(const Call& call) {
  const auto id = ParseTimerId(call.path_params[0]);
  if (!id) {
    Respond(call.to, NoSuchTimer());
    return;
  }
  timers_.Replay(replies_.Add(call.to, Render), call.caller.tenant(), *id, clock_.Wall());
}

void TimerRoutes::ReplayRange(const Call& call) {
  Result<ReplayQuery> replay = ParseReplay(call.query, call.caller.tenant());
  if (!replay.ok()) {
    Respond(call.to, Problem(ProblemKind::kInvalidQuery, replay.status().message()));
    return;
  }
  // It is counted first, which may take a look at every dead timer; see Count.
  call.to.responder->HoldFurther(call.to);
  timers_.ReplayRange(replies_.Add(call.to, Render), replay->range, replay->dry_run, clock_.Wall());
}

}  // namespace belfry
