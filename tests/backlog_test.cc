#include "scheduler/backlog.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

constexpr WallMs kLow{1000};
constexpr WallMs kNow{50'000};

TimerPtr At(TimerId id, int64_t at_ms) {
  auto timer = std::make_unique<Timer>();
  timer->id = id;
  timer->next_attempt = {at_ms};
  return timer;
}

LoadedPage PageOf(const LoadOp& load, std::vector<Key> keys, bool ended) {
  LoadedPage page;
  page.generation = load.generation;
  page.reader = load.reader;
  page.last_examined = keys.empty() ? load.after : keys.back();
  page.ended = ended;
  for (const Key& key : keys) page.timers.push_back(At(key.id, key.at.ms));
  return page;
}

class BacklogTest : public testing::Test {
 protected:
  std::optional<LoadOp> Next(WallMs now = kNow) { return backlog_.NextLoad(10, 1000, now); }

  Backlog backlog_{kLow, kNow, Reader::kBacklog};
};

TEST_F(BacklogTest, ReadsFromTheWatermarkUpToTheSplit) {
  const auto load = Next();
  ASSERT_TRUE(load);
  EXPECT_EQ(load->reader, Reader::kBacklog);
  EXPECT_EQ(JustAbove(load->after), (Key{kLow, 0}));
  EXPECT_EQ(load->end, (Key{kNow, 0}));
  EXPECT_EQ(load->rows_max, 10u);
  EXPECT_EQ(load->bytes_max, 1000u);
}

TEST_F(BacklogTest, OfLateDeadlinesPagesHaveNothingElse) {
  EXPECT_FALSE(Next()->leases_only);
  Backlog leases(kLow, kNow, Reader::kLeases);
  const auto load = leases.NextLoad(10, 1000, kNow);
  ASSERT_TRUE(load);
  EXPECT_EQ(load->reader, Reader::kLeases);
  EXPECT_TRUE(load->leases_only);
}

TEST_F(BacklogTest, AsksForOnePageAtATimeAndGoesOnBehindIt) {
  const auto first = Next();
  EXPECT_FALSE(Next());
  EXPECT_FALSE(backlog_.NextLoadAt({50'000}));
  const auto timers = backlog_.TakePage(PageOf(*first, {{{2000}, 1}, {{3000}, 2}}, false));
  EXPECT_EQ(timers.size(), 2u);
  EXPECT_EQ(backlog_.cursor(), (Key{{3000}, 2}));
  const auto second = Next();
  EXPECT_EQ(second->after, (Key{{3000}, 2}));
}

TEST_F(BacklogTest, MeetsWhatIsAheadOfTheCursorAndBeforeTheSplit) {
  (void)backlog_.TakePage(PageOf(*Next(), {{{2000}, 5}}, false));
  EXPECT_FALSE(backlog_.WillMeet({{2000}, 5}));
  EXPECT_FALSE(backlog_.WillMeet({{1500}, 9}));
  EXPECT_TRUE(backlog_.WillMeet({{2000}, 6}));
  EXPECT_TRUE(backlog_.WillMeet({{kNow.ms - 1}, 1}));
  EXPECT_FALSE(backlog_.WillMeet({kNow, 1}));
}

TEST_F(BacklogTest, EndsAtTheSplit) {
  (void)backlog_.TakePage(PageOf(*Next(), {}, true));
  EXPECT_TRUE(backlog_.ended());
  EXPECT_FALSE(Next());
  EXPECT_FALSE(backlog_.WillMeet({{2000}, 1}));
}

TEST_F(BacklogTest, WaitsForWhatIsNotDueAfterTheClockWasSetBack) {
  (void)backlog_.TakePage(PageOf(*Next(), {{{40'000}, 1}}, false));
  EXPECT_FALSE(Next({30'000}));
  EXPECT_EQ(backlog_.NextLoadAt({50'000}), (WallMs{40'000}));
  EXPECT_TRUE(Next({40'000}));
}

TEST_F(BacklogTest, TakesOverFromTheWindowWhenItHasEnded) {
  (void)backlog_.TakePage(PageOf(*Next(), {}, true));
  const Key first{{60'000}, 7};
  backlog_.Take(first, JustAbove(first));
  EXPECT_TRUE(backlog_.WillMeet(first));
  // All between the old split and the first is in memory.
  EXPECT_FALSE(backlog_.WillMeet({{55'000}, 1}));
  EXPECT_EQ(Next({60'000})->end, JustAbove(first));
}

TEST_F(BacklogTest, ReadsOnWhenMoreIsAddedBehindTheSplit) {
  const auto load = Next();
  const Key first{{60'000}, 7};
  backlog_.Take(first, JustAbove(first));
  // The page that is under way knows of the old split only.
  (void)backlog_.TakePage(PageOf(*load, {{{2000}, 1}}, true));
  EXPECT_FALSE(backlog_.ended());
  EXPECT_TRUE(backlog_.WillMeet(first));
}

TEST_F(BacklogTest, ThrowsAwayAPageFromBeforeTheCursorWentBack) {
  (void)backlog_.TakePage(PageOf(*Next(), {{{30'000}, 1}}, false));
  const auto load = Next();
  backlog_.Take({{20'000}, 4}, backlog_.split());
  EXPECT_TRUE(backlog_.TakePage(PageOf(*load, {{{40'000}, 2}}, false)).empty());
  EXPECT_TRUE(backlog_.WillMeet({{20'000}, 4}));
  EXPECT_EQ(Next()->after, JustBelow({{20'000}, 4}));
}

}  // namespace
}  // namespace belfry
