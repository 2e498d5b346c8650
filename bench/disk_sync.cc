#include "bench/disk_sync.h"

#include <fcntl.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "bench/progress.h"

namespace belfry {
namespace {

Status Failed(const std::string& doing) { return IoError(doing + ": " + std::strerror(errno)); }

// The file has no name from here on, so nothing is left behind however the run ends.
Result<int> OpenNameless(const std::string& directory) {
  std::string name = directory + "/belfry-bench-XXXXXX";
  const int fd = mkostemp(name.data(), O_APPEND | O_CLOEXEC);
  if (fd < 0) return Failed("cannot make a file in " + directory);
  unlink(name.c_str());
  return fd;
}

}  // namespace

Result<SyncResult> MeasureSync(const std::string& directory, int64_t count, int64_t bytes,
                               double rate) {
  const Result<int> fd = OpenNameless(directory);
  if (!fd.ok()) return fd.status();
  const std::string block(static_cast<size_t>(bytes), 'x');
  SyncResult result;
  Status failed;
  Progress progress;
  const uint64_t begun_ns = uv_hrtime();
  for (int64_t i = 0; i < count && failed.ok(); ++i) {
    uint64_t from_ns = uv_hrtime();
    if (rate > 0) {
      const uint64_t meant_ns =
          begun_ns + static_cast<uint64_t>(static_cast<double>(i) * 1e9 / rate);
      if (meant_ns > from_ns) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(meant_ns - from_ns));
      }
      from_ns = meant_ns;
    }
    if (write(*fd, block.data(), block.size()) != bytes) {
      failed = Failed("write in " + directory);
    } else if (fdatasync(*fd) != 0) {
      failed = Failed("fdatasync in " + directory);
    }
    const uint64_t now_ns = uv_hrtime();
    result.latency_ns.Record(static_cast<int64_t>(now_ns - from_ns));
    result.seconds = static_cast<double>(now_ns - begun_ns) / 1e9;
    const double per_second = static_cast<double>(i + 1) / result.seconds;
    const auto left_ms = static_cast<int64_t>(static_cast<double>(count - i) / per_second * 1e3);
    progress.Show("syncing", per_second, left_ms, 0);
  }
  close(*fd);
  if (!failed.ok()) return failed;
  return result;
}

}  // namespace belfry
