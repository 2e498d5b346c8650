// rocks_options.h - how RocksDB is set up. Included by rocks_*.cc only.
#pragma once

#include <rocksdb/cache.h>
#include <rocksdb/db.h>

#include <array>
#include <memory>
#include <vector>

#include "storage/batch.h"
#include "storage/drop_rule.h"
#include "storage/rocks_kv.h"

namespace belfry {

inline constexpr std::array<const char*, kCfCount> kCfNames = {
    "default", "due",    "ids",       "done",  "dead",
    "once",    "parked", "stopwatch", "stream"};  // `meta` is the default one

struct RocksSettings {
  rocksdb::DBOptions db;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;  // in the order of Cf
  std::shared_ptr<rocksdb::Cache> cache;
};

// The rule is asked by every compaction.
[[nodiscard]] RocksSettings RocksSettingsFor(const RocksOptions& options, RocksMode mode,
                                             const std::shared_ptr<DropRule>& rule);

}  // namespace belfry
