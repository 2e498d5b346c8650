#include "storage/data_dir_open.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr uint64_t kNewStoreCommitNo = 1;  // a store that was made and never used

std::optional<uint32_t> NumberAfter(std::string_view text, std::string_view name) {
  const size_t at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view digits = text.substr(at + name.size());
  uint32_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end.ec != std::errc() || end.ptr == digits.data() + digits.size() || *end.ptr != '\n') {
    return std::nullopt;
  }
  return value;
}

// As from this binary, but made by `writer`.
Status WriteFormat(const DataPaths& paths, uint32_t writer) {
  return WriteFileDurably(paths.format, "min_reader: " + std::to_string(kFormatMinReader) +
                                            "\nwriter: " + std::to_string(writer) + "\n");
}

Result<std::string> NewStoreId() {
  constexpr std::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned char random[10];
  if (getrandom(random, sizeof random, 0) != sizeof random) {
    return SystemError("cannot read", "random bytes");
  }
  std::string id;
  for (const unsigned char byte : random) id.push_back(kBase32[byte % kBase32.size()]);
  return id;
}

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// Damage is for a person to decide on; a failing system may be better next time.
Status RefuseIfDamaged(const Status& s, const std::string& what) {
  if (s.code() != StatusCode::kCorruption) return s;
  return Refused(what + ": " + s.message());
}

Status MakeStore(const DataPaths& paths, const RocksOptions& rocks) {
  std::error_code error;
  std::filesystem::remove_all(paths.db_new, error);
  if (error) return IoError("cannot remove " + paths.db_new + ": " + error.message());
  Result<std::string> id = NewStoreId();
  if (!id.ok()) return id.status();
  // RocksDB lists the directory before it makes it, and warns that it is not there.
  if (Status s = MakeDirectories(paths.db_new); !s.ok()) return s;
  Result<std::unique_ptr<Kv>> kv = OpenRocks(paths.db_new, rocks, RocksMode::kCreate);
  if (!kv.ok()) return kv.status();
  Result<std::unique_ptr<Ledger>> ledger = Ledger::Open(std::move(*kv), *id);
  if (!ledger.ok()) return ledger.status();
  const DurableProof proof{*id, (*ledger)->commit_no(), (*ledger)->last_id(), true};
  CHECK(proof.commit_no == kNewStoreCommitNo);
  if (Status s = (*ledger)->Close(); !s.ok()) return s;
  Result<DurableFile> durable = DurableFile::Create(paths.durable, proof);
  if (!durable.ok()) return durable.status();
  // Last: where db/ is, the store is whole.
  if (rename(paths.db_new.c_str(), paths.db.c_str()) != 0) {
    return SystemError("cannot rename to", paths.db);
  }
  return SyncDirectory(paths.root);
}

}  // namespace

Result<std::optional<uint32_t>> CheckFormat(const DataPaths& paths) {
  const Result<std::string> text = ReadSmallFile(paths.format);
  if (!text.ok() && text.status().code() == StatusCode::kNotFound) {
    return std::optional<uint32_t>();
  }
  if (!text.ok()) return text.status();
  const std::optional<uint32_t> min_reader = NumberAfter(*text, "min_reader: ");
  const std::optional<uint32_t> writer = NumberAfter(*text, "writer: ");
  if (!min_reader || !writer) return Refused(paths.format + " cannot be read: it is damaged");
  if (*min_reader > kFormatWriter) {
    return Refused(paths.root + " was written by a newer belfry (format " +
                   std::to_string(*writer) + ", readable from " + std::to_string(*min_reader) +
                   "; this one knows " + std::to_string(kFormatWriter) + "); nothing was changed");
  }
  return writer;
}

