#include <cstdio>
#include <filesystem>

#include "storage/data_dir_open.h"
#include "storage/salvage.h"

namespace belfry {
namespace {

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return IoError("cannot remove " + path + ": " + error.message());
  return {};
}

Status Move(const std::string& from, const std::string& to, const std::string& synced_folder) {
  if (rename(from.c_str(), to.c_str()) != 0) return SystemError("cannot rename to", to);
  return SyncDirectory(synced_folder);
}

std::string Told(const Salvaged& result, const std::string& folder) {
  return std::to_string(result.kept) + " timers and " + std::to_string(result.streams) +
         " streams that play are left, " + std::to_string(result.deadlines_made) +
         " deadlines and " + std::to_string(result.users_made) +
         " users of streams were made anew, " + std::to_string(result.lost) + " timers and " +
         std::to_string(result.streams_lost) + " streams are known to be lost (" +
         std::to_string(result.skipped_rows) + " damaged rows and " +
         std::to_string(result.skipped_stretches) +
         " unreadable stretches were skipped); the damaged store is kept in " + folder + "/db";
}

}  // namespace

Result<std::string> MakeLostFolder(const DataPaths& paths) {
  int n = 1;
  while (Exists(paths.root + "/lost-" + std::to_string(n))) ++n;
  std::string folder = paths.root + "/lost-" + std::to_string(n);
  if (Status s = MakeDirectories(folder); !s.ok()) return s;
  return folder;
}

// As long as all tables open, the log is read up to its first bad record like at any start.
Result<std::unique_ptr<Kv>> OpenToRead(const DataPaths& paths, const RocksOptions& rocks) {
  Result<std::unique_ptr<Kv>> kv = OpenRocks(paths.db, rocks, RocksMode::kReadOnly);
  if (kv.ok() || kv.status().code() != StatusCode::kCorruption) return kv;
  return OpenRocks(paths.db, rocks, RocksMode::kRescue);
}

Status CheckStore(const DataPaths& paths, const RocksOptions& rocks) {
  const Result<std::unique_ptr<Kv>> kv = OpenToRead(paths, rocks);
  return kv.ok() ? CheckWhole(**kv) : kv.status();
}

Result<std::string> SalvageStore(const DataPaths& paths, const DataDirOptions& options,
                                 const std::string& folder) {
  if (Status s = MakeDirectories(paths.salvage); !s.ok()) return s;
  const Result<std::unique_ptr<Kv>> from = OpenToRead(paths, options.rocks);
  if (!from.ok()) return from.status();
  const Result<std::unique_ptr<Kv>> to =
      OpenRocks(paths.salvage, options.rocks, RocksMode::kCreate);
  if (!to.ok()) return to.status();
  const Result<Salvaged> result = Salvage(**from, to->get(), options.log);
  if (!result.ok()) return result.status();
  if (Status s = (*to)->Close(); !s.ok()) return s;
  if (Status s = (*from)->Close(); !s.ok()) return s;
  // Under this name it is whole, so from here on FinishSalvage can take over.
  if (Status s = Move(paths.salvage, paths.salvaged, paths.root); !s.ok()) return s;
  if (Status s = Move(paths.db, folder + "/db", folder); !s.ok()) return s;
  if (Status s = SyncDirectory(paths.root); !s.ok()) return s;
  if (Status s = FinishSalvage(paths); !s.ok()) return s;
  return Told(*result, folder);
}

Status FinishSalvage(const DataPaths& paths) {
  if (!Exists(paths.db) && Exists(paths.salvaged)) {
    return Move(paths.salvaged, paths.db, paths.root);
  }
  // Left by a salvage that was cut short: db/ still has all that it had.
  if (Status s = RemoveTree(paths.salvage); !s.ok()) return s;
  return Exists(paths.db) ? RemoveTree(paths.salvaged) : Status();
}

}  // namespace belfry
