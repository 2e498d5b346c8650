#include "storage/rocks_kv.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/listener.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>

#include "base/planted.h"
#include "storage/keys.h"
#include "storage/rocks_options.h"
#include "storage/rocks_status.h"
#include "storage/rocks_write_meter.h"
#include "storage/zeroed_log.h"

namespace belfry {
namespace {

// Remembers the first thing that went wrong, here or on RocksDB's own threads.
class Watcher final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    Fail(RocksStatus(*error));
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
  const char* Name() const override { return "belfry.watcher"; }

  void Fail(Status status) {
    const std::lock_guard lock(mutex_);
    if (failed_) return;
    first_ = std::move(status);
    failed_ = true;
  }
  [[nodiscard]] Status Health() const {
    if (!failed_) return {};
    const std::lock_guard lock(mutex_);
    return first_;
  }

 private:
  mutable std::mutex mutex_;
  std::atomic<bool> failed_ = false;
  Status first_;
};

// All keys from `lower` to `upper` are of one list: filters say which tables have none of them.
bool InOneList(Cf cf, std::string_view lower, std::string_view upper) {
  if (cf != Cf::kStopwatch) return false;
  const std::string_view list = StopwatchListOf(lower);
  if (list.empty() || upper.empty()) return false;
  std::string end(list);
  size_t carry = end.size();
  while (carry > 0 && ++end[carry - 1] == 0) --carry;
  return carry > 0 && upper <= end;
}

class RocksIterator final : public KvIterator {
 public:
  RocksIterator(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* family, rocksdb::ReadOptions options,
                std::string_view lower, std::string_view upper)
      : upper_(upper), upper_slice_(upper_) {
    options.iterate_upper_bound = &upper_slice_;
    it_.reset(db->NewIterator(options, family));
    it_->Seek(RocksSlice(lower));
  }

  [[nodiscard]] bool Valid() const override { return it_->Valid(); }
  void Next() override { it_->Next(); }
  [[nodiscard]] std::string_view key() const override { return ViewOf(it_->key()); }
  [[nodiscard]] std::string_view value() const override { return ViewOf(it_->value()); }
  [[nodiscard]] Status status() const override { return RocksStatus(it_->status()); }

 private:
  const std::string upper_;
  const rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

class EmptyIterator final : public KvIterator {
 public:
  [[nodiscard]] bool Valid() const override { return false; }
  void Next() override {}
  [[nodiscard]] std::string_view key() const override { return {}; }
  [[nodiscard]] std::string_view value() const override { return {}; }
  [[nodiscard]] Status status() const override { return {}; }
};

// Families are made in the order of kCfNames. What cannot be listed is for Open to complain about.
size_t NewestFamiliesLacking(const rocksdb::DBOptions& options, const std::string& path) {
  std::vector<std::string> names;
  if (!rocksdb::DB::ListColumnFamilies(options, path, &names).ok()) return 0;
  const auto lacks = [&](const char* name) {
    return std::find(names.begin(), names.end(), name) == names.end();
  };
  size_t lacking = 0;
  while (lacking < kCfCount && lacks(kCfNames[kCfCount - 1 - lacking])) ++lacking;
  return lacking;
}

struct Database {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;

  ~Database() { CloseFamilies(); }
  void CloseFamilies() {
    for (rocksdb::ColumnFamilyHandle* family : families) db->DestroyColumnFamilyHandle(family);
    families.clear();
  }
  // False in a store of an older Belfry that is only read.
  [[nodiscard]] bool Has(Cf cf) const { return static_cast<size_t>(cf) < families.size(); }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* Family(Cf cf) const {
    CHECK(Has(cf));
    return families[static_cast<size_t>(cf)];
  }
  [[nodiscard]] Result<Found> Get(const rocksdb::ReadOptions& options, Cf cf,
                                  std::string_view key) const {
    if (!Has(cf)) return Found();
    std::string value;
    const rocksdb::Status s = db->Get(options, Family(cf), RocksSlice(key), &value);
    if (s.IsNotFound()) return Found();
    if (!s.ok()) return RocksStatus(s);
    return Found(std::move(value));
  }
};

class RocksView final : public KvView {
 public:
  explicit RocksView(const Database& database)
      : database_(database), snapshot_(database.db->GetSnapshot()) {
    options_.snapshot = snapshot_;
  }
  ~RocksView() override { database_.db->ReleaseSnapshot(snapshot_); }

