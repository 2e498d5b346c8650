#include "scheduler/wake_heap.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

namespace belfry {
namespace {

struct Sleeper {
  WallMs wake_at;
  size_t wake_place = kNoPlace;
};

TEST(WakeHeap, TheFirstIsAlwaysTheEarliestUnderAnyMixOfCalls) {
  std::mt19937_64 random(11);
  std::array<Sleeper, 40> sleepers;
  WakeHeap<Sleeper> heap;
  std::map<Sleeper*, int64_t> model;
  for (int round = 0; round < 50'000; ++round) {
    Sleeper& one = sleepers[random() % sleepers.size()];
    if (random() % 3 == 0) {
      heap.Remove(one);
      model.erase(&one);
    } else {
      const auto at = static_cast<int64_t>(random() % 100);
      heap.Set(one, {at});
      model[&one] = at;
    }
    ASSERT_EQ(heap.empty(), model.empty());
    if (model.empty()) continue;
    int64_t least = 1000;
    for (const auto& [sleeper, at] : model) least = std::min(least, at);
    ASSERT_EQ(heap.first().wake_at.ms, least);
    ASSERT_EQ(model.at(&heap.first()), least);
  }
}

TEST(WakeHeap, WhoLeftHasNoPlace) {
  Sleeper one;
  Sleeper two;
  WakeHeap<Sleeper> heap;
  heap.Set(one, {5});
  heap.Set(two, {3});
  heap.Remove(two);
  heap.Remove(two);
  EXPECT_EQ(two.wake_place, kNoPlace);
  EXPECT_EQ(&heap.first(), &one);
  heap.Remove(one);
  EXPECT_TRUE(heap.empty());
}

}  // namespace
}  // namespace belfry
