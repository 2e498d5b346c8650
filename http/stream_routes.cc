#include "http/stream_routes.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/name.h"
#include "base/rfc3339.h"
#include "http/json_writer.h"
#include "http/name.h"
#include "http/problem.h"
#include "http/timer_query.h"

namespace belfry {
namespace {

using Waiting = ReplyTable::Waiting;

Response NoSuchUser() { return Problem(ProblemKind::kNotFound, "there is no such user"); }
Response NoSuchStream() { return Problem(ProblemKind::kNotFound, "there is no such stream"); }

bool IsMissing(const Reply& reply) { return std::holds_alternative<NotFoundReply>(reply.what); }

template <typename T>
const T& As(const Reply& reply) {
  const auto* what = std::get_if<T>(&reply.what);
  CHECK(what != nullptr);
  return *what;
}

Response NoContent() {
  Response response;
  response.status = 204;
  response.content_type = ContentType::kNone;
  return response;
}

// `waiting.next_query` is the user's name.
Response RenderMade(const Reply& reply, const Waiting& waiting, WallMs) {
  if (std::holds_alternative<UserExistsReply>(reply.what)) {
    return Problem(ProblemKind::kUserExists, "there is a user of this name; nothing changed");
  }
  const auto& made = As<UserMadeReply>(reply);
  UserView user;
  user.user = waiting.next_query;
  Response response;
  AppendUser(response.body, user, made.limit);
  response.status = 201;
  response.headers = "Location: /users/" + PercentEncode(user.user) + "\r\n";
  return response;
}

Response RenderGone(const Reply& reply, const Waiting&, WallMs) {
  if (IsMissing(reply)) return NoSuchUser();
  static_cast<void>(As<UserGoneReply>(reply));
  return NoContent();
}

Response RenderUser(const Reply& reply, const Waiting&, WallMs) {
  if (IsMissing(reply)) return NoSuchUser();
  const auto& found = As<UserReply>(reply);
  Response response;
  AppendUser(response.body, found.user, found.default_limit);
  return response;
}

Response RenderStreams(const Reply& reply, const Waiting&, WallMs) {
  if (IsMissing(reply)) return NoSuchUser();
  const auto& found = As<UserReply>(reply);
  const uint32_t limit = found.user.limit.value_or(found.default_limit);
  Response response = Json("{\"count\":" + std::to_string(found.user.streams.size()) +
                           ",\"limit\":" + std::to_string(limit) + ",\"streams\":");
  AppendStreams(response.body, found.user.streams);
  response.body += '}';
  return response;
}

// A page ends early when it grows too long; then the rest is on the next one.
Response RenderUsers(const Reply& reply, const Waiting& waiting, WallMs) {
  const auto& [page, default_limit] = As<UsersReply>(reply);
  Response response = Json("[");
  std::optional<std::string> next_after = page.next_after;
  for (size_t i = 0; i < page.users.size(); ++i) {
    if (i > 0) response.body += ',';
    AppendUser(response.body, page.users[i], default_limit);
    if (response.body.size() > kListBytesMax && i + 1 < page.users.size()) {
      next_after = page.users[i].user;
      break;
    }
  }
  response.body += ']';
  if (next_after) {
    response.headers = "Link: </users?" + waiting.next_query +
                       "after=" + PercentEncode(*next_after) + ">; rel=\"next\"\r\n";
  }
  return response;
}

Response Full(const StreamLimitReply& full) {
  std::string members = "\"limit\":" + std::to_string(full.limit) +
                        ",\"active\":" + std::to_string(full.playing.size()) + ",\"streams\":";
  AppendStreams(members, full.playing);
  return Problem(ProblemKind::kStreamLimit, "the user has as many streams as they may have", {},
                 members);
}

// `waiting.next_query` is the path of the user's streams.
Response RenderStarted(const Reply& reply, const Waiting& waiting, WallMs) {
  if (IsMissing(reply)) return NoSuchUser();
  if (const auto* full = std::get_if<StreamLimitReply>(&reply.what)) return Full(*full);
  const auto& started = As<StreamStartedReply>(reply);
  Response response;
  JsonWriter json(response.body);
  json.Open('{');
  json.Key("streamId").String(FormatUuid(started.stream));
  json.Key("active").Uint(started.active);
  json.Key("limit").Uint(started.limit);
  if (!started.evicted.empty()) {
    json.Key("evicted").Open('[');
    for (const StreamId& id : started.evicted) json.String(FormatUuid(id));
    json.Close(']');
  }
  json.Close('}');
  response.status = 201;
  response.headers = "Location: " + waiting.next_query + FormatUuid(started.stream) + "\r\n";
  return response;
}

Response RenderRenewed(const Reply& reply, const Waiting&, WallMs) {
  if (IsMissing(reply)) return NoSuchStream();
  return Json("{\"expiresAt\":\"" + FormatRfc3339(As<StreamRenewedReply>(reply).expires_at) +
              "\"}");
}

Response RenderEnded(const Reply& reply, const Waiting&, WallMs) {
  if (IsMissing(reply)) return NoSuchUser();
  static_cast<void>(As<StreamEndedReply>(reply));
  return NoContent();
}

// nullopt: it is answered.
std::optional<std::string> UserIn(const Call& call) {
  std::optional<std::string> user = NameInPath(call.path_params[0]);
  if (!user) {
    Respond(call.to,
            Problem(ProblemKind::kInvalidName, "the name in the path " + std::string(kNameRule)));
  }
  return user;
}

// What is no UUID is the id of a stream that never was.
StreamId StreamIn(const Call& call) { return ParseUuid(call.path_params[1]).value_or(StreamId{}); }

}  // namespace

StreamRoutes::StreamRoutes(Streams& streams, ReplyTable& replies, const Clock& clock,
                           NormaliseUrlFn normalise_url, int64_t default_ttl_ms)
    : streams_(streams),
      replies_(replies),
      clock_(clock),
      reader_(std::move(normalise_url), default_ttl_ms) {}

void StreamRoutes::Register(Router& router) {
  const auto add = [&](Verb verb, std::string_view pattern,
                       std::function<void(const Call&)> handler, bool long_answer = false) {
    router.Add(pattern, {.verb = verb,
                         .needs = Scope::kStreams,
                         .handler = std::move(handler),
                         .takes_body = verb == Verb::kPost,
                         .long_answer = long_answer});
  };
  // May list all streams of a user; a start does when it is refused.
  const bool lists = true;
  add(Verb::kPost, "/users", [this](const Call& call) { PutUser(call); });
  router.Add("/users", {.verb = Verb::kGet,
                        .needs = Scope::kStreams,
                        .handler = [this](const Call& call) { ListUsers(call); },
                        .query = {"limit", "after"},
                        .long_answer = lists});
  const auto find_user = [this](const Call& call) { FindUser(call, RenderUser); };
  add(Verb::kGet, "/users/{userId}", find_user, lists);
  add(Verb::kDelete, "/users/{userId}", [this](const Call& call) { DeleteUser(call); });
  add(
      Verb::kPost, "/users/{userId}/streams", [this](const Call& call) { Start(call); }, lists);
  const auto find_streams = [this](const Call& call) { FindUser(call, RenderStreams); };
  add(Verb::kGet, "/users/{userId}/streams", find_streams, lists);
  add(Verb::kPut, "/users/{userId}/streams/{streamId}", [this](const Call& call) { Renew(call); });
  add(Verb::kDelete, "/users/{userId}/streams/{streamId}", [this](const Call& call) { End(call); });
}

void StreamRoutes::PutUser(const Call& call) {
  auto read = reader_.ReadUser(call.request.body);
  if (const auto* error = std::get_if<BodyError>(&read)) {
    return Respond(call.to, Problem(error->kind, error->detail, error->errors));
  }
  auto& wish = std::get<UserWish>(read);
  const ReplyToken token = replies_.Add(call.to, RenderMade);
  replies_.At(token).next_query = wish.user;
  streams_.PutUser(token, call.caller.tenant(), std::move(wish.user), wish.limit);
}

void StreamRoutes::ListUsers(const Call& call) {
  const Result<int> limit = ParsePageLimit(call.query);
  if (!limit.ok()) {
    return Respond(call.to, Problem(ProblemKind::kInvalidQuery, limit.status().message()));
  }
  const std::string after(call.query.Get("after").value_or(""));
  if (call.query.Get("after") && !IsName(after)) {
    return Respond(call.to,
                   Problem(ProblemKind::kInvalidQuery, "`after` " + std::string(kNameRule)));
  }
  const ReplyToken token = replies_.Add(call.to, RenderUsers);
  if (const auto text = call.query.Get("limit")) {
    replies_.At(token).next_query.append("limit=").append(*text) += '&';
  }
  streams_.ListUsers(token, {call.caller.tenant(), after, *limit, clock_.Wall()});
}

void StreamRoutes::FindUser(const Call& call, ReplyTable::RenderFn render) {
  auto user = UserIn(call);
  if (!user) return;
  streams_.FindUser(replies_.Add(call.to, render),
                    {call.caller.tenant(), std::move(*user), clock_.Wall()});
}

void StreamRoutes::DeleteUser(const Call& call) {
  auto user = UserIn(call);
  if (!user) return;
  streams_.DeleteUser(replies_.Add(call.to, RenderGone), call.caller.tenant(), std::move(*user),
                      clock_.Wall());
}

void StreamRoutes::Start(const Call& call) {
  auto user = UserIn(call);
  if (!user) return;
  auto read = reader_.ReadStart(call.request.body);
  if (const auto* error = std::get_if<BodyError>(&read)) {
    return Respond(call.to, Problem(error->kind, error->detail, error->errors));
  }
  auto& start = std::get<StreamStart>(read);
  start.tenant = call.caller.tenant();
  start.user = std::move(*user);
  const ReplyToken token = replies_.Add(call.to, RenderStarted);
  replies_.At(token).next_query = "/users/" + PercentEncode(start.user) + "/streams/";
  streams_.Start(token, std::move(start), clock_.Wall());
}

void StreamRoutes::Renew(const Call& call) {
  auto user = UserIn(call);
  if (!user) return;
  streams_.Renew(replies_.Add(call.to, RenderRenewed), call.caller.tenant(), std::move(*user),
                 StreamIn(call), clock_.Wall());
}

void StreamRoutes::End(const Call& call) {
  auto user = UserIn(call);
  if (!user) return;
  streams_.End(replies_.Add(call.to, RenderEnded), call.caller.tenant(), std::move(*user),
               StreamIn(call), clock_.Wall());
}

}  // namespace belfry
