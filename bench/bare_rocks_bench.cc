// What bulk sets are compared with: RocksDB alone, one WriteBatch of n records and one sync. Time
// is that of building the batch and of Write.
//
// The bytes are ours: for each timer its record in `due` and its entry in `ids`, and once a batch
// the figures of the store. So are some settings (bare_store.h). Left out is what a bare user would
// not have: making the records (they are ready), checksums of batch and memtable, looking for what
// is there already, counters and completions, compaction filters, filters and index partitions.

#include <benchmark/benchmark.h>
#include <rocksdb/db.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "bench/bare_store.h"
#include "bench/bench_timer.h"
#include "bench/temp_dir.h"
#include "storage/entry.h"
#include "storage/keys.h"
#include "storage/record.h"

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

rocksdb::Status Write(BareStore* store, const std::vector<Stored>& timers,
                      const std::vector<Row>& figures) {
  rocksdb::WriteBatch batch;
  rocksdb::Status status;
  for (const Stored& timer : timers) {
    if (status.ok()) status = batch.Put(store->due(), timer.due.key, timer.due.value);
    if (status.ok()) status = batch.Put(store->ids(), timer.id.key, timer.id.value);
  }
  for (const Row& row : figures) {
    if (status.ok()) status = batch.Put(store->meta(), row.key, row.value);
  }
  return status.ok() ? store->Write(&batch) : status;
}

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
    const rocksdb::Status status = Write(&store, timers, figures);
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
