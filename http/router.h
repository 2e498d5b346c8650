// router.h - from method and path to the function that answers, and everything that is decided
// before it: 421, 404, 405, unknown query parameters, 415, CORS.
//
// Loop thread only. Routes are added before the first request.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/query_params.h"

namespace belfry {

struct RouterOptions {
  // auth.mode none: over TCP the Host must be an IP literal or `localhost`, so that no web page
  // reaches us by rebinding a name.
  bool require_local_host = true;
  // Origins whose pages may call the API; empty: CORS is off and OPTIONS is not a method.
  std::vector<std::string> cors_origins;
};

// What a handler gets; valid only while it runs, but for `to`.
struct Call {
  const Request& request;
  std::array<std::string_view, 2> path_params;  // what stood for `{id}`
  const QueryParams& query;
  ReplyTo to;
};

struct Endpoint {
  Verb verb = Verb::kGet;  // kGet answers HEAD too
  std::function<void(const Call&)> handler = {};
  std::vector<std::string_view> query = {};  // names of its parameters; literals
  bool takes_body = false;                   // false: only an empty body or `{}`
  bool any_host = false;                     // exempt from require_local_host
  bool long_answer = false;                  // pipelined requests behind it wait
};

class Router final : public RequestHandler {
 public:
  explicit Router(RouterOptions options) : options_(std::move(options)) {}

  // `pattern` is a path in which a segment `{id}` stands for any positive number, written without
  // leading zeros. Patterns are tried in the order in which they were first added.
  void Add(std::string_view pattern, Endpoint endpoint);

  void Handle(const Request& request, const ReplyTo& to) override;
  [[nodiscard]] std::string CommonHeaders(const Request& request) override;  // those of CORS

 private:
  struct Route {
    std::string pattern;
    std::vector<Endpoint> endpoints;
    std::string allow;  // the value of Allow
  };

  [[nodiscard]] const Route* Match(std::string_view path,
                                   std::array<std::string_view, 2>& params) const;
  [[nodiscard]] bool HostAllowed(const Request& request, const Route* route) const;
  [[nodiscard]] const std::string* AllowedOrigin(const Request& request) const;
  void AnswerOptions(const Request& request, const Route& route, const ReplyTo& to) const;
  void CallEndpoint(const Endpoint& endpoint, const Request& request,
                    const std::array<std::string_view, 2>& params, const ReplyTo& to) const;

  const RouterOptions options_;
  std::vector<Route> routes_;
};

}  // namespace belfry