  [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key) const override {
    return database_.Get(options_, cf, key);
  }
  [[nodiscard]] std::unique_ptr<KvIterator> Scan(Cf cf, std::string_view lower,
                                                 std::string_view upper,
                                                 bool keep_cached) const override {
    if (!database_.Has(cf)) return std::make_unique<EmptyIterator>();
    rocksdb::ReadOptions options = options_;
    options.fill_cache = keep_cached;
    options.total_order_seek = !InOneList(cf, lower, upper);
    return std::make_unique<RocksIterator>(database_.db.get(), database_.Family(cf), options, lower,
                                           upper);
  }

 private:
  const Database& database_;
  const rocksdb::Snapshot* snapshot_;
  rocksdb::ReadOptions options_;
};

// RocksDB counts at every comparison of keys, and but for StepCount nobody reads that. The first
// time in a thread only: a StepCount stays as it is.
void CountNothing() {
  thread_local const bool done = [] {
    rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
    return true;
  }();
  static_cast<void>(done);
}

class RocksKv final : public Kv {
 public:
  Status Open(const std::string& path, const RocksOptions& options, RocksMode mode) {
    RocksSettings settings = RocksSettingsFor(options, mode, drop_rule());
    settings.db.env = env_.get();
    settings.db.listeners = {watcher_, meter_};
    write_buffers_ = settings.db.write_buffer_manager;
    cache_ = settings.cache;
    read_only_ = mode == RocksMode::kReadOnly || mode == RocksMode::kRescue;
    if (options.made_by_older) {
      const size_t lacking = NewestFamiliesLacking(settings.db, path);
      settings.db.create_missing_column_families |= !read_only_ && lacking > 0;
      if (read_only_) settings.families.resize(settings.families.size() - lacking);
    }
    rocksdb::DB* db = nullptr;
    const rocksdb::Status s =
        read_only_
            ? rocksdb::DB::OpenForReadOnly(settings.db, path, settings.families,
                                           &database_.families, &db)
            : rocksdb::DB::Open(settings.db, path, settings.families, &database_.families, &db);
    database_.db.reset(db);
    return RocksStatus(s);
  }

  [[nodiscard]] Status Commit(const Batch& batch) override {
    if (Status s = Health(); !s.ok()) return s;
    CountNothing();
    constexpr size_t kProtectionBytes = 8;
    rocksdb::WriteBatch writes(batch.bytes() + batch.size() * 16, 0, kProtectionBytes, 0);
    for (size_t i = 0; i < batch.size(); ++i) {
      if (Status s = Add(batch.at(i), &writes); !s.ok()) return s;
    }
    rocksdb::WriteOptions options;
    options.sync = !Planted(Bug::kAcknowledgeBeforeSync);
    Status s = RocksStatus(database_.db->Write(options, &writes));
    if (!s.ok()) watcher_->Fail(s);
    meter_->Given(batch.bytes(), writes.GetDataSize());
    return s;
  }

  [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key) const override {
    return database_.Get({}, cf, key);
  }

  void GetMany(Cf cf, const std::vector<std::string_view>& keys,
               const TakeFn& take) const override {
    constexpr size_t kAtOnce = 64;  // the values stay pinned meanwhile
    std::array<rocksdb::Slice, kAtOnce> slices;
    std::array<rocksdb::PinnableSlice, kAtOnce> values;
    std::array<rocksdb::Status, kAtOnce> states;
    for (size_t first = 0; first < keys.size(); first += kAtOnce) {
      const size_t count = std::min(kAtOnce, keys.size() - first);
      for (size_t i = 0; i < count; ++i) slices[i] = RocksSlice(keys[first + i]);
      database_.db->MultiGet({}, database_.Family(cf), count, slices.data(), values.data(),
                             states.data(), true);
      for (size_t i = 0; i < count; ++i) {
        if (states[i].ok()) {
          take(first + i, std::optional<std::string_view>(ViewOf(values[i])));
        } else if (states[i].IsNotFound()) {
          take(first + i, std::optional<std::string_view>());
        } else {
          take(first + i, RocksStatus(states[i]));
        }
        values[i].Reset();
      }
    }
  }

