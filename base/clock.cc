#include "base/clock.h"

#include <ctime>

namespace belfry {
namespace {

int64_t ReadMs(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * kSecondMs + t.tv_nsec / 1'000'000;
}

}  // namespace

WallMs SystemClock::Wall() const { return {ReadMs(CLOCK_REALTIME)}; }
MonoMs SystemClock::Mono() const { return {ReadMs(CLOCK_MONOTONIC)}; }

}  // namespace belfry
