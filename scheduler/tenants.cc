#include "scheduler/tenants.h"

#include "base/check.h"

namespace belfry {

Tenants::Tenants(const std::vector<std::pair<TenantId, std::string>>& known) {
  Add(kLocalTenant, std::string(kLocalUser));
  for (const auto& [tenant, user] : known) Add(tenant, user);
}

void Tenants::Add(TenantId tenant, std::string user) {
  auto name = std::make_unique<const std::string>(std::move(user));
  CHECK(ids_.emplace(*name, tenant).second);
  CHECK(names_.emplace(tenant, std::move(name)).second);
}

void Tenants::Ask(const std::vector<std::string>& users) {
  for (const std::string& user : users) {
    if (ids_.contains(user) || !asked_for_.insert(user).second) continue;
    asked_.push_back(user);
    ops_.push_back({0, TenantOp{user}});
  }
}

void Tenants::Complete(const Completion& done) {
  CHECK(done.kind == kOpKind<TenantOp> && !asked_.empty());
  std::string user = std::move(asked_.front());
  asked_.pop_front();
  asked_for_.erase(user);
  if (done.result == OpResult::kDone) Add(done.tenant, std::move(user));
}

std::optional<TenantId> Tenants::Find(std::string_view user) const {
  const auto found = ids_.find(user);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::string_view Tenants::NameOf(TenantId tenant) const {
  const auto found = names_.find(tenant);
  return found == names_.end() ? std::string_view() : std::string_view(*found->second);
}

}  // namespace belfry
