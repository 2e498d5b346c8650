#include "storage/data_dir.h"

#include <sys/statvfs.h>

#include "storage/data_dir_open.h"

namespace belfry {

Result<std::unique_ptr<DataDir>> DataDir::Open(const DataDirOptions& given) {
  DataDirOptions options = given;
  options.rocks.log = given.log;
  const DataPaths paths(options.path);
  // Before the lock: a store of a newer format must not even get a LOCK file.
  if (const auto format = CheckFormat(paths); !format.ok()) return format.status();
  if (Status s = MakeDirectories(options.path); !s.ok()) return s;
  Result<Fd> lock = TakeLock(paths);
  if (!lock.ok()) return lock.status();
  if (Status s = MakeStoreIfMissing(paths, options.rocks); !s.ok()) return s;
  Result<OpenedStore> opened = OpenStore(paths, options);
  if (!opened.ok()) return opened.status();
  return std::unique_ptr<DataDir>(new DataDir(
      options.path, std::move(*lock), std::move(opened->durable), std::move(opened->ledger)));
}

DataDir::DataDir(std::string path, Fd lock, DurableFile durable, std::unique_ptr<Ledger> ledger)
    : path_(std::move(path)),
      lock_(std::move(lock)),
      durable_(std::move(durable)),
      ledger_(std::move(ledger)) {}

Status DataDir::SyncDurable() {
  if (Status s = ledger_->Health(); !s.ok()) return s;
  const DurableProof proof{durable_.proof().store_id, ledger_->commit_no(), ledger_->last_id(),
                           false};
  if (proof == durable_.proof()) return {};
  return durable_.Write(proof);
}

Status DataDir::CloseCleanly() {
  const DurableProof proof{durable_.proof().store_id, ledger_->commit_no(), ledger_->last_id(),
                           true};
  if (Status s = ledger_->Close(); !s.ok()) return s;
  return durable_.Write(proof);
}

Result<uint64_t> DataDir::FreeBytes() const {
  struct statvfs fs;
  if (statvfs(path_.c_str(), &fs) != 0) return SystemError("cannot look at the space of", path_);
  return static_cast<uint64_t>(fs.f_bavail) * fs.f_frsize;
}

}  // namespace belfry
