#include "http/stopwatch_routes.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "base/name.h"
#include "http/json_body.h"
#include "http/json_writer.h"
#include "http/name.h"

namespace belfry {
namespace {

constexpr std::string_view kEvents = "events";

Response RenderStarted(const Reply& reply, const ReplyTable::Waiting&, WallMs) {
  const auto* started = std::get_if<StopwatchReply>(&reply.what);
  CHECK(started != nullptr);
  std::string body = "{\"name\":";
  AppendJsonString(body, started->name);
  Response response = Json(body + ",\"elapsed\":0}");
  if (started->created) response.status = 201;
  return response;
}

Response RenderGone(const Reply& reply, const ReplyTable::Waiting&, WallMs) {
  CHECK(std::holds_alternative<StopwatchGoneReply>(reply.what));
  Response response;
  response.status = 204;
  response.content_type = ContentType::kNone;
  return response;
}

BodyError WrongName(std::string_view why) {
  BodyError error;
  error.detail = "`name` " + std::string(why);
  error.errors.push_back({"/name", std::string(why)});
  return error;
}

// nullopt: it is answered.
std::optional<std::string> NameFor(const Call& call, std::string_view segment) {
  std::optional<std::string> name = NameInPath(segment);
  if (!name) {
    Respond(call.to,
            Problem(ProblemKind::kInvalidName, "the name in the path " + std::string(kNameRule)));
  }
  return name;
}

// What the parameters ask for.
Result<StopwatchFeed::Wish> WishOf(const QueryParams& query) {
  StopwatchFeed::Wish wish;
  for (std::string& name : query.All("name")) {
    if (!IsName(name)) return Invalid("`name` " + std::string(kNameRule));
    const bool repeated = std::find(wish.names.begin(), wish.names.end(), name) != wish.names.end();
    if (repeated) return Invalid("`name` is the same twice");
    wish.names.push_back(std::move(name));
  }
  if (wish.names.size() > kFeedNamesMax) {
    return Invalid("`name` may be given " + std::to_string(kFeedNamesMax) + " times at most");
  }
  const std::string_view own = query.Get("own").value_or("false");
  if (own != "true" && own != "false") return Invalid("`own` must be true or false");
  wish.own = own == "true";
  if (!wish.own && wish.names.empty()) return Invalid("`name` or `own=true` is needed");
  return wish;
}

}  // namespace

StopwatchRoutes::StopwatchRoutes(Stopwatches& stopwatches, ReplyTable& replies, const Clock& clock,
                                 StopwatchLists& lists, EventStreams& events)
    : stopwatches_(stopwatches),
      replies_(replies),
      clock_(clock),
      lists_(lists),
      events_(events),
      json_(std::make_unique<JsonBody>()) {}

StopwatchRoutes::~StopwatchRoutes() = default;

void StopwatchRoutes::Register(Router& router) {
  router.Add("/api/stopwatch", {.verb = Verb::kPost,
                                .needs = Scope::kStopwatches,
                                .handler = [this](const Call& call) { Start(call); },
                                .takes_body = true});
  router.Add(
      "/api/stopwatch",
      {.verb = Verb::kGet,
       .needs = Scope::kStopwatches,
       .handler = [this](const Call& call) { lists_.Answer(call.to, call.caller.tenant(), ""); },
       .long_answer = true});
  router.Add("/api/stopwatch/events", {.verb = Verb::kGet,
                                       .needs = Scope::kStopwatches,
                                       .handler = [this](const Call& call) { Events(call); },
                                       .query = {"name", "own"},
                                       .repeated = {"name"},
                                       .long_answer = true});
  router.Add("/api/stopwatch/events",
             {.verb = Verb::kDelete,
              .needs = Scope::kStopwatches,
              .handler = [this](const Call& call) { Delete(call, kEvents); }});
  router.Add("/api/stopwatch/{name}",
             {.verb = Verb::kGet,
              .needs = Scope::kStopwatches,
              .handler = [this](const Call& call) { List(call, call.path_params[0]); },
              .long_answer = true});
  router.Add("/api/stopwatch/{name}",
             {.verb = Verb::kDelete,
              .needs = Scope::kStopwatches,
              .handler = [this](const Call& call) { Delete(call, call.path_params[0]); }});
}

void StopwatchRoutes::Start(const Call& call) {
  auto name = NameInBody(call.request.body);
  if (const auto* error = std::get_if<BodyError>(&name)) {
    return Respond(call.to, Problem(error->kind, error->detail, error->errors));
  }
  stopwatches_.Start(replies_.Add(call.to, RenderStarted), call.caller.tenant(),
                     std::get<std::string>(std::move(name)), clock_.Mono());
}

void StopwatchRoutes::List(const Call& call, std::string_view segment) {
  auto name = NameFor(call, segment);
  if (name) lists_.Answer(call.to, call.caller.tenant(), std::move(*name));
}

void StopwatchRoutes::Delete(const Call& call, std::string_view segment) {
  auto name = NameFor(call, segment);
  if (!name) return;
  stopwatches_.Delete(replies_.Add(call.to, RenderGone), call.caller.tenant(), std::move(*name));
}

void StopwatchRoutes::Events(const Call& call) {
  if (call.request.query.empty()) return List(call, kEvents);
  Result<StopwatchFeed::Wish> wish = WishOf(call.query);
  if (!wish.ok()) {
    return Respond(call.to, Problem(ProblemKind::kInvalidQuery, wish.status().message()));
  }
  wish->tenant = call.caller.tenant();
  const HeaderHit last = FindHeader(call.request, "last-event-id");
  events_.Open(call.to, call.caller.ticket(), std::move(*wish),
               last.count > 0 ? std::optional(last.value) : std::nullopt);
}

std::variant<std::string, BodyError> StopwatchRoutes::NameInBody(std::string_view body) {
  if (body.empty()) return WrongName("is missing");
  auto parsed = json_->Parse(body);
  if (auto* error = std::get_if<BodyError>(&parsed)) return std::move(*error);
  std::optional<std::string> name;
  for (const auto [key, value] : std::get<simdjson::dom::object>(parsed)) {
    if (key != "name") {
      BodyError error;
      error.detail = "a member is not known";
      error.errors.push_back({PointerTo("", key), "is not a known member"});
      return error;
    }
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) return WrongName("must be a string");
    if (!IsName(text)) return WrongName(kNameRule);
    name = std::string(text);
  }
  if (!name) return WrongName("is missing");
  return std::move(*name);
}

}  // namespace belfry
