// Writes into a store when its clock was last seen: `mark_clock DIR UNIX_MS`, and with a name that
// the user `local` started a stopwatch then. For tests of a clock that is wrong at start, which
// nobody can set for a test.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/op.h"
#include "storage/data_dir.h"

namespace belfry {
namespace {

Status Mark(const char* directory, WallMs last_seen, const char* stopwatch) {
  DataDirOptions options;
  options.path = directory;
  Result<std::unique_ptr<DataDir>> data = DataDir::Open(options);
  if (!data.ok()) return data.status();
  std::vector<Op> ops(1);
  ops[0].what = MarkOp{.low = {}, .last_seen = last_seen};
  if (stopwatch) ops.push_back({0, StopwatchPutOp{{kLocalTenant, stopwatch, last_seen}}});
  std::vector<Completion> done;
  if (Status s = (*data)->store().Apply(std::move(ops), &done); !s.ok()) return s;
  return (*data)->CloseCleanly();
}

}  // namespace
}  // namespace belfry

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: mark_clock DIR UNIX_MS [STOPWATCH]\n");
    return 2;
  }
  const belfry::WallMs last_seen{std::strtoll(argv[2], nullptr, 10)};
  const belfry::Status s = belfry::Mark(argv[1], last_seen, argc > 3 ? argv[3] : nullptr);
  if (s.ok()) return 0;
  std::fprintf(stderr, "mark_clock: %s\n", s.message().c_str());
  return 1;
}
