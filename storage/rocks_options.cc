#include "storage/rocks_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <cstdio>

#include "storage/keys.h"
#include "storage/rocks_status.h"

namespace belfry {
namespace {

constexpr uint64_t kWalBytesMax = uint64_t{64} << 20;
constexpr uint64_t kManifestBytesMax = uint64_t{8} << 20;
constexpr int kWriteBuffers = 4;
constexpr size_t kOwnerBytes = 4;     // the front of a key of `ids` or `parked`
constexpr size_t kTimeHintBytes = 5;  // the front of a key of `due` or `done`: 4.7 hours share it
constexpr size_t kCacheShardBytes = size_t{16} << 20;  // at least
constexpr int kCacheShardBitsMax = 6;

class DropFilter final : public rocksdb::CompactionFilter {
 public:
  DropFilter(Cf cf, std::shared_ptr<const DropBounds> bounds)
      : cf_(cf), bounds_(std::move(bounds)) {}

  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    return bounds_->Drops(cf_, ViewOf(key), ViewOf(value));
  }
  const char* Name() const override { return "belfry.drop"; }

 private:
  Cf cf_;
  std::shared_ptr<const DropBounds> bounds_;
};

// A compaction reads files that were whole before it began, so bounds taken at its beginning are
// those that hold for every row it meets.
class DropFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  DropFilterFactory(Cf cf, std::shared_ptr<DropRule> rule) : cf_(cf), rule_(std::move(rule)) {}

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<DropFilter>(cf_, rule_->bounds());
  }
  const char* Name() const override { return "belfry.drop"; }

 private:
  Cf cf_;
  std::shared_ptr<DropRule> rule_;
};

// RocksDB's words go to our log. A log file of its own would be one more that can fail: on a full
// disk RocksDB 7.8 aborts (an assertion) at the second line it cannot write. And opening to look
// must leave no trace.
class SinkLogger final : public rocksdb::Logger {
 public:
  explicit SinkLogger(LogFn log)
      : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), log_(std::move(log)) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char line[1024];
    const int length = std::vsnprintf(line, sizeof line, format, arguments);
    if (!log_ || length <= 0) return;
    std::string_view text(line, std::min(static_cast<size_t>(length), sizeof line - 1));
    while (text.ends_with('\n')) text.remove_suffix(1);
    log_(text);
  }

 private:
  const LogFn log_;
};

// What is charged in pieces of 256 KiB must not fill one shard and leave the next one empty.
std::shared_ptr<rocksdb::Cache> MakeCache(size_t bytes) {
  int shard_bits = 0;
  while (shard_bits < kCacheShardBitsMax && (bytes >> (shard_bits + 1)) >= kCacheShardBytes) {
    ++shard_bits;
  }
  return rocksdb::NewLRUCache(bytes, shard_bits);
}

// RocksDB's bound is soft: it begins to flush at 7/8 of it, and at half of it once what is being
// flushed fills the rest; only the number of write buffers ends that. With 3/8 of the share, the
// first and three more come to 0.33 + 3 * 0.19 of it, and the rest is for the batch that each of
// them goes beyond it.
size_t SoftBound(const RocksOptions& options) { return options.write_buffer_bytes / 8 * 3; }

// What a write buffer takes at a time. Each family has one at least.
size_t ArenaBlockBytes(const RocksOptions& options) {
  constexpr size_t kPage = 4096;
  return std::clamp(options.write_buffer_bytes / 256 / kPage * kPage, kPage, size_t{1} << 20);
}

// Everything that is read to find a row counts as cache, and so does what is needed to make tables.
void ChargeToCache(rocksdb::BlockBasedTableOptions* table) {
  using rocksdb::CacheEntryRole;
  for (const CacheEntryRole role :
       {CacheEntryRole::kBlockBasedTableReader, CacheEntryRole::kFileMetadata,
        CacheEntryRole::kFilterConstruction}) {
    table->cache_usage_options.options_overrides[role].charged =
        rocksdb::CacheEntryRoleOptions::Decision::kEnabled;
  }
}

void SetCompression(TableCompression compression, rocksdb::ColumnFamilyOptions* family) {
  family->compression =
      compression == TableCompression::kZstd ? rocksdb::kZSTD : rocksdb::kLZ4Compression;
  if (compression == TableCompression::kLz4AboveZstd) {
    family->bottommost_compression = rocksdb::kZSTD;
  }
}

// Lists of stopwatches, so that a scan of one looks into no table that has none of it.
class StopwatchLists final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "belfry.stopwatch_lists"; }
  bool InDomain(const rocksdb::Slice& key) const override {
    return !StopwatchListOf(ViewOf(key)).empty();
  }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return RocksSlice(StopwatchListOf(ViewOf(key)));
  }
};

