// data_dir_open.h - the steps of opening a data directory, in the order data_dir.cc takes them.
//
// One thread. Errors are those of DataDir::Open.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "storage/data_dir.h"
#include "storage/durable_file.h"
#include "storage/files.h"
#include "storage/ledger.h"

namespace belfry {

struct DataPaths {
  explicit DataPaths(const std::string& data)
      : root(data),
        format(data + "/FORMAT"),
        lock(data + "/LOCK"),
        durable(data + "/DURABLE"),
        db(data + "/db"),
        db_new(data + "/db.new"),
        salvage(data + "/db.salvage"),
        salvaged(data + "/db.salvaged") {}

  std::string root, format, lock, durable, db, db_new, salvage, salvaged;
};

// The writer that FORMAT names; nullopt: there is no FORMAT yet. kRefused: it is of a newer binary,
// or cannot be read.
[[nodiscard]] Result<std::optional<uint32_t>> CheckFormat(const DataPaths& paths);

// Held until the Fd goes. kInUse names the holder.
[[nodiscard]] Result<Fd> TakeLock(const DataPaths& paths);

// A new folder lost-N.
[[nodiscard]] Result<std::string> MakeLostFolder(const DataPaths& paths);

// Read-only, whatever tables are damaged. kCorruption: not even that, so logs are missing, or what
// is damaged says which files there are.
[[nodiscard]] Result<std::unique_ptr<Kv>> OpenToRead(const DataPaths& paths,
                                                     const RocksOptions& rocks);

// kCorruption: what the daemon would stumble over. Reads everything, changes nothing.
[[nodiscard]] Status CheckStore(const DataPaths& paths, const RocksOptions& rocks);

// Replaces db/ by what can be read of it; the old one goes to `folder`. Stopped anywhere, db/ is
// the old one, or FinishSalvage makes it the new one. Answers how it went, for the operator.
[[nodiscard]] Result<std::string> SalvageStore(const DataPaths& paths,
                                               const DataDirOptions& options,
                                               const std::string& folder);
[[nodiscard]] Status FinishSalvage(const DataPaths& paths);

// Under the lock. Stopped anywhere, it starts over the next time; it never replaces a store that
// may hold something.
[[nodiscard]] Status MakeStoreIfMissing(const DataPaths& paths, const RocksOptions& rocks);

struct OpenedStore {
  std::unique_ptr<Ledger> ledger;
  DurableFile durable;  // no longer says clean
};
// Looks first, then opens for writing. A store of an older format is raised to this one.
[[nodiscard]] Result<OpenedStore> OpenStore(const DataPaths& paths, const DataDirOptions& options);

}  // namespace belfry
