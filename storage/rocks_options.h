// rocks_options.h - how RocksDB is set up. Included by rocks_kv.cc only.
#pragma once

#include <rocksdb/db.h>

#include <array>
#include <memory>
#include <vector>

#include "storage/batch.h"
#include "storage/drop_rule.h"
#include "storage/rocks_kv.h"

namespace belfry {

inline constexpr std::array<const char*, kCfCount> kCfNames = {
    "default", "due", "ids", "done", "dead", "once"};  // `meta` is the default one

[[nodiscard]] rocksdb::DBOptions RocksDbOptions(const RocksOptions& options, RocksMode mode);

// In the order of Cf. The rule is asked by every compaction.
[[nodiscard]] std::vector<rocksdb::ColumnFamilyDescriptor> RocksFamilies(
    const RocksOptions& options, const std::shared_ptr<DropRule>& rule);

}  // namespace belfry