Result<Fd> TakeLock(const DataPaths& paths) {
  Fd fd(open(paths.lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return SystemError("cannot open", paths.lock);
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return SystemError("cannot lock", paths.lock);
    const Result<std::string> text = ReadSmallFile(paths.lock);
    const std::string pid = text.ok() ? text->substr(0, text->find('\n')) : "";
    return Status(StatusCode::kInUse, "data directory " + paths.root + " is in use by " +
                                          (pid.empty() ? "another process" : "PID " + pid));
  }
  if (ftruncate(fd.get(), 0) != 0) return SystemError("cannot write", paths.lock);
  if (Status s = WriteAt(fd.get(), std::to_string(getpid()) + "\n", 0, paths.lock); !s.ok()) {
    return s;
  }
  return fd;
}

Status MakeStoreIfMissing(const DataPaths& paths, const RocksOptions& rocks) {
  const Result<std::optional<uint32_t>> format = CheckFormat(paths);
  if (!format.ok()) return format.status();
  if (!*format) {
    if (Exists(paths.db) || Exists(paths.durable)) {
      return Refused(paths.format + " is missing, but there is a store beside it");
    }
    if (Status s = WriteFormat(paths, kFormatWriter); !s.ok()) return s;
  }
  if (Status s = FinishSalvage(paths); !s.ok()) return s;
  if (Exists(paths.db)) return {};
  const Result<DurableFile> durable = DurableFile::Open(paths.durable);
  if (durable.ok() && durable->proof().commit_no > kNewStoreCommitNo) {
    return Refused(paths.db + " is missing, but " + paths.durable + " has witnessed " +
                   std::to_string(durable->proof().commit_no) + " commits in it");
  }
  if (!durable.ok() && durable.status().code() != StatusCode::kNotFound) {
    return RefuseIfDamaged(durable.status(), paths.db + " is missing");
  }
  if (format->value_or(kFormatWriter) < kFormatWriter) {
    if (Status s = WriteFormat(paths, kFormatWriter); !s.ok()) return s;
  }
  return RefuseIfDamaged(MakeStore(paths, rocks), "the new store failed");
}

namespace {

// What a look at the store, with nothing changed, has told.
struct Look {
  std::unique_ptr<DurableFile> durable;  // null: missing or unreadable
  uint64_t commit_no = 0;                // recovered
  TimerId last_id = 0;
  Status wrong;  // ok: everything acknowledged is there
};

std::string HowToAccept() { return std::string(kHowToAcceptLoss); }

Status CompareWithProof(const DataPaths& paths, const DurableProof& proof, const Books& books) {
  if (books.store_id() != proof.store_id) {
    return Refused(paths.durable + " belongs to store " + proof.store_id + ", but " + paths.db +
                   " is store " + books.store_id() + HowToAccept());
  }
  if (books.commit_no() < proof.commit_no) {
    const uint64_t missing = proof.commit_no - books.commit_no();
    return Refused(paths.db + " lacks " + std::to_string(missing) + " acknowledged commit" +
                   (missing == 1 ? "" : "s") + ": it ends at commit " +
                   std::to_string(books.commit_no()) + ", " + paths.durable + " has witnessed " +
                   std::to_string(proof.commit_no) + HowToAccept());
  }
  if (proof.clean && books.commit_no() != proof.commit_no) {
    return Refused(paths.db + " was changed after its last clean stop (commit " +
                   std::to_string(books.commit_no()) + " instead of " +
                   std::to_string(proof.commit_no) + ")" + HowToAccept());
  }
  return {};
}

Result<Look> LookAt(const DataPaths& paths, const RocksOptions& rocks) {
  Look look;
  Result<DurableFile> durable = DurableFile::Open(paths.durable);
  if (durable.ok()) {
    look.durable = std::make_unique<DurableFile>(std::move(*durable));
  } else if (durable.status().code() == StatusCode::kIoError) {
    return durable.status();
  } else {
    look.wrong = Refused(durable.status().message() + ", so nothing proves that " + paths.db +
                         " is whole" + HowToAccept());
  }
  Result<std::unique_ptr<Kv>> kv = OpenRocks(paths.db, rocks, RocksMode::kReadOnly);
  Result<Books> books = kv.ok() ? Books::Read(**kv) : Result<Books>(kv.status());
  if (!books.ok()) {
    if (books.status().code() != StatusCode::kCorruption) return books.status();
    look.wrong = Refused(paths.db + " is damaged: " + books.status().message() + HowToAccept());
    return look;
  }
  look.commit_no = books->commit_no();
  look.last_id = books->last_id();
  if (look.wrong.ok()) look.wrong = CompareWithProof(paths, look.durable->proof(), *books);
  return look;
}

// Copies: the writing open that follows flushes what it can read of the logs, and deletes them.
Status KeepLogsAside(const DataPaths& paths, const std::string& folder) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(paths.db, error)) {
    if (file.path().extension() != ".log") continue;
    const std::string to = folder + "/" + file.path().filename().string();
    if (Status s = CopyFileDurably(file.path(), to); !s.ok()) return s;
  }
  if (error) return IoError("cannot list " + paths.db + ": " + error.message());
  return SyncDirectory(folder);
}

Result<std::unique_ptr<Ledger>> OpenForWriting(const DataPaths& paths, const RocksOptions& rocks,
                                               RocksMode mode, const std::string& store_id) {
  Result<std::unique_ptr<Kv>> kv = OpenRocks(paths.db, rocks, mode);
  if (!kv.ok()) return RefuseIfDamaged(kv.status(), paths.db + " is damaged");
  Result<std::unique_ptr<Ledger>> ledger = Ledger::Open(std::move(*kv), store_id, rocks.log);
  if (!ledger.ok()) return RefuseIfDamaged(ledger.status(), paths.db + " is damaged");
  return ledger;
}