  [[nodiscard]] std::optional<Result<Found>> GetFromMemory(Cf cf,
                                                           std::string_view key) const override {
    rocksdb::ReadOptions options;
    options.read_tier = rocksdb::kBlockCacheTier;
    std::string value;
    const rocksdb::Status s =
        database_.db->Get(options, database_.Family(cf), RocksSlice(key), &value);
    if (s.IsNotFound()) return Result<Found>(Found());
    if (!s.ok()) return std::nullopt;
    return Result<Found>(Found(std::move(value)));
  }

  [[nodiscard]] std::unique_ptr<KvView> View() const override {
    return std::make_unique<RocksView>(database_);
  }

  [[nodiscard]] Status DropFilesBelow(Cf cf, std::string_view lower,
                                      std::string_view upper) override {
    const rocksdb::Slice from = RocksSlice(lower);
    const rocksdb::Slice to = RocksSlice(upper);
    return RocksStatus(
        rocksdb::DeleteFilesInRange(database_.db.get(), database_.Family(cf), &from, &to, false));
  }

  [[nodiscard]] Status Compact() override {
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    for (rocksdb::ColumnFamilyHandle* family : database_.families) {
      const rocksdb::Status s = database_.db->CompactRange(options, family, nullptr, nullptr);
      if (!s.ok()) return RocksStatus(s);
    }
    return {};
  }

  [[nodiscard]] Status Health() const override { return watcher_->Health(); }

  // Flushing first leaves the next start no log to replay. Asked for its health after that: what
  // failed on another thread meanwhile must not pass for a stop in order.
  [[nodiscard]] Status Close() override {
    Status s = Health();
    at_close_ = held();
    if (s.ok() && !read_only_) s = RocksStatus(database_.db->Flush({}, database_.families));
    if (s.ok()) s = Health();
    database_.CloseFamilies();
    const Status closed = RocksStatus(database_.db->Close());
    return s.ok() ? closed : s;
  }

  [[nodiscard]] WrittenBytes written() const override { return meter_->written(); }

  [[nodiscard]] HeldBytes held() const override {
    if (at_close_) return *at_close_;
    return {write_buffers_->memory_usage(), cache_->GetUsage(), cache_->GetCapacity()};
  }

 private:
  [[nodiscard]] Status Add(const Batch::Write& write, rocksdb::WriteBatch* writes) {
    rocksdb::ColumnFamilyHandle* family = database_.Family(write.cf);
    const rocksdb::Slice key = RocksSlice(write.key);
    return RocksStatus(write.is_put ? writes->Put(family, key, RocksSlice(write.value))
                                    : writes->Delete(family, key));
  }

  const std::unique_ptr<rocksdb::Env> env_ =
      rocksdb::NewCompositeEnv(MakeZeroedLogFileSystem(rocksdb::FileSystem::Default()));
  std::shared_ptr<Watcher> watcher_ = std::make_shared<Watcher>();
  std::shared_ptr<WriteMeter> meter_ = std::make_shared<WriteMeter>();
  std::optional<HeldBytes> at_close_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
  Database database_;
  bool read_only_ = false;
};

}  // namespace

StepCount::StepCount() {
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  rocksdb::get_perf_context()->Reset();
}

StepCount::~StepCount() { rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable); }

uint64_t StepCount::deletes() const {
  return rocksdb::get_perf_context()->internal_delete_skipped_count;
}

uint64_t StepCount::keys() const { return rocksdb::get_perf_context()->internal_key_skipped_count; }

Result<std::unique_ptr<Kv>> OpenRocks(const std::string& path, const RocksOptions& options,
                                      RocksMode mode) {
  auto kv = std::make_unique<RocksKv>();
  if (Status s = kv->Open(path, options, mode); !s.ok()) return s;
  return std::unique_ptr<Kv>(std::move(kv));
}

}  // namespace belfry
