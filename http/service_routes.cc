#include "http/service_routes.h"

#include <utility>

#include "http/problem.h"

namespace belfry {
namespace {

Response StatusIs(std::string_view status) {
  Response response;
  response.body.append("{\"status\":\"").append(status).append("\"}");
  return response;
}

}  // namespace

void RegisterServiceRoutes(Router& router, WhyNotReadyFn why_not_ready) {
  router.AddPublic("/health",
                   {.verb = Verb::kGet,
                    .handler = [](const PublicCall& call) { Respond(call.to, StatusIs("ok")); },
                    .any_host = true});
  const auto ready = [why_not_ready = std::move(why_not_ready)](const PublicCall& call) {
    const std::optional<std::string> why = why_not_ready();
    Respond(call.to, why ? Problem(ProblemKind::kNotReady, *why) : StatusIs("ready"));
  };
  router.AddPublic("/ready", {.verb = Verb::kGet, .handler = ready, .any_host = true});
}

}  // namespace belfry
