#include "http/router.h"

#include <algorithm>

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

std::string AllowOf(const std::vector<Endpoint>& endpoints, bool with_options) {
  std::string allow;
  const auto add = [&](std::string_view name) {
    if (!allow.empty()) allow += ", ";
    allow += name;
  };
  for (const Endpoint& endpoint : endpoints) {
    add(VerbName(endpoint.verb));
    if (endpoint.verb == Verb::kGet) add("HEAD");
  }
  if (with_options) add("OPTIONS");
  return allow;
}

}  // namespace

void Router::Add(std::string_view pattern, Endpoint endpoint) {
  CHECK(std::count(pattern.begin(), pattern.end(), '{') <= 2);
  auto route = std::find_if(routes_.begin(), routes_.end(),
                            [&](const Route& r) { return r.pattern == pattern; });
  if (route == routes_.end()) {
    route = routes_.insert(routes_.end(), Route{std::string(pattern), {}, {}});
  }
  route->endpoints.push_back(std::move(endpoint));
  route->allow = AllowOf(route->endpoints, !options_.cors_origins.empty());
}

const Router::Route* Router::Match(std::string_view path,
                                   std::array<std::string_view, 2>& params) const {
  for (const Route& route : routes_) {
    if (Matches(route.pattern, path, params)) return &route;
  }
  return nullptr;
}

bool Router::HostAllowed(const Request& request, const Route* route) const {
  if (!options_.require_local_host || !request.over_tcp) return true;
  if (route != nullptr && route->endpoints[0].any_host) return true;
  // A target in absolute form does not excuse the header that goes with it.
  const HeaderHit header = FindHeader(request, "host");
  if (header.count > 0 && ClassifyHost(header.value) != HostKind::kLocal) return false;
  return ClassifyHost(request.host) == HostKind::kLocal;
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
  if (route == nullptr) {
    Respond(to, Problem(ProblemKind::kNotFound, "there is nothing at this path"));
    return;
  }
  for (const Endpoint& endpoint : route->endpoints) {
    if (endpoint.verb == RoutedVerb(request.verb)) {
      CallEndpoint(endpoint, request, params, to);
      return;
    }
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
                        "Idempotency-Key, X-Request-Id\r\nAccess-Control-Max-Age: " +
                        std::to_string(kCorsMaxAgeSeconds) + "\r\n";
  }
  Respond(to, std::move(response));
}

void Router::CallEndpoint(const Endpoint& endpoint, const Request& request,
                          const std::array<std::string_view, 2>& params, const ReplyTo& to) const {
  const Result<QueryParams> query = QueryParams::Parse(request.query, endpoint.query);
  if (!query.ok()) {
    Respond(to, Problem(ProblemKind::kInvalidQuery, query.status().message()));
    return;
  }
  if (!request.body.empty()) {
    const HeaderHit type = FindHeader(request, "content-type");
    if (type.count != 1 || !IsJson(type.value)) {
      Respond(to, Problem(ProblemKind::kUnsupportedMediaType,
                          "a body needs `Content-Type: application/json`"));
      return;
    }
    if (!endpoint.takes_body && !IsEmptyObject(request.body)) {
      Respond(to, Problem(ProblemKind::kInvalidBody, "no body is taken here",
                          {{"", "must be absent or `{}`"}}));
      return;
    }
  }
  if (endpoint.long_answer) to.responder->HoldFurther(to);
  endpoint.handler({request, params, *query, to});
}

}  // namespace belfry
