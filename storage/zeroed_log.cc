#include "storage/zeroed_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "storage/files.h"

namespace belfry {
namespace {

// Little at a time: the disk has syncs to do in between.
constexpr uint64_t kPieceBytes = uint64_t{256} << 10;
constexpr uint64_t kAlignment = 4096;
// Where zeros begin: far enough from what is being written that nobody waits at once.
constexpr uint64_t kLeadBytes = uint64_t{256} << 10;

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

class ZeroWriter {
 public:
  explicit ZeroWriter(const std::string& path)
      : direct_(open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC)),
        cached_(open(path.c_str(), O_RDONLY | O_CLOEXEC)),
        piece_(std::aligned_alloc(kAlignment, kPieceBytes)) {}

  // Written past the page cache, where they would have to be written by the log's own next sync;
  // then read into it, or each append that fills half a page would have to wait for a read.
  [[nodiscard]] bool WritePiece(uint64_t from) const {
    if (!direct_.valid() || !cached_.valid() || !piece_) return false;
    std::fill_n(static_cast<char*>(piece_.get()), kPieceBytes, '\0');
    constexpr auto kBytes = static_cast<ssize_t>(kPieceBytes);
    const auto at = static_cast<off_t>(from);
    return pwrite(direct_.get(), piece_.get(), kPieceBytes, at) == kBytes &&
           fdatasync(direct_.get()) == 0 &&
           pread(cached_.get(), piece_.get(), kPieceBytes, at) == kBytes;
  }

 private:
  Fd direct_;
  Fd cached_;
  std::unique_ptr<void, Free> piece_;
};

class ZeroedLog final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  ZeroedLog(std::unique_ptr<rocksdb::FSWritableFile> file, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)) {}
  ~ZeroedLog() override { StopZeroing(); }

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* debug) override {
    MakeWay(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo& verification,
                           rocksdb::IODebugContext* debug) override {
    MakeWay(data.size());
    return FSWritableFileOwnerWrapper::Append(data, options, verification, debug);
  }

  rocksdb::IOStatus Close(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    if (StopZeroing()) {
      rocksdb::IOStatus s = Truncate(written_, options, debug);
      if (!s.ok()) return s;
    }
    return FSWritableFileOwnerWrapper::Close(options, debug);
  }

 private:
  // Before `bytes` are appended: they must not be overtaken by zeros that are still being written.
  void MakeWay(uint64_t bytes) {
    written_ += bytes;
    if (written_ < kZeroFromBytes || given_up_) return;
    if (!thread_.joinable()) thread_ = std::thread([this] { Run(); });
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return !busy_ || written_ <= from_; });
    if (busy_ || written_ + kZeroAheadBytes < to_) return;
    given_up_ = failed_;
    if (given_up_) return;
    from_ = std::max(to_, (written_ + kLeadBytes) / kAlignment * kAlignment);
    to_ = from_ + kPieceBytes;
    busy_ = true;
    wanted_.notify_one();
  }

  void Run() {
    const ZeroWriter writer(path_);
    std::unique_lock lock(mutex_);
    while (true) {
      wanted_.wait(lock, [this] { return busy_ || stopping_; });
      if (!busy_) return;
      const uint64_t from = from_;
      lock.unlock();
      const bool ok = writer.WritePiece(from);
      lock.lock();
      failed_ = !ok;
      busy_ = false;
      done_.notify_one();
    }
  }

  // True when there may be zeros after what was written.
  bool StopZeroing() {
    if (!thread_.joinable()) return false;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wanted_.notify_one();
    thread_.join();
    return true;
  }

  const std::string path_;
  uint64_t written_ = 0;   // the writer's
  bool given_up_ = false;  // the writer's
  std::thread thread_;

  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable done_;
  bool busy_ = false;  // zeros are being written to [from_, to_)
  bool failed_ = false;
  bool stopping_ = false;
  uint64_t from_ = 0;
  uint64_t to_ = 0;  // up to here, zeros are written or being written
};

class ZeroedLogFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "belfry.zeroed_log"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus s = target()->NewWritableFile(path, options, file, debug);
    if (s.ok() && path.ends_with(".log")) {
      *file = std::make_unique<ZeroedLog>(std::move(*file), path);
    }
    return s;
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> MakeZeroedLogFileSystem(
    std::shared_ptr<rocksdb::FileSystem> base) {
  return std::make_shared<ZeroedLogFileSystem>(std::move(base));
}

}  // namespace belfry
