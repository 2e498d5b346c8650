#include "daemon/rlimit.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace belfry {
namespace {

constexpr uint64_t kFilesPerDelivery = 2;

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
  shares.store = std::min(kFilesForStoreMax, limit / 2);
  const uint64_t left = limit - shares.store - kFilesForOurselves;
  const uint64_t left_by_clients = left - std::min(left, connections);
  const uint64_t for_deliveries = std::max(left / 2, left_by_clients) / kFilesPerDelivery;
  shares.deliveries = std::min(deliveries, for_deliveries);
  shares.connections = std::min(connections, left - shares.deliveries * kFilesPerDelivery);
  return shares;
}

}  // namespace belfry
