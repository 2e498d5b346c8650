#include "daemon/users.h"

#include <string>
#include <utility>

#include "base/check.h"

namespace belfry {

void Users::Set(std::vector<TokenEntry> tokens) {
  tokens_ = std::move(tokens);
  std::vector<std::string> names;
  names.reserve(tokens_.size());
  for (const TokenEntry& token : tokens_) names.push_back(token.user);
  tenants_.Ask(names);
  waiting_ = true;
  Install();
}

void Users::TenantsCompleted() {
  if (waiting_ && tenants_.settled()) Install();
}

void Users::Install() {
  TokenTable table;
  size_t without_id = 0;
  for (const TokenEntry& token : tokens_) {
    const auto tenant = tenants_.Find(token.user);
    if (!tenant) {
      ++without_id;
      continue;
    }
    CHECK(table.Add({token.hash, *tenant, token.scopes, token.expires}));
  }
  const size_t installed = table.size();
  authentication_.SetTokens(std::move(table));
  if (!tenants_.settled()) return;
  waiting_ = false;
  tokens_ = {};
  log_.Info("tokens", {{"accepted", installed}});
  if (without_id > 0) log_.Error("too_many_users", {{"tokens_refused", without_id}});
}

}  // namespace belfry
