#include "daemon/rlimit.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr uint64_t kFilesPerDelivery = 2;

uint64_t IdleBeside(uint64_t deliveries) {
  return std::min<uint64_t>(deliveries, kIdleConnectionsMax);
}

uint64_t FilesOf(uint64_t deliveries) {
  return deliveries * kFilesPerDelivery + IdleBeside(deliveries);
}

// The most of them with FilesOf(them) <= files.
uint64_t DeliveriesWith(uint64_t files) {
  const uint64_t all_with_idle = files / (kFilesPerDelivery + 1);
  if (all_with_idle <= kIdleConnectionsMax) return all_with_idle;
  return (files - kIdleConnectionsMax) / kFilesPerDelivery;
}

}  // namespace

Result<uint64_t> RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return IoError(std::string("getrlimit: ") + std::strerror(errno));
  }
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, kFilesMax);
  if (limit.rlim_cur >= wanted) return std::min<uint64_t>(limit.rlim_cur, kFilesMax);
  limit.rlim_cur = wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return IoError(std::string("setrlimit: ") + std::strerror(errno));
  }
  return wanted;
}

Result<FileShares> ShareFiles(uint64_t limit, uint64_t connections, uint64_t deliveries) {
  if (limit < kFilesMin) {
    return Refused("the limit of open files is " + std::to_string(limit) + "; Belfry needs " +
                   std::to_string(kFilesMin) + " (LimitNOFILE= or ulimit -n)");
  }
  FileShares shares;
  shares.store = std::max(limit / 4, std::min(kFilesForStore, limit / 2));
  if (limit < kFilesAmple) {
    shares.store_tables = static_cast<int>(shares.store - kFilesBesideTables);
  }
  const uint64_t left = limit - shares.store - kFilesForOurselves;
  const uint64_t left_by_clients = left - std::min(left, connections);
  shares.deliveries = std::min(deliveries, DeliveriesWith(std::max(left / 2, left_by_clients)));
  shares.idle_targets = IdleBeside(shares.deliveries);
  shares.connections = std::min(connections, left - FilesOf(shares.deliveries));
  return shares;
}

}  // namespace belfry
