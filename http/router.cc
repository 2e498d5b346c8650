#include "http/router.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/limits.h"
#include "http/ascii.h"
#include "http/host.h"
#include "http/problem.h"

namespace belfry {
namespace {

// The segment at the front of `path`, which starts behind its '/'; takes it off.
std::string_view TakeSegment(std::string_view& path) {
  const size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash);
  return segment;
}

bool IsId(std::string_view segment) {
  return !segment.empty() && segment[0] != '0' &&
         std::all_of(segment.begin(), segment.end(), IsAsciiDigit);
}

bool Matches(std::string_view pattern, std::string_view path,
             std::array<std::string_view, 2>& params) {
  size_t count = 0;
  while (!pattern.empty() && !path.empty()) {
    if (path[0] != '/') return false;
    pattern.remove_prefix(1);
    path.remove_prefix(1);
    const std::string_view wanted = TakeSegment(pattern);
    const std::string_view segment = TakeSegment(path);
    if (wanted == "{id}") {
      if (!IsId(segment)) return false;
      params[count++] = segment;
    } else if (wanted.starts_with('{')) {
      if (segment.empty()) return false;
      params[count++] = segment;
    } else if (wanted != segment) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

bool IsJson(std::string_view content_type) {
  return EqualsIgnoringCase(TrimBlanks(content_type.substr(0, content_type.find(';'))),
                            "application/json");
}

// `{}`, white space allowed: what a body may be where none is expected.
bool IsEmptyObject(std::string_view body) {
  std::string significant;
  for (const char c : body) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') continue;
    significant += c;
    if (significant.size() > 2) return false;
  }
  return significant == "{}";
}

Verb RoutedVerb(Verb verb) { return verb == Verb::kHead ? Verb::kGet : verb; }

// nullopt: the body is as it should be.
std::optional<Response> BodyProblem(const Request& request, bool takes_body) {
  if (request.body.empty()) return std::nullopt;
  const HeaderHit type = FindHeader(request, "content-type");
  if (type.count != 1 || !IsJson(type.value)) {
    return Problem(ProblemKind::kUnsupportedMediaType,
                   "a body needs `Content-Type: application/json`");
  }
  if (takes_body || IsEmptyObject(request.body)) return std::nullopt;
  return Problem(ProblemKind::kInvalidBody, "no body is taken here",
                 {{"", "must be absent or `{}`"}});
}

}  // namespace

Verb Router::VerbOf(const std::variant<Endpoint, PublicEndpoint>& endpoint) {
  return std::visit([](const auto& e) { return e.verb; }, endpoint);
}

std::string Router::AllowOf(const Route& route) const {
  std::string allow;
  const auto add = [&](std::string_view name) {
    if (!allow.empty()) allow += ", ";
    allow += name;
  };
  for (const auto& endpoint : route.endpoints) {
    add(VerbName(VerbOf(endpoint)));
    if (VerbOf(endpoint) == Verb::kGet) add("HEAD");
  }
  if (!options_.cors_origins.empty()) add("OPTIONS");
  return allow;
}

Router::Route& Router::RouteOf(std::string_view pattern) {
  CHECK(std::count(pattern.begin(), pattern.end(), '{') <= 2);
  const auto route = std::find_if(routes_.begin(), routes_.end(),
                                  [&](const Route& r) { return r.pattern == pattern; });
  if (route != routes_.end()) return *route;
  return routes_.emplace_back(Route{std::string(pattern), {}, {}});
}

void Router::Add(std::string_view pattern, Endpoint endpoint) {
  Route& route = RouteOf(pattern);
  route.endpoints.emplace_back(std::move(endpoint));
  route.allow = AllowOf(route);
}

void Router::AddPublic(std::string_view pattern, PublicEndpoint endpoint) {
  Route& route = RouteOf(pattern);
  route.endpoints.emplace_back(std::move(endpoint));
  route.allow = AllowOf(route);
}

std::vector<std::string> Router::Routes() const {
  std::vector<std::string> routes;
  for (const Route& route : routes_) {
    for (const auto& endpoint : route.endpoints) {
      routes.push_back(std::string(VerbName(VerbOf(endpoint))) + " " + route.pattern);
    }
  }
  return routes;
}

const Router::Route* Router::Match(std::string_view path,
                                   std::array<std::string_view, 2>& params) const {
  for (const Route& route : routes_) {
    if (Matches(route.pattern, path, params)) return &route;
  }
  return nullptr;
}

bool Router::HostAllowed(const Request& request, const Route* route) const {
  if (authentication_.needs_token() || !request.peer.over_tcp) return true;
  const auto* open = route ? std::get_if<PublicEndpoint>(&route->endpoints[0]) : nullptr;
  if (open != nullptr && open->any_host) return true;
  // A target in absolute form does not excuse the header that goes with it.
  const HeaderHit header = FindHeader(request, "host");
  if (header.count > 0 && ClassifyHost(header.value) != HostKind::kLocal) return false;
  return ClassifyHost(request.host) == HostKind::kLocal;
}

bool Router::ComesFromForeignPage(const Request& request) const {
  if (authentication_.needs_token() || IsSafe(request.verb)) return false;
  const HeaderHit site = FindHeader(request, "sec-fetch-site");
  const bool foreign = site.value == "cross-site" || site.value == "same-site";
  return foreign && AllowedOrigin(request) == nullptr;
}

const std::string* Router::AllowedOrigin(const Request& request) const {
  if (options_.cors_origins.empty()) return nullptr;
  const HeaderHit origin = FindHeader(request, "origin");
  if (origin.count != 1) return nullptr;
  const auto found =
      std::find(options_.cors_origins.begin(), options_.cors_origins.end(), origin.value);
  return found == options_.cors_origins.end() ? nullptr : &*found;
}

std::string Router::CommonHeaders(const Request& request) {
  if (options_.cors_origins.empty()) return {};
  std::string lines = "Vary: Origin\r\n";
  if (const std::string* origin = AllowedOrigin(request)) {
    lines += "Access-Control-Allow-Origin: " + *origin +
             "\r\nAccess-Control-Expose-Headers: Link, Location, Retry-After, X-Request-Id\r\n";
  }
  return lines;
}

void Router::Handle(const Request& request, const ReplyTo& to) {
  std::array<std::string_view, 2> params;
  const Route* route = Match(request.path, params);
  if (!HostAllowed(request, route)) {
    Respond(to, Problem(ProblemKind::kMisdirectedRequest,
                        "without tokens the Host must be an IP address or localhost"));
    return;
  }
  if (ComesFromForeignPage(request)) {
    Respond(to, Problem(ProblemKind::kForbidden,
                        "without tokens a page of another site may change nothing, unless "
                        "`http.cors_origins` names it"));
    return;
  }
  if (route == nullptr) {
    Respond(to, Problem(ProblemKind::kNotFound, "there is nothing at this path"));
    return;
  }
  for (const auto& endpoint : route->endpoints) {
    if (VerbOf(endpoint) != RoutedVerb(request.verb)) continue;
    return std::visit([&](const auto& e) { CallEndpoint(e, request, params, to); }, endpoint);
  }
  if (request.verb == Verb::kOptions && !options_.cors_origins.empty()) {
    AnswerOptions(request, *route, to);
    return;
  }
  Response refused = Problem(ProblemKind::kMethodNotAllowed, "this path allows " + route->allow);
  refused.headers = "Allow: " + route->allow + "\r\n";
  Respond(to, std::move(refused));
}

void Router::AnswerOptions(const Request& request, const Route& route, const ReplyTo& to) const {
  Response response;
  response.status = 204;
  response.content_type = ContentType::kNone;
  response.headers = "Allow: " + route.allow + "\r\n";
  const bool preflight = FindHeader(request, "access-control-request-method").count == 1;
  if (preflight && AllowedOrigin(request) != nullptr) {
    response.headers += "Access-Control-Allow-Methods: " + route.allow +
                        "\r\nAccess-Control-Allow-Headers: Authorization, Content-Type, "
                        "Idempotency-Key, Last-Event-ID, X-Request-Id\r\nAccess-Control-Max-Age: " +
                        std::to_string(kCorsMaxAgeSeconds) + "\r\n";
  }
  Respond(to, std::move(response));
}

// Who may not call learns nothing of what is wrong with the request.
void Router::CallEndpoint(const Endpoint& endpoint, const Request& request,
                          const std::array<std::string_view, 2>& params, const ReplyTo& to) const {
  Response refusal;
  const auto caller = authentication_.Admit(request, endpoint.needs.scope, &refusal);
  if (!caller) return Respond(to, std::move(refusal));
  const Result<QueryParams> query =
      QueryParams::Parse(request.query, endpoint.query, endpoint.repeated);
  if (!query.ok()) {
    return Respond(to, Problem(ProblemKind::kInvalidQuery, query.status().message()));
  }
  if (auto problem = BodyProblem(request, endpoint.takes_body)) {
    return Respond(to, std::move(*problem));
  }
  if (endpoint.long_answer) to.responder->HoldFurther(to);
  endpoint.handler({request, params, *query, to, *caller});
}

void Router::CallEndpoint(const PublicEndpoint& endpoint, const Request& request,
                          const std::array<std::string_view, 2>& /*params*/,
                          const ReplyTo& to) const {
  const Result<QueryParams> query = QueryParams::Parse(request.query, {});
  if (!query.ok()) {
    return Respond(to, Problem(ProblemKind::kInvalidQuery, query.status().message()));
  }
  if (auto problem = BodyProblem(request, false)) return Respond(to, std::move(*problem));
  endpoint.handler({request, to});
}

}  // namespace belfry
