#include "scheduler/waiting_line.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace belfry {
namespace {

WaitingLine::Place Make(TimerId id, int64_t at_ms) {
  auto timer = std::make_unique<Timer>();
  timer->id = id;
  timer->next_attempt = {at_ms};
  return {KeyOf(*timer), static_cast<uint32_t>(100 + id), 0, std::move(timer)};
}

TEST(WaitingLine, GivesTheEarliestKeyFirstInWhateverOrderTheyCame) {
  WaitingLine line;
  for (const int64_t at : {30, 10, 20, 40, 10}) {
    line.Add(Make(static_cast<TimerId>(at) + line.size(), at));
  }
  std::vector<int64_t> order;
  while (!line.empty()) order.push_back(line.TakeFirst().key.at.ms);
  EXPECT_EQ(order, (std::vector<int64_t>{10, 10, 20, 30, 40}));
}

TEST(WaitingLine, TakesAndFindsByKeyOnlyWhatIsThere) {
  WaitingLine line;
  for (const TimerId id : {1, 2, 3}) line.Add(Make(id, static_cast<int64_t>(id) * 10));
  EXPECT_EQ(line.Find({{20}, 2})->id, 2u);
  EXPECT_EQ(line.Find({{20}, 3}), nullptr);
  const WaitingLine::Place taken = line.Take({{20}, 2});
  EXPECT_EQ(taken.timer->id, 2u);
  EXPECT_EQ(taken.bytes, 102u);
  EXPECT_EQ(line.Take({{20}, 2}).timer, nullptr);
  EXPECT_EQ(line.Find({{20}, 2}), nullptr);
  EXPECT_EQ(line.Take({{99}, 9}).timer, nullptr);
  EXPECT_EQ(line.TakeFirst().key.id, 1u);
  EXPECT_EQ(line.Find({{10}, 1}), nullptr);
  EXPECT_EQ(line.TakeFirst().key.id, 3u);
  EXPECT_TRUE(line.empty());
}

TEST(WaitingLine, ComesBackIntoItsOwnHole) {
  WaitingLine line;
  for (const TimerId id : {1, 2, 3}) line.Add(Make(id, static_cast<int64_t>(id) * 10));
  line.Add(line.Take({{20}, 2}));
  EXPECT_EQ(line.size(), 3u);
  EXPECT_EQ(line.TakeFirst().key.id, 1u);
  EXPECT_EQ(line.TakeFirst().key.id, 2u);
}

TEST(WaitingLine, TakesAllThatAreWantedInKeyOrder) {
  WaitingLine line;
  for (TimerId id = 1; id <= 9; ++id) line.Add(Make(id, static_cast<int64_t>(id)));
  std::vector<WaitingLine::Place> taken;
  line.TakeIf([](const WaitingLine::Place& place) { return place.key.id % 3 == 1; }, &taken);
  ASSERT_EQ(taken.size(), 3u);
  EXPECT_EQ(taken[2].timer->id, 7u);
  EXPECT_EQ(line.size(), 6u);
  EXPECT_EQ(line.TakeFirst().key.id, 2u);
}

TEST(WaitingLine, HolesAndWhatLeftTakeNoMoreThanTheTimersAndAFew) {
  WaitingLine line;
  line.Add(Make(1, 1));
  for (TimerId id = 2; id < 50'000; ++id) {
    line.Add(Make(id, static_cast<int64_t>(id)));
    ASSERT_NE(line.Take({{static_cast<int64_t>(id)}, id}).timer, nullptr);
  }
  EXPECT_LE(line.places(), 8 * WaitingLine::kHolesMin);
  for (TimerId id = 50'000; id < 60'000; ++id) line.Add(Make(id, static_cast<int64_t>(id)));
  while (!line.empty()) line.TakeFirst();
  EXPECT_LE(line.places(), 2 * WaitingLine::kHolesMin);
}

TEST(WaitingLine, IsAMapByKeyUnderAnyMixOfCalls) {
  std::mt19937_64 random(7);
  WaitingLine line;
  std::map<Key, TimerId> model;
  for (TimerId id = 1; id < 20'000; ++id) {
    const Key key{{static_cast<int64_t>(random() % 500)}, random() % 4 + 1};
    if (random() % 5 < 3) {
      if (!model.emplace(key, id).second) continue;
      line.Add(Make(key.id, key.at.ms));
    } else if (random() % 2 == 0 && !model.empty()) {
      ASSERT_EQ(line.TakeFirst().key, model.begin()->first);
      model.erase(model.begin());
    } else {
      ASSERT_EQ(line.Take(key).timer != nullptr, model.erase(key) == 1);
    }
    ASSERT_EQ(line.size(), model.size());
    ASSERT_EQ(line.Find(key) != nullptr, model.contains(key));
  }
}

}  // namespace
}  // namespace belfry
