// What bulk sets are compared with: RocksDB alone, one WriteBatch of n records and one sync. Time
// is that of building the batch and of Write.
//
// The bytes are ours: for each timer its record in `due` and its entry in `ids`, and once a batch
// the figures of the store. So are the settings that decide what a write costs (buffers, the two
// column families, compression, one log). Left out is what a bare user would not have: making the
// records (they are ready), checksums of batch and memtable, looking for what is there already,
// counters and completions, compaction filters, filters and index partitions.

#include <benchmark/benchmark.h>
#include <rocksdb/db.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_timer.h"
#include "bench/temp_dir.h"
#include "storage/entry.h"
#include "storage/keys.h"
#include "storage/record.h"
#include "storage/rocks_kv.h"

namespace belfry {
namespace {

struct Row {
  std::string key;
  std::string value;
};

// A timer as the store keeps it.
struct Stored {
  Row due;
  Row id;
};

Stored MakeStored(TimerId id) {
  const TimerPtr timer = NewBenchTimer(id);
  Stored stored;
  stored.due.key = std::string_view(TimeKey(KeyOf(*timer)));
  CHECK(EncodeTimer(stored.due.key, *timer, &stored.due.value).ok());
  stored.id.key = std::string_view(IdKey(timer->tenant, id));
  stored.id.value = EncodeIdEntry(stored.id.key, EntryOf(*timer));
  return stored;
}

class BareStore {
 public:
  rocksdb::Status Open(const std::string& path) {
    const size_t buffers = RocksOptions().write_buffer_bytes;
    rocksdb::DBOptions options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.db_write_buffer_size = buffers;
    rocksdb::ColumnFamilyOptions family;
    family.write_buffer_size = buffers / 4;
    family.max_write_buffer_number = 4;
    family.compression = rocksdb::kLZ4Compression;
    const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
        {"default", family}, {"due", family}, {"ids", family}};
    rocksdb::DB* db = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(options, path, families, &families_, &db);
    db_.reset(db);
    return status;
  }
  ~BareStore() {
    for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
  }

  rocksdb::Status Write(const std::vector<Stored>& timers, const std::vector<Row>& figures) {
    rocksdb::WriteBatch batch;
    rocksdb::Status status;
    for (const Stored& timer : timers) {
      if (status.ok()) status = batch.Put(families_[1], timer.due.key, timer.due.value);
      if (status.ok()) status = batch.Put(families_[2], timer.id.key, timer.id.value);
    }
    for (const Row& row : figures) {
      if (status.ok()) status = batch.Put(families_[0], row.key, row.value);
    }
    if (!status.ok()) return status;
    rocksdb::WriteOptions options;
    options.sync = true;
    return db_->Write(options, &batch);
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

std::vector<Row> Figures() {
  std::vector<Row> rows;
  for (const MetaKind kind : {MetaKind::kCommitNo, MetaKind::kLastId}) {
    rows.push_back({std::string(std::string_view(MetaKey(kind))), std::string(8, '\1')});
  }
  rows.push_back({std::string(std::string_view(CountKey(kLocalTenant, TimerState::kPending))),
                  std::string(8, '\1')});
  return rows;
}

void BareRocksSets(benchmark::State& state) {
  TempDir directory;
  BareStore store;
  if (directory.path().empty()) return state.SkipWithError("cannot make a directory");
  if (const rocksdb::Status s = store.Open(directory.path() + "/db"); !s.ok()) {
    return state.SkipWithError(s.ToString().c_str());
  }
  const std::vector<Row> figures = Figures();
  TimerId next_id = 1;
  for (auto _ : state) {
    std::vector<Stored> timers;
    for (int64_t i = 0; i < state.range(0); ++i) timers.push_back(MakeStored(next_id++));
    const auto begun = std::chrono::steady_clock::now();
    const rocksdb::Status status = store.Write(timers, figures);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    if (!status.ok()) return state.SkipWithError(status.ToString().c_str());
    state.SetIterationTime(took.count());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BareRocksSets)
    ->Arg(64)
    ->Arg(1024)
    ->ArgName("sets")
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace belfry
