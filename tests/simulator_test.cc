// The simulator over many seeds; `belfry-sim --from SEED --verbose` replays one.
#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace belfry::sim {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr uint64_t kSeedsPerShard = 500;  // each takes seven times as long
#else
constexpr uint64_t kSeedsPerShard = 2500;
#endif

class Simulator : public testing::TestWithParam<uint64_t> {};

TEST_P(Simulator, EverySeedKeepsThePromise) {
  uint64_t deliveries = 0;
  uint64_t expired = 0;
  uint64_t callbacks = 0;
  uint64_t replays = 0;
  uint64_t snapshots = 0;
  uint64_t resumes = 0;
  uint64_t events = 0;
  uint64_t lapses = 0;
  uint64_t refused = 0;
  uint64_t renewals = 0;
  uint64_t moved = 0;
  for (uint64_t i = 0; i < kSeedsPerShard; ++i) {
    World world(GetParam() * kSeedsPerShard + i + 1, false);
    const auto violation = world.Run();
    deliveries += world.oracle().deliveries();
    expired += world.oracle().expired();
    callbacks += world.oracle().callbacks();
    replays += world.oracle().replays();
    snapshots += world.stopwatches().snapshots();
    resumes += world.stopwatches().resumes();
    events += world.stopwatches().events();
    lapses += world.streams().lapses();
    refused += world.streams().refused();
    renewals += world.streams().renewals();
    moved += world.streams().moved();
    ASSERT_FALSE(violation) << "seed " << violation->seed << " step " << violation->step << ": "
                            << violation->what;
  }
  // A simulator that sends nothing proves nothing.
  EXPECT_GT(deliveries, 10 * kSeedsPerShard);
  EXPECT_GT(expired, kSeedsPerShard / 2);
  EXPECT_GT(callbacks, kSeedsPerShard);
  EXPECT_GT(replays, kSeedsPerShard / 2);
  EXPECT_GT(snapshots, kSeedsPerShard);
  EXPECT_GT(resumes, kSeedsPerShard / 20);
  EXPECT_GT(events, kSeedsPerShard);
  EXPECT_GT(lapses, kSeedsPerShard);
  EXPECT_GT(refused, kSeedsPerShard);
  EXPECT_GT(renewals, kSeedsPerShard);
  EXPECT_GT(moved, kSeedsPerShard / 100);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulator, testing::Range<uint64_t>(0, 4));

}  // namespace
}  // namespace belfry::sim
