// rlimit.h - open files: raise the limit, then share it out, so that no part starves another. Any
// thread; call before sockets are opened.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"

namespace belfry {

constexpr uint64_t kFilesMax = 1 << 20;   // more are not asked for
constexpr uint64_t kFilesMin = 192;       // with fewer Belfry does not start
constexpr uint64_t kFilesAmple = 65'536;  // from here on the store keeps all its tables open
// Of the store: a quarter of the limit; this when that is more, but never more than half.
constexpr uint64_t kFilesForStore = 256;
constexpr uint64_t kFilesBesideTables = 32;  // of the store: logs, directories, tables being made
// Log, timers, event loop, listeners, name look-ups, curl's own.
constexpr uint64_t kFilesForOurselves = 64;

// Raises RLIMIT_NOFILE to its hard limit, at most kFilesMax; answers the limit in force. An error
// leaves the limit as it was.
[[nodiscard]] Result<uint64_t> RaiseFileLimit();

struct FileShares {
  uint64_t store = 0;         // all files of the store, logs and directories included
  int store_tables = -1;      // of them, tables kept open; -1: all
  uint64_t connections = 0;   // client connections at once
  uint64_t deliveries = 0;    // attempts under way at once
  uint64_t idle_targets = 0;  // connections to targets kept for reuse, beside those attempts
};

// Shares `limit` out; the shares together never exceed it. Clients and deliveries get what they ask
// for when there is enough; when there is not, deliveries give way down to half of what is left. An
// attempt may hold two, one for each family of addresses, while it connects. kRefused below
// kFilesMin.
[[nodiscard]] Result<FileShares> ShareFiles(uint64_t limit, uint64_t connections,
                                            uint64_t deliveries);

}  // namespace belfry
