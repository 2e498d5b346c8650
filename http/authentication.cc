#include "http/authentication.h"

#include <string>
#include <utility>

#include "http/ascii.h"
#include "http/problem.h"

namespace belfry {
namespace {

Response Unauthorized(std::string_view detail) {
  Response response = Problem(ProblemKind::kUnauthorized, detail);
  response.headers = "WWW-Authenticate: Bearer\r\n";
  return response;
}

Response TooManyWrongTokens(int64_t wait_seconds) {
  Response response = Problem(ProblemKind::kTooManyWrongTokens,
                              "too many wrong tokens came from this address, and this is one more");
  response.headers = "Retry-After: " + std::to_string(wait_seconds) + "\r\n";
  return response;
}

// What stands behind `Bearer`; nullopt: there is no such header.
std::optional<std::string_view> BearerOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer";
  if (!EqualsIgnoringCase(authorization.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  authorization.remove_prefix(kScheme.size());
  if (!authorization.empty() && authorization[0] != ' ') return std::nullopt;
  return TrimBlanks(authorization);
}

}  // namespace

void Authentication::SetTokens(TokenTable tokens) {
  cache_.Clear();
  tokens_ = std::move(tokens);
  for (const auto& call : changed_) call();
}

// Most have no end, and reading the clock costs as much as finding the token.
bool Authentication::IsOver(const Grant& grant) const {
  return grant.expires && clock_.Wall() >= *grant.expires;
}

const Grant* Authentication::Find(std::string_view token) {
  const Grant* grant = cache_.Find(token);
  if (grant == nullptr) {
    grant = tokens_.Find(hasher_.Hash(token));
    if (grant != nullptr) cache_.Keep(token, grant);
  }
  return grant != nullptr && !IsOver(*grant) ? grant : nullptr;
}

std::optional<Caller> Authentication::Admit(const Request& request, Scope scope,
                                            Response* refusal) {
  if (mode_ == Mode::kNone) return Caller(kLocalTenant, nullptr, scope);
  const HeaderHit header = FindHeader(request, "authorization");
  const auto token = header.count == 0 ? std::nullopt : BearerOf(header.value);
  if (!token) {
    *refusal = Unauthorized("a token is needed: `Authorization: Bearer <token>`");
    return std::nullopt;
  }
  const Grant* const grant = header.count == 1 ? Find(*token) : nullptr;
  if (grant == nullptr) {
    *refusal = Wrong(request.peer);
    return std::nullopt;
  }
  if (!grant->scopes.Has(scope)) {
    *refusal = Problem(ProblemKind::kForbidden,
                       "this token lacks the scope `" + std::string(ScopeName(scope)) + "`");
    return std::nullopt;
  }
  return Caller(grant->tenant, grant, scope);
}

// Beyond the limit they are not counted, so that who waits as long as told may try again.
Response Authentication::Wrong(const Peer& peer) {
  const MonoMs now = clock_.Mono();
  const int64_t wait_seconds = failures_.WaitSeconds(peer, now);
  if (wait_seconds > 0) return TooManyWrongTokens(wait_seconds);
  failures_.Failed(peer, now);
  return Unauthorized("this token is not known, or no longer");
}

bool Authentication::StillGood(const Ticket& ticket) const {
  if (mode_ == Mode::kNone) return true;
  if (!ticket.token) return false;
  const Grant* const grant = tokens_.Find(*ticket.token);
  return grant != nullptr && grant->tenant == ticket.tenant && !IsOver(*grant) &&
         grant->scopes.Has(ticket.scope);
}

}  // namespace belfry
