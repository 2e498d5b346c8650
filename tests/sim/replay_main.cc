// belfry-sim [--from SEED] [--count N] [--verbose]: runs seeds of the simulator; one seed with
// --verbose prints every step.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/sim/world.h"

int main(int argc, char** argv) {
  uint64_t from = 1;
  uint64_t count = 1;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--verbose") == 0) {
      verbose = true;
    } else if (std::strcmp(argv[i], "--from") == 0 && i + 1 < argc) {
      from = std::strtoull(argv[++i], nullptr, 10);
    } else if (std::strcmp(argv[i], "--count") == 0 && i + 1 < argc) {
      count = std::strtoull(argv[++i], nullptr, 10);
    } else {
      std::fprintf(stderr, "usage: belfry-sim [--from SEED] [--count N] [--verbose]\n");
      return 2;
    }
  }
  uint64_t deliveries = 0;
  uint64_t expired = 0;
  uint64_t callbacks = 0;
  uint64_t replays = 0;
  for (uint64_t seed = from; seed < from + count; ++seed) {
    belfry::sim::World world(seed, verbose);
    const auto violation = world.Run();
    deliveries += world.oracle().deliveries();
    expired += world.oracle().expired();
    callbacks += world.oracle().callbacks();
    replays += world.oracle().replays();
    if (violation) {
      std::printf("seed %lu step %d: %s\n", violation->seed, violation->step,
                  violation->what.c_str());
      return 1;
    }
  }
  std::printf("%lu seeds clean: %lu deliveries, %lu expired, %lu callbacks, %lu replays\n", count,
              deliveries, expired, callbacks, replays);
  return 0;
}