rocksdb::ColumnFamilyOptions FamilyOptions(Cf cf, const std::shared_ptr<rocksdb::Cache>& cache,
                                           const RocksOptions& options,
                                           const std::shared_ptr<DropRule>& rule) {
  rocksdb::ColumnFamilyOptions family;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  ChargeToCache(&table);
  // Indexes and filters of very many timers are larger than the cache: cut into blocks, they are
  // read like data, and only what leads to them stays.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 4096;
  table.pin_top_level_index_and_filter = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  // Looked up by whole key, and often not there.
  const bool by_whole_key =
      cf == Cf::kIds || cf == Cf::kOnce || cf == Cf::kStopwatch || cf == Cf::kStream;
  if (by_whole_key) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  if (cf == Cf::kStopwatch) family.prefix_extractor = std::make_shared<StopwatchLists>();
  // Several small ones: while some are written to tables, another takes what comes. All families
  // are flushed together, by what they hold together: see SoftBound.
  family.write_buffer_size = options.write_buffer_bytes;
  family.max_write_buffer_number = kWriteBuffers;
  // New ids are the greatest, what ends now ends last, and deadlines mostly come near the last one:
  // the place of the last insert is found faster than from the head of the list. (With hints there
  // may be one writer only.)
  if (cf == Cf::kIds || cf == Cf::kParked) {
    family.memtable_insert_with_hint_prefix_extractor.reset(
        rocksdb::NewFixedPrefixTransform(kOwnerBytes));
  } else if (cf == Cf::kDue || cf == Cf::kDone) {
    family.memtable_insert_with_hint_prefix_extractor.reset(
        rocksdb::NewFixedPrefixTransform(kTimeHintBytes));
  }
  family.arena_block_size = ArenaBlockBytes(options);
  // Ids that are asked for mostly exist: where the last level has them, a filter says nothing.
  family.optimize_filters_for_hits = cf == Cf::kIds;
  family.level_compaction_dynamic_level_bytes = true;
  family.compression = rocksdb::kNoCompression;
  if (cf != Cf::kMeta) SetCompression(options.compression, &family);
  family.paranoid_file_checks = true;
  family.memtable_protection_bytes_per_key = 8;
  // Queues leave walls of deletes at their front; a file that is half deletes is compacted at once.
  if (cf != Cf::kMeta && cf != Cf::kDone) {
    family.table_properties_collector_factories.push_back(
        rocksdb::NewCompactOnDeletionCollectorFactory(4096, 2048, 0.5));
  }
  const bool drops =
      cf != Cf::kMeta && cf != Cf::kOnce && cf != Cf::kStopwatch && cf != Cf::kStream;
  if (drops) {
    family.compaction_filter_factory = std::make_shared<DropFilterFactory>(cf, rule);
  }
  return family;
}

void BoundOpenTables(int open_tables_max, rocksdb::DBOptions* db) {
  constexpr int kTakenOff = 10;  // by RocksDB, for files that are no tables
  db->max_open_files = open_tables_max < 0 ? -1 : open_tables_max + kTakenOff;
  // Each shard of this cache would round its part of the bound up.
  if (open_tables_max >= 0) db->table_cache_numshardbits = 0;
}

rocksdb::DBOptions DbOptions(const RocksOptions& options, RocksMode mode,
                             const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::DBOptions db;
  db.create_if_missing = mode == RocksMode::kCreate;
  db.create_missing_column_families = mode == RocksMode::kCreate;
  db.error_if_exists = mode == RocksMode::kCreate;
  db.info_log = std::make_shared<SinkLogger>(options.log);

  // The log. A torn tail that nobody was answered for is normal; everything else is found out by
  // the commit number (data_dir.h). The settings below are those RocksDB's own crash test trusts.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.recycle_log_file_num = 0;
  db.wal_bytes_per_sync = 0;
  db.manual_wal_flush = false;
  // Space set aside in advance would count as used, and sets be refused for it.
  db.allow_fallocate = false;
  db.max_total_wal_size = kWalBytesMax;
  // Switching it off needs a writing open: RocksDB notes it in the manifest.
  db.track_and_verify_wals_in_manifest = mode != RocksMode::kSalvage;
  // After a failed fsync the pages count as clean: only data written anew is known to be there.
  db.avoid_flush_during_recovery = false;
  // All families stand at one point of the log, so a log cut anywhere leaves a consistent store.
  db.atomic_flush = true;

  db.paranoid_checks = mode != RocksMode::kRescue;
  db.verify_sst_unique_id_in_manifest = true;
  db.best_efforts_recovery = false;
  db.max_bgerror_resume_count = 0;
  BoundOpenTables(options.open_tables_max, &db);

  db.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(SoftBound(options), cache);
  db.allow_concurrent_memtable_write = false;
  db.enable_write_thread_adaptive_yield = false;
  db.max_background_jobs = 2;
  db.max_manifest_file_size = kManifestBytesMax;  // all of it is read at a start
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

}  // namespace

RocksSettings RocksSettingsFor(const RocksOptions& options, RocksMode mode,
                               const std::shared_ptr<DropRule>& rule) {
  RocksSettings settings;
  settings.cache = MakeCache(options.block_cache_bytes + options.write_buffer_bytes);
  settings.db = DbOptions(options, mode, settings.cache);
  for (size_t i = 0; i < kCfCount; ++i) {
    settings.families.emplace_back(
        kCfNames[i], FamilyOptions(static_cast<Cf>(i), settings.cache, options, rule));
  }
  return settings;
}

}  // namespace belfry
