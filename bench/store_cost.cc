// What the store costs on disk, without the daemon: bytes, scans and reads for each compression of
// its tables, and how often every byte given is written.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "bench/fill.h"
#include "storage/data_dir.h"
#include "storage/keys.h"

namespace belfry {
namespace {

constexpr uint64_t kGroup = 1024;          // timers of one commit
constexpr uint64_t kPending = 100 * 1024;  // set before they fire

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class Watch {
 public:
  [[nodiscard]] double seconds() const {
    return static_cast<double>(clock_.Mono() - start_ + 1) / 1e3;
  }

 private:
  const SystemClock clock_;
  const MonoMs start_ = clock_.Mono();
};

int Fail(const Status& status) {
  std::fprintf(stderr, "store_cost: %s\n", status.message().c_str());
  return 1;
}

// Rows per second, all of `due` in order.
double ScanRate(const Kv& kv) {
  const Watch watch;
  uint64_t rows = 0;
  const auto view = kv.View();
  const auto it = view->Scan(Cf::kDue, TimeKey({}), TimeKey({{kWallMax}, 0}), false);
  for (; it->Valid(); it->Next()) ++rows;
  CHECK(it->status().ok());
  return static_cast<double>(rows) / watch.seconds();
}

// Reads per second of random ids, by one thread; `full`: with the record.
double ReadRate(const Ledger& store, uint64_t count, bool full) {
  const Watch watch;
  uint64_t reads = 0;
  while (watch.seconds() < 5) {
    const TimerId id = Mix(++reads + (full ? 1u << 30 : 0)) % count + 1;
    const QueryResult result = store.Run({1, FindQuery{kLocalTenant, id, full}, {}});
    CHECK(result.status.ok());
  }
  return static_cast<double>(reads) / watch.seconds();
}

int MeasureTables(const std::string& data, uint64_t count) {
  const std::pair<const char*, TableCompression> kinds[] = {
      {"LZ4", TableCompression::kLz4},
      {"LZ4, ZSTD at the bottom", TableCompression::kLz4AboveZstd},
      {"ZSTD", TableCompression::kZstd}};
  std::printf(
      "| compression | bytes/timer | made/s | scanned/s | state read/s | record read/s |\n");
  std::printf("|---|---|---|---|---|---|\n");
  for (const auto& [name, compression] : kinds) {
    FillPlan plan;
    plan.data = data;
    plan.count = count;
    plan.rocks.compression = compression;
    plan.rocks.block_cache_bytes = size_t{208} << 20;
    const auto filled = Fill(plan);
    if (!filled.ok()) return Fail(filled.status());
    auto kv = OpenRocks(data + "/db", plan.rocks, RocksMode::kReadOnly);
    if (!kv.ok()) return Fail(kv.status());
    (void)ScanRate(**kv);  // warms the page cache
    const double scanned = ScanRate(**kv);
    auto store = Ledger::Open(std::move(*kv), "");
    if (!store.ok()) return Fail(store.status());
    (void)ReadRate(**store, count, false);
    const double states = ReadRate(**store, count, false);
    const double records = ReadRate(**store, count, true);
    std::printf("| %s | %.1f | %.0f | %.0f | %.0f | %.0f |\n", name,
                static_cast<double>(filled->bytes) / static_cast<double>(count),
                static_cast<double>(count) / filled->seconds, scanned, states, records);
    std::fflush(stdout);
    store->reset();
    std::filesystem::remove_all(data);
  }
  return 0;
}

Timer MakeTimer(TimerId id) {
  Timer timer;
  char text[80];
  std::snprintf(text, sizeof text, "https://hooks.clients-%03u.example/v1/events/%016llx",
                static_cast<unsigned>(Mix(id) % 1000), static_cast<unsigned long long>(Mix(~id)));
  timer.id = id;
  timer.url = text;
  std::snprintf(text, sizeof text, "c-%08x", static_cast<unsigned>(Mix(id) >> 32));
  timer.headers = {
      {"Content-Type", "application/json"}, {"X-Source", "billing"}, {"X-Customer", text}};
  timer.created_at = {1'790'000'000'000};
  timer.due = timer.next_attempt = timer.created_at + static_cast<int64_t>(id);
  return timer;
}

Op Fire(TimerId id) {
  Timer timer = MakeTimer(id);
  const Key key = KeyOf(timer);
  timer.state = TimerState::kDelivered;
  timer.finished = timer.due + 2;
  ++timer.attempts;
  timer.history.push_back({timer.due, 204, 1, ""});
  return {id, SettleOp{key, std::make_unique<Timer>(std::move(timer))}};
}

Status SetAndFire(Ledger* store, uint64_t count) {
  std::vector<Completion> done;
  for (TimerId next = 1; next <= count + kPending; next += kGroup) {
    std::vector<Op> ops;
    for (TimerId id = next; id < next + kGroup; ++id) {
      if (id <= count) ops.push_back({id, PutOp{std::make_unique<Timer>(MakeTimer(id)), "", ""}});
      if (id > kPending && id - kPending <= count) ops.push_back(Fire(id - kPending));
    }
    if (next > kPending && next % (100 * kGroup) == 1) {
      ops.push_back({0, MarkOp{MakeTimer(next - kPending).due, {1}}});
    }
    done.clear();
    if (Status s = store->Apply(std::move(ops), &done); !s.ok()) return s;
  }
  return {};
}

int MeasureWrites(const std::string& data, uint64_t count, RocksOptions rocks) {
  DataDirOptions options;
  options.path = data;
  options.rocks = std::move(rocks);
  auto opened = DataDir::Open(options);
  if (!opened.ok()) return Fail(opened.status());
  const Watch watch;
  if (Status s = SetAndFire(&(*opened)->store(), count); !s.ok()) return Fail(s);
  const double seconds = watch.seconds();
  if (Status s = (*opened)->CloseCleanly(); !s.ok()) return Fail(s);
  const WrittenBytes written = (*opened)->store().written();
  const auto share = [&](uint64_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(written.given);
  };
  std::printf("| set and fired | /s | given B/timer | log | flushes | compactions | together |\n");
  std::printf("|---|---|---|---|---|---|---|\n");
  std::printf("| %lu | %.0f | %.0f | %.2f | %.2f | %.2f | %.2f |\n", count,
              static_cast<double>(count) / seconds,
              static_cast<double>(written.given) / static_cast<double>(count),
              share(written.logged), share(written.flushed), share(written.compacted),
              share(written.logged + written.flushed + written.compacted));
  opened->reset();
  std::filesystem::remove_all(data);
  return 0;
}

}  // namespace
}  // namespace belfry

int main(int argc, char** argv) {
  CLI::App app("What the store costs on disk");
  app.require_subcommand(1);
  std::string data;
  uint64_t count = 10'000'000;
  belfry::RocksOptions rocks;
  CLI::App* tables = app.add_subcommand("tables", "Bytes, scans and reads by compression");
  CLI::App* writes = app.add_subcommand("writes", "How often what is given is written");
  for (CLI::App* command : {tables, writes}) {
    command->add_option("--data", data, "A directory that is not there yet; removed afterwards")
        ->required();
    command->add_option("--count", count, "Timers")->capture_default_str();
  }
  writes->add_option("--write-buffers", rocks.write_buffer_bytes, "Bytes")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (std::filesystem::exists(data)) {
    std::fprintf(stderr, "store_cost: %s is there already\n", data.c_str());
    return 2;
  }
  return tables->parsed() ? belfry::MeasureTables(data, count)
                          : belfry::MeasureWrites(data, count, rocks);
}
