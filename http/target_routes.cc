#include "http/target_routes.h"

#include <cmath>
#include <string>

#include "base/check.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "http/json_body.h"
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
  json.Key("paused").Bool(view.paused);
  json.Key("in_flight").Uint(view.in_flight);
  json.Key("limit").Uint(view.limit);
  json.Key("staged").Uint(view.staged);
  json.Key("parked").Bool(view.parked);
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
Response Render(const TargetPage& page, bool paused_all, const std::string& next_query) {
  Response response;
  response.body = paused_all ? "{\"paused\":true,\"targets\":[" : "{\"paused\":false,\"targets\":[";
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

Response RenderSwitch(const Reply& reply, const ReplyTable::Waiting&, WallMs) {
  const auto* done = std::get_if<PausedReply>(&reply.what);
  CHECK(done != nullptr);
  std::string body;
  JsonWriter json(body);
  json.Open('{');
  if (done->target.empty()) {
    json.Key("all").Bool(true);
  } else {
    json.Key("target").String(done->target);
  }
  json.Key("paused").Bool(done->paused);
  json.Close('}');
  return Json(std::move(body));
}

constexpr std::string_view kOneOfTwo = "must have either `target` or `\"all\": true`";

BodyError Wrong(std::string pointer, std::string_view why) {
  BodyError error;
  error.detail = (pointer.empty() ? "the body" : pointer) + ' ' + std::string(why);
  error.errors.push_back({std::move(pointer), std::string(why)});
  return error;
}

}  // namespace

TargetRoutes::TargetRoutes(Timers& timers, ReplyTable& replies, const Clock& clock,
                           NormaliseUrlFn normalise_url)
    : timers_(timers),
      replies_(replies),
      clock_(clock),
      normalise_url_(std::move(normalise_url)),
      json_(std::make_unique<JsonBody>()) {}

TargetRoutes::~TargetRoutes() = default;

void TargetRoutes::Register(Router& router) {
  router.Add("/targets", {.verb = Verb::kGet,
                          .needs = Scope::kAdmin,
                          .handler = [this](const Call& call) { List(call); },
                          .query = {"limit", "after"},
                          .long_answer = true});
  router.Add("/targets/pause", {.verb = Verb::kPost,
                                .needs = Scope::kAdmin,
                                .handler = [this](const Call& call) { Switch(call, true); },
                                .takes_body = true});
  router.Add("/targets/resume", {.verb = Verb::kPost,
                                 .needs = Scope::kAdmin,
                                 .handler = [this](const Call& call) { Switch(call, false); },
                                 .takes_body = true});
}

void TargetRoutes::List(const Call& call) {
  const Result<int> limit = ParsePageLimit(call.query);
  if (!limit.ok()) {
    return Respond(call.to, Problem(ProblemKind::kInvalidQuery, limit.status().message()));
  }
  const std::string_view after = call.query.Get("after").value_or("");
  std::string next_query;
  if (const auto text = call.query.Get("limit")) next_query.append("limit=").append(*text) += '&';
  const TargetPage page = timers_.Targets(after, static_cast<size_t>(*limit), clock_.Wall());
  Respond(call.to, Render(page, timers_.paused_all(), next_query));
}

void TargetRoutes::Switch(const Call& call, bool paused) {
  auto which = Which(call.request.body);
  if (const auto* error = std::get_if<BodyError>(&which)) {
    return Respond(call.to, Problem(error->kind, error->detail, error->errors));
  }
  timers_.Pause(replies_.Add(call.to, RenderSwitch), std::get<std::string>(std::move(which)),
                paused);
}

std::variant<std::string, BodyError> TargetRoutes::Which(std::string_view body) {
  if (body.empty()) return Wrong("", kOneOfTwo);
  auto parsed = json_->Parse(body);
  if (auto* error = std::get_if<BodyError>(&parsed)) return std::move(*error);
  std::optional<std::string> target;
  bool all = false;
  for (const auto [key, value] : std::get<simdjson::dom::object>(parsed)) {
    const std::string pointer = PointerTo("", key);
    if (key == "all") {
      if (value.get(all) != simdjson::SUCCESS || !all) return Wrong(pointer, "must be true");
    } else if (key == "target") {
      std::string_view url;
      if (value.get(url) != simdjson::SUCCESS) return Wrong(pointer, "must be a string");
      auto name = TargetNamed(url);
      if (!name.ok()) return Wrong(pointer, name.status().message());
      target = std::move(*name);
    } else {
      return Wrong(pointer, "is not a known member");
    }
  }
  if (target.has_value() == all) return Wrong("", kOneOfTwo);
  return target.value_or("");
}

// As the URLs of its timers have it.
Result<std::string> TargetRoutes::TargetNamed(std::string_view text) const {
  Result<std::string> url = normalise_url_(text);
  if (!url.ok()) return url.status();
  Timer timer;
  timer.url = std::move(*url);
  std::string name(TargetOf(timer));
  if (timer.url.size() > name.size() + 1) return Invalid("must end with its host or port");
  return name;
}

}  // namespace belfry
