#include "storage/drop_rule.h"

#include "storage/keys.h"
#include "storage/record.h"

namespace belfry {

bool DropBounds::BelowFloor(TenantId tenant, TimerId id) const {
  const auto it = floors.find(tenant);
  return it != floors.end() && id <= it->second;
}

bool DropBounds::RecordBelowFloor(TimerId id, std::string_view key, std::string_view value) const {
  if (floors.empty()) return false;
  const Result<TenantId> tenant = RecordTenant(key, value);
  return tenant.ok() && BelowFloor(*tenant, id);
}

bool DropBounds::Drops(Cf cf, std::string_view key, std::string_view value) const {
  switch (cf) {
    case Cf::kDue: {
      const auto parsed = ParseTimeKey(key);
      return parsed && RecordBelowFloor(parsed->id, key, value);
    }
    case Cf::kParked: {
      const auto parsed = ParseParkedKey(key);
      return parsed && RecordBelowFloor(parsed->key.id, key, value);
    }
    case Cf::kDone: {
      const auto parsed = ParseTimeKey(key);
      return parsed && (*parsed < done_below || RecordBelowFloor(parsed->id, key, value));
    }
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
    case Cf::kStopwatch:
    case Cf::kStream:
      return false;
  }
  return false;
}

}  // namespace belfry
