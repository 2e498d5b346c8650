// rocks_kv.h - the engine on disk. RocksDB is known to rocks_kv.cc and rocks_options.cc alone.
//
// Threads: as kv.h. Every commit is one WriteBatch and one fdatasync of the log; no option turns
// that off. Settings and their reasons are in rocks_options.cc.
//
// Nothing is resumed in process: after a failed write, sync, flush or compaction Health() and every
// Commit fail, and only opening the directory again tells what is stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "storage/kv.h"

namespace belfry {

enum class TableCompression { kLz4, kLz4AboveZstd, kZstd };  // the second: ZSTD on the last level

// One cache holds both: what writes do not need at the moment is there for blocks, not the other
// way round.
struct RocksOptions {
  size_t block_cache_bytes = size_t{64} << 20;   // blocks, indexes, filters, open tables
  size_t write_buffer_bytes = size_t{64} << 20;  // all column families, also while they are flushed
  // Tables kept open, -1: all. With a bound, opening the store looks at the size of every table but
  // only into some; the others are verified when they are first read, and each time they are
  // opened.
  int open_tables_max = -1;
  TableCompression compression =
      TableCompression::kLz4;  // others: to measure (bench/store_cost.cc)
  LogFn log;                   // RocksDB's warnings and errors; may be empty
  // The store may be from before the newest family: read-only that is empty, else it is made.
  bool made_by_older = false;
};

enum class RocksMode {
  kCreate,    // the directory holds no store yet
  kExisting,  // replays the log, and may rewrite it
  kReadOnly,  // replays the log into memory and leaves every file as it is
  kSalvage,   // kExisting, but log files the store knows of may be missing
  kRescue,    // kReadOnly, and tables that cannot be opened are errors only when they are read
};

// Counts what the iterators of this thread step over from here on. One at a time in a thread. For
// tests and benches.
class StepCount {
 public:
  StepCount();
  ~StepCount();
  StepCount(const StepCount&) = delete;
  StepCount& operator=(const StepCount&) = delete;

  [[nodiscard]] uint64_t deletes() const;  // tombstones
  [[nodiscard]] uint64_t keys() const;     // rows given out, and what is hidden by newer ones
};

// kCorruption or kIoError with what RocksDB says. The directory is not shared: see data_dir.h.
[[nodiscard]] Result<std::unique_ptr<Kv>> OpenRocks(const std::string& path,
                                                    const RocksOptions& options, RocksMode mode);

}  // namespace belfry
