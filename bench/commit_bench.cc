// Commit groups: one Apply of n ops is one batch and, on RocksDB, one fdatasync. Time is that of
// Apply alone. The store on disk is made under $TMPDIR, or /var/tmp, and removed again.

#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_timer.h"
#include "bench/temp_dir.h"
#include "storage/ledger.h"
#include "storage/memory_kv.h"
#include "storage/rocks_kv.h"

namespace belfry {
namespace {

// A fresh store over one of the two engines.
class Subject {
 public:
  explicit Subject(bool on_disk) {
    if (on_disk && directory_.path().empty()) {
      status_ = IoError("cannot make a directory under TMPDIR or /var/tmp");
      return;
    }
    Result<std::unique_ptr<Kv>> kv =
        on_disk ? OpenRocks(directory_.path() + "/db", RocksOptions(), RocksMode::kCreate)
                : std::unique_ptr<Kv>(std::make_unique<MemoryKv>(std::make_shared<MemoryDisk>()));
    if (!kv.ok()) {
      status_ = kv.status();
      return;
    }
    Result<std::unique_ptr<Ledger>> ledger = Ledger::Open(std::move(*kv), "benchmarks");
    status_ = ledger.status();
    if (ledger.ok()) ledger_ = std::move(*ledger);
  }
  ~Subject() {
    if (ledger_) (void)ledger_->Close();
  }
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  [[nodiscard]] const Status& status() const { return status_; }

  // Applies the group and adds the time it took to the benchmark.
  Status Apply(benchmark::State& state, std::vector<Op> ops, std::vector<Completion>* done) {
    const auto begun = std::chrono::steady_clock::now();
    Status status = ledger_->Apply(std::move(ops), done);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    state.SetIterationTime(took.count());
    return status;
  }

 private:
  TempDir directory_;
  std::unique_ptr<Ledger> ledger_;
  Status status_;
};

SettleOp Delivered(TimerPtr timer) {
  SettleOp op;
  op.key = KeyOf(*timer);
  timer->state = TimerState::kDelivered;
  timer->attempts = 1;
  timer->finished = timer->due + 1;
  timer->history.push_back({timer->due, 204, 1, ""});
  op.timer = std::move(timer);
  return op;
}

// n sets in a group; with `settle` also the outcomes of the n timers set by the group before.
void Groups(benchmark::State& state, bool on_disk, bool settle) {
  Subject subject(on_disk);
  if (!subject.status().ok()) return state.SkipWithError(subject.status().message().c_str());
  const int64_t sets = state.range(0);
  TimerId next_id = 1;
  std::vector<Completion> done;
  int64_t applied = 0;
  for (auto _ : state) {
    std::vector<Op> ops;
    for (Completion& before : done) {
      if (settle && before.timer) ops.push_back({0, Delivered(std::move(before.timer))});
    }
    for (int64_t i = 0; i < sets; ++i) ops.push_back({0, PutOp{NewBenchTimer(next_id++), "", ""}});
    applied += static_cast<int64_t>(ops.size());
    done.clear();
    const Status status = subject.Apply(state, std::move(ops), &done);
    if (!status.ok()) return state.SkipWithError(status.message().c_str());
  }
  state.SetItemsProcessed(applied);
}

void Shape(benchmark::internal::Benchmark* benchmark) {
  for (const int sets : {1, 16, 64, 256, 1024}) benchmark->Arg(sets);
  benchmark->ArgName("sets")->UseManualTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK_CAPTURE(Groups, MemorySets, false, false)->Apply(Shape);
BENCHMARK_CAPTURE(Groups, MemorySetsAndOutcomes, false, true)->Apply(Shape);
BENCHMARK_CAPTURE(Groups, RocksSets, true, false)->Apply(Shape);
BENCHMARK_CAPTURE(Groups, RocksSetsAndOutcomes, true, true)->Apply(Shape);

}  // namespace
}  // namespace belfry
