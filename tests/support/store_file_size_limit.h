// store_file_size_limit.h - makes writes fail like on a full disk, for tests.
#pragma once

#include <sys/resource.h>

#include <csignal>

#include "base/check.h"

namespace belfry {

// No file may grow past `bytes` while this lives: the write behind a commit fails like on a full
// disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    const rlimit limit{bytes, before_.rlim_max};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() { CHECK(setrlimit(RLIMIT_FSIZE, &before_) == 0); }

 private:
  rlimit before_;
};

}  // namespace belfry
