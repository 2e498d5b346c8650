#include "http/target_routes.h"

#include <cmath>
#include <string>

#include "base/check.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "http/json_writer.h"
#include "http/problem.h"
#include "http/timer_query.h"

namespace belfry {
namespace {

std::string_view NameOf(BreakerState state) {
  switch (state) {
    case BreakerState::kClosed:
      return "closed";
    case BreakerState::kOpen:
      return "open";
    case BreakerState::kHalfOpen:
      return "half_open";
  }
  CHECK(false);
}

void AppendInt(JsonWriter& json, std::string_view key, const std::optional<int64_t>& value) {
  json.Key(key);
  value ? json.Int(*value) : json.Null();
}

void AppendTarget(std::string& out, const TargetView& view) {
  JsonWriter json(out);
  json.Open('{');
  json.Key("name").String(view.name);
  json.Key("state").String(NameOf(view.state));
  json.Key("in_flight").Uint(view.in_flight);
  json.Key("limit").Uint(view.limit);
  json.Key("staged").Uint(view.staged);
  json.Key("error_rate");
  if (view.recent.attempts > 0) {
    json.Number(std::round(1000.0 * view.recent.failures / view.recent.attempts) / 1000);
  } else {
    json.Null();
  }
  AppendInt(json, "p50_ms", view.p50_ms);
  AppendInt(json, "p99_ms", view.p99_ms);
  json.Key("blocked_until");
  view.blocked_until ? json.String(FormatRfc3339(*view.blocked_until)) : json.Null();
  json.Key("last_error");
  view.last_error.empty() ? json.Null() : json.String(view.last_error);
  json.Close('}');
}

// A page ends early when it grows too long; then the rest is on the next one.
Response Render(const TargetPage& page, const std::string& next_query) {
  Response response;
  response.body = "{\"targets\":[";
  bool more = page.more;
  size_t shown = 0;
  while (shown < page.targets.size()) {
    if (shown > 0) response.body += ',';
    AppendTarget(response.body, page.targets[shown++]);
    if (response.body.size() <= kListBytesMax) continue;
    more |= shown < page.targets.size();
    break;
  }
  response.body += "]}";
  if (more) {
    response.headers = "Link: </targets?" + next_query +
                       "after=" + PercentEncode(page.targets[shown - 1].name) +
                       ">; rel=\"next\"\r\n";
  }
  return response;
}

void List(const Call& call, const Timers& timers, WallMs now) {
  const Result<int> limit = ParsePageLimit(call.query);
  if (!limit.ok()) {
    return Respond(call.to, Problem(ProblemKind::kInvalidQuery, limit.status().message()));
  }
  const std::string_view after = call.query.Get("after").value_or("");
  std::string next_query;
  if (const auto text = call.query.Get("limit")) next_query.append("limit=").append(*text) += '&';
  const TargetPage page = timers.Targets(after, static_cast<size_t>(*limit), now);
  Respond(call.to, Render(page, next_query));
}

}  // namespace

void RegisterTargetRoutes(Router& router, const Timers& timers, const Clock& clock) {
  router.Add("/targets",
             {.verb = Verb::kGet,
              .handler = [&timers, &clock](const Call& call) { List(call, timers, clock.Wall()); },
              .query = {"limit", "after"},
              .long_answer = true});
}

}  // namespace belfry
