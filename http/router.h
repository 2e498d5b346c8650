// router.h - from method and path to the function that answers, and everything that is decided
// before it: 421, 404, 405, 401, 403, 429, unknown query parameters, 415, CORS.
//
// Loop thread only. Routes are added before the first request.
//
// There are two kinds of routes. An Endpoint names the Scope it needs, and its handler gets a Call
// with a Caller; a PublicEndpoint is for everybody, and its handler gets a PublicCall, with which
// no data of a tenant can be asked for. Neither compiles as the other.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "http/authentication.h"
#include "http/message.h"
#include "http/query_params.h"

namespace belfry {

struct RouterOptions {
  // Origins whose pages may call the API; empty: CORS is off and OPTIONS is not a method.
  std::vector<std::string> cors_origins;
};

// What a handler gets; valid only while it runs, but for `to`.
struct Call {
  const Request& request;
  std::array<std::string_view, 2> path_params;  // what stood for `{id}` and other `{...}`
  const QueryParams& query;
  ReplyTo to;
  Caller caller;
};

struct PublicCall {
  const Request& request;
  ReplyTo to;
};

// Without a default, so that no Endpoint is made without it.
struct Needs {
  Needs(Scope s) : scope(s) {}  // NOLINT: implicit
  Scope scope;
};

struct Endpoint {
  Verb verb = Verb::kGet;  // kGet answers HEAD too
  Needs needs;
  std::function<void(const Call&)> handler = {};
  std::vector<std::string_view> query = {};     // names of its parameters; literals
  std::vector<std::string_view> repeated = {};  // of these, those that may occur several times
  bool takes_body = false;                      // false: only an empty body or `{}`
  bool long_answer = false;                     // pipelined requests behind it wait
};

struct PublicEndpoint {  // without parameters
  Verb verb = Verb::kGet;
  std::function<void(const PublicCall&)> handler = {};
  bool any_host = false;  // any name may be in Host, although no token is needed
};

class Router final : public RequestHandler {
 public:
  // Without tokens, over TCP the Host must be an IP literal or `localhost`, so that no web page
  // reaches us by rebinding a name, and what a browser says comes from another site changes
  // nothing. `authentication` outlives this.
  Router(Authentication& authentication, RouterOptions options)
      : authentication_(authentication), options_(std::move(options)) {}

  // `pattern` is a path in which a segment `{id}` stands for any positive number, written without
  // leading zeros, and any other, as `{name}`, for any segment that is not empty; it is not
  // decoded. Patterns are tried in the order in which they were first added.
  void Add(std::string_view pattern, Endpoint endpoint);
  void AddPublic(std::string_view pattern, PublicEndpoint endpoint);

  // `GET /timers/{id}` and so on, in the order of adding. HEAD and OPTIONS are not named.
  [[nodiscard]] std::vector<std::string> Routes() const;

  void Handle(const Request& request, const ReplyTo& to) override;
  [[nodiscard]] std::string CommonHeaders(const Request& request) override;  // those of CORS

 private:
  struct Route {
    std::string pattern;
    std::vector<std::variant<Endpoint, PublicEndpoint>> endpoints;
    std::string allow;  // the value of Allow
  };

  Route& RouteOf(std::string_view pattern);
  [[nodiscard]] static Verb VerbOf(const std::variant<Endpoint, PublicEndpoint>& endpoint);
  [[nodiscard]] std::string AllowOf(const Route& route) const;
  [[nodiscard]] const Route* Match(std::string_view path,
                                   std::array<std::string_view, 2>& params) const;
  [[nodiscard]] bool HostAllowed(const Request& request, const Route* route) const;
  // A browser says so (Fetch Metadata, W3C). No preflight asks about a POST without a body.
  [[nodiscard]] bool ComesFromForeignPage(const Request& request) const;
  [[nodiscard]] const std::string* AllowedOrigin(const Request& request) const;
  void AnswerOptions(const Request& request, const Route& route, const ReplyTo& to) const;
  void CallEndpoint(const Endpoint& endpoint, const Request& request,
                    const std::array<std::string_view, 2>& params, const ReplyTo& to) const;
  void CallEndpoint(const PublicEndpoint& endpoint, const Request& request,
                    const std::array<std::string_view, 2>& params, const ReplyTo& to) const;

  Authentication& authentication_;
  const RouterOptions options_;
  std::vector<Route> routes_;
};

}  // namespace belfry