Result<OpenedStore> OpenWhole(const DataPaths& paths, const DataDirOptions& options, Look look) {
  const DurableProof seen = look.durable->proof();
  auto ledger = OpenForWriting(paths, options.rocks, RocksMode::kExisting, seen.store_id);
  if (!ledger.ok()) return ledger.status();
  if ((*ledger)->commit_no() != look.commit_no) {
    return Refused(paths.db + " came back with commit " + std::to_string((*ledger)->commit_no()) +
                   " after it was looked at with " + std::to_string(look.commit_no));
  }
  const DurableProof now{seen.store_id, (*ledger)->commit_no(), (*ledger)->last_id(), false};
  if (Status s = look.durable->Write(now); !s.ok()) return s;
  return OpenedStore{std::move(*ledger), std::move(*look.durable)};
}

Status ForgetMissingLogs(const DataPaths& paths, const RocksOptions& rocks) {
  const Result<std::unique_ptr<Kv>> kv = OpenRocks(paths.db, rocks, RocksMode::kSalvage);
  if (!kv.ok())
    return RefuseIfDamaged(kv.status(), paths.db + " is damaged beyond what can be read");
  return (*kv)->Close();
}

Result<OpenedStore> OpenWithLoss(const DataPaths& paths, const DataDirOptions& options,
                                 const Look& look, Status damage) {
  const Result<std::string> folder = MakeLostFolder(paths);
  if (!folder.ok()) return folder.status();
  if (Status s = KeepLogsAside(paths, *folder); !s.ok()) return s;
  if (!damage.ok() && !OpenToRead(paths, options.rocks).ok()) {
    if (Status s = ForgetMissingLogs(paths, options.rocks); !s.ok()) return s;
    damage = CheckStore(paths, options.rocks);
  }
  Result<std::string> how = "the logs are kept in " + *folder;
  if (!damage.ok()) {
    how = SalvageStore(paths, options, *folder);
    if (!how.ok())
      return RefuseIfDamaged(how.status(), paths.db + " is damaged beyond what can be read");
  }
  Result<std::string> id = NewStoreId();
  if (!id.ok()) return id.status();
  const DurableProof seen = look.durable ? look.durable->proof() : DurableProof{*id, 0, 0, false};
  auto ledger = OpenForWriting(paths, options.rocks, RocksMode::kSalvage, seen.store_id);
  if (!ledger.ok()) return ledger.status();
  const TimerId past = std::max(seen.last_id, (*ledger)->last_id()) + kAcceptLossIdJump;
  if (Status s = (*ledger)->RaisePast(past, seen.commit_no); !s.ok()) return s;
  const DurableProof now{(*ledger)->opened().store_id, (*ledger)->commit_no(), (*ledger)->last_id(),
                         false};
  Result<DurableFile> durable = DurableFile::Create(paths.durable, now);
  if (!durable.ok()) return durable.status();
  if (options.log) {
    const Status& why = look.wrong.ok() ? damage : look.wrong;
    options.log("data loss accepted: " + why.message() + "; " + *how + ", ids go on above " +
                std::to_string(now.last_id));
  }
  return OpenedStore{std::move(*ledger), std::move(*durable)};
}

}  // namespace

Result<OpenedStore> OpenStore(const DataPaths& paths, const DataDirOptions& given) {
  const Result<std::optional<uint32_t>> format = CheckFormat(paths);
  if (!format.ok()) return format.status();
  DataDirOptions options = given;
  options.rocks.made_by_older = format->value_or(kFormatWriter) < kFormatWriter;
  Result<Look> look = LookAt(paths, options.rocks);
  if (!look.ok()) return look.status();
  // Only when asked to: it reads everything.
  const Status damage = options.accept_data_loss ? CheckStore(paths, options.rocks) : Status();
  if (!damage.ok() && damage.code() != StatusCode::kCorruption) return damage;
  if (!look->wrong.ok() && !options.accept_data_loss) return look->wrong;
  if (options.rocks.made_by_older) {
    if (Status s = WriteFormat(paths, **format); !s.ok()) return s;
  }
  const bool whole = look->wrong.ok() && damage.ok();
  Result<OpenedStore> opened = whole ? OpenWhole(paths, options, std::move(*look))
                                     : OpenWithLoss(paths, options, *look, damage);
  if (!opened.ok() || !options.rocks.made_by_older) return opened;
  if (Status s = WriteFormat(paths, kFormatWriter); !s.ok()) return s;
  return opened;
}

}  // namespace belfry
