// target_table.h - targets by name, and which of them are remembered.
//
// Loop thread only. Owns the targets. At most `kept` stay that are not busy: then the one that was
// used least recently is forgotten, of the healthy ones while they are more than a quarter, else of
// those whose breaker is open, whose limit is reduced, or that sent Retry-After. One that was never
// tried is forgotten at once.
#pragma once

#include <memory>
#include <string_view>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "scheduler/target.h"

namespace belfry {

class TargetTable {
 public:
  TargetTable(const TargetOptions& options, size_t kept) : options_(options), kept_(kept) {}
  TargetTable(const TargetTable&) = delete;
  TargetTable& operator=(const TargetTable&) = delete;

  [[nodiscard]] size_t size() const { return by_name_.size(); }

  // The target of this name, made if it is not known. It counts as busy until Idle.
  Target& Use(std::string_view name);
  // Null when it is not known.
  [[nodiscard]] const Target* Find(std::string_view name) const {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : found->second.get();
  }
  // It is not busy any more. It, or others, may be forgotten; the reference is not valid after.
  void Idle(Target& target, WallMs now);

  // At most `limit` in the order of their names, behind `after`.
  [[nodiscard]] TargetPage Page(std::string_view after, size_t limit, WallMs now) const;
  // Every target in the order of their names. `visit(Target&)` neither adds nor removes any.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (const auto& [name, target] : in_order_) visit(*target);
  }

 private:
  using IdleList = LinkedList<Target, &Target::idle>;

  void LeaveIdle(Target& target);
  void Forget(Target& target);

  const TargetOptions options_;
  const size_t kept_;
  // By Target::name. The first is for those who fire, the second for those who look.
  absl::flat_hash_map<std::string_view, std::unique_ptr<Target>> by_name_;
  absl::btree_map<std::string_view, Target*> in_order_;
  size_t idle_ = 0;
  size_t idle_healthy_ = 0;  // of these
  IdleList healthy_;         // least recently used first
  IdleList troubled_;        // the same
};

}  // namespace belfry
