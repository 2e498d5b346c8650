#include "http/caller.h"

#include "http/token_table.h"

namespace belfry {
namespace {

constexpr std::array<std::string_view, kScopes> kNames{"timers:read", "timers:write", "stopwatches",
                                                       "streams", "admin"};

}  // namespace

std::string_view ScopeName(Scope scope) { return kNames[static_cast<size_t>(scope)]; }

std::optional<Scope> ScopeNamed(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Scope>(i);
  }
  return std::nullopt;
}

Ticket Caller::ticket() const {
  if (grant_ == nullptr) return {std::nullopt, tenant_, std::nullopt, scope_};
  return {grant_->token, tenant_, grant_->expires, scope_};
}

}  // namespace belfry
