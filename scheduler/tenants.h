// tenants.h - the users and their tenant ids: which names are known, and asking the store for more.
//
// Loop thread only. Names are asked for when a tokens file is read, never by a request, so what
// strangers send makes nobody. An id is known here only when it is durable.
//
// Invariants: (1) a name that has an id keeps it. (2) at most one TenantOp a name is unfinished.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/id.h"
#include "base/op.h"

namespace belfry {

class Tenants {
 public:
  // `known` as in StoreState.
  explicit Tenants(const std::vector<std::pair<TenantId, std::string>>& known);

  // Those that have no id are asked for: see TakeOps.
  void Ask(const std::vector<std::string>& users);

  // To the commit thread, in order.
  [[nodiscard]] std::vector<Op> TakeOps() { return std::exchange(ops_, {}); }
  // Of one of them, in order.
  void Complete(const Completion& done);
  // Every name asked for has got its id, or was refused one.
  [[nodiscard]] bool settled() const { return asked_.empty(); }

  // nullopt: it has none, or none yet.
  [[nodiscard]] std::optional<TenantId> Find(std::string_view user) const;
  // "" when nobody has it; borrowed from this.
  [[nodiscard]] std::string_view NameOf(TenantId tenant) const;

 private:
  void Add(TenantId tenant, std::string user);

  // On the heap, because the other map and those who borrow a name point to it.
  absl::flat_hash_map<TenantId, std::unique_ptr<const std::string>> names_;
  absl::flat_hash_map<std::string_view, TenantId> ids_;
  std::deque<std::string> asked_;  // of unfinished ops, in order
  absl::flat_hash_set<std::string> asked_for_;
  std::vector<Op> ops_;
};

}  // namespace belfry
