#include "storage/drop_rule.h"

#include "storage/keys.h"
#include "storage/record.h"

namespace belfry {

bool DropBounds::BelowFloor(TenantId tenant, TimerId id) const {
  const auto it = floors.find(tenant);
  return it != floors.end() && id <= it->second;
}

bool DropBounds::RecordBelowFloor(std::string_view key, std::string_view value) const {
  if (floors.empty()) return false;
  const std::optional<Key> parsed = ParseTimeKey(key);
  if (!parsed) return false;
  const Result<TenantId> tenant = RecordTenant(key, value);
  return tenant.ok() && BelowFloor(*tenant, parsed->id);
}

bool DropBounds::Drops(Cf cf, std::string_view key, std::string_view value) const {
  switch (cf) {
    case Cf::kDue:
      return RecordBelowFloor(key, value);
    case Cf::kDone:
      if (const auto parsed = ParseTimeKey(key); parsed && *parsed < done_below) return true;
      return RecordBelowFloor(key, value);
    case Cf::kIds: {
      const auto parsed = ParseIdKey(key);
      return parsed && BelowFloor(parsed->tenant, parsed->id);
    }
    case Cf::kDead: {
      const auto parsed = ParseDeadKey(key);
      if (!parsed) return false;
      const auto it = dead_below.find(parsed->tenant);
      return (it != dead_below.end() && parsed->key < it->second) ||
             BelowFloor(parsed->tenant, parsed->key.id);
    }
    case Cf::kMeta:
    case Cf::kOnce:
      return false;
  }
  return false;
}

}  // namespace belfry
