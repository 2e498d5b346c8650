// drop_rule.h - which stored keys nobody will ask for again, so that compaction may remove them.
//
// Any thread. Invariant: it never names more than what is durable: it is lowered before the batch
// that needs the lower value, and raised after the batch that wrote the higher one is synced.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "storage/batch.h"

namespace belfry {

// Plain values, as durable now.
struct DropBounds {
  absl::flat_hash_map<TenantId, TimerId> floors;  // ids at or below do not exist
  Key done_below;                                 // retention has passed `done` below this
  absl::flat_hash_map<TenantId, Key> dead_below;  // the same for `dead`

  // True when the row may go. A row it cannot read stays.
  [[nodiscard]] bool Drops(Cf cf, std::string_view key, std::string_view value) const;

 private:
  [[nodiscard]] bool BelowFloor(TenantId tenant, TimerId id) const;
  [[nodiscard]] bool RecordBelowFloor(TimerId id, std::string_view key,
                                      std::string_view value) const;
};

class DropRule {
 public:
  [[nodiscard]] std::shared_ptr<const DropBounds> bounds() const {
    const std::lock_guard lock(mutex_);
    return bounds_;
  }
  void Set(DropBounds bounds) {
    auto fresh = std::make_shared<const DropBounds>(std::move(bounds));
    const std::lock_guard lock(mutex_);
    bounds_ = std::move(fresh);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const DropBounds> bounds_ = std::make_shared<const DropBounds>();
};

}  // namespace belfry
