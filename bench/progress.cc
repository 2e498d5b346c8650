#include "bench/progress.h"

#include <unistd.h>

#include <cstdio>

#include "base/clock.h"

namespace belfry {
namespace {

int64_t NowMs() { return SystemClock().Mono().ms; }

}  // namespace

Progress::Progress()
    : terminal_(isatty(STDERR_FILENO) == 1), start_ms_(NowMs()), shown_ms_(start_ms_) {}

Progress::~Progress() {
  if (line_open_) std::fputs("\r\x1b[K", stderr);
}

void Progress::Show(const std::string& doing, double per_second, int64_t left_ms, uint64_t errors) {
  const int64_t now_ms = NowMs();
  if (now_ms - shown_ms_ < (terminal_ ? 200 : 5000)) return;
  shown_ms_ = now_ms;
  char left[32] = "?";
  if (left_ms >= 0) std::snprintf(left, sizeof left, "%.0f s", static_cast<double>(left_ms) / 1e3);
  std::fprintf(stderr, "%s%s: elapsed %.0f s, %.0f/s, ETA %s, errors %llu%s", terminal_ ? "\r" : "",
               doing.c_str(), static_cast<double>(now_ms - start_ms_) / 1e3, per_second, left,
               static_cast<unsigned long long>(errors), terminal_ ? "\x1b[K" : "\n");
  line_open_ = terminal_;
}

}  // namespace belfry
