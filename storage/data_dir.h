// data_dir.h - the directory a daemon lives in, and the proof that nothing acknowledged is missing.
//
//   FORMAT   which binaries may read this; looked at before anything is touched
//   LOCK     held (flock) for as long as the daemon lives; names its PID
//   DURABLE  the witness, see durable_file.h
//   db/      RocksDB; db.new/ while a store is being made, db.salvage/ and db.salvaged/ while what
//            is left of a damaged one is
//   lost-N/  kept aside by --accept-data-loss: the logs, or all of a damaged db/
//
// Threads: Open anywhere; then SyncDurable and CloseCleanly on the commit thread, FreeBytes on any.
//
// A store is opened read-only first: a writing open would flush and delete a damaged log. If it
// comes back with fewer commits than DURABLE has witnessed, or DURABLE is gone, it is refused.
// After a clean stop the numbers must be equal. Damage to commits that DURABLE had not witnessed
// yet (the last second before a crash) cannot be told from a torn tail.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "storage/durable_file.h"
#include "storage/files.h"
#include "storage/ledger.h"
#include "storage/rocks_kv.h"

namespace belfry {

// 2: the family `parked`, records of version 2, replays. 3: the families `stopwatch` and `stream`,
// records of version 3. A store of an older format is raised when it is opened: first min_reader,
// so that older binaries keep away, then the store, then writer.
constexpr uint32_t kFormatWriter = kSchema;     // what this binary writes, and the newest it reads
constexpr uint32_t kFormatMinReader = kSchema;  // the oldest binary that reads what this one writes

struct DataDirOptions {
  std::string path;
  // Open even though acknowledged records are missing or damaged: everything is read first, what
  // cannot be read is left behind (see salvage.h), the logs or the damaged store are kept aside,
  // and no id that may have been given out is used again.
  bool accept_data_loss = false;
  RocksOptions rocks;
  LogFn log;  // what the operator should know, as RocksOptions::log; may be empty
};

class DataDir {
 public:
  // Makes the store when there is none. kInUse: another daemon has it, the message names its PID.
  // kRefused: a newer format, damage, or missing acknowledged records; what and how many is in the
  // message. kIoError: the system failed, another try may do.
  [[nodiscard]] static Result<std::unique_ptr<DataDir>> Open(const DataDirOptions& options);

  // Borrowed; lives as long as this.
  [[nodiscard]] Ledger& store() { return *ledger_; }

  // Writes down what is durable by now; nothing when nothing is new. Not OK also when the engine
  // failed behind the scenes: stop then.
  [[nodiscard]] Status SyncDurable();

  // Closes the store and marks it as left in order. Nothing may be called after it.
  [[nodiscard]] Status CloseCleanly();

  // Left for us on the file system.
  [[nodiscard]] Result<uint64_t> FreeBytes() const;

 private:
  DataDir(std::string path, Fd lock, DurableFile durable, std::unique_ptr<Ledger> ledger);

  std::string path_;
  Fd lock_;
  DurableFile durable_;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace belfry
