#include "scheduler/left_rows.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr char kHost[] = "https://a.example";
constexpr char kOther[] = "https://b.example";
constexpr WallMs kNow{50'000};

LoadedPage PageOf(const LoadOp& load, std::vector<Key> keys, bool ended) {
  LoadedPage page;
  page.generation = load.generation;
  page.reader = load.reader;
  page.last_examined = keys.empty() ? load.after : keys.back();
  page.ended = ended;
  for (const Key& key : keys) {
    auto timer = std::make_unique<Timer>();
    timer->id = key.id;
    timer->next_attempt = key.at;
    page.timers.push_back(std::move(timer));
  }
  return page;
}

class LeftRowsTest : public testing::Test {
 protected:
  std::optional<LoadOp> Next(WallMs now = kNow) { return left_.NextLoad(10, 1000, now); }
  void Leave(const Key& key, const char* target = kHost) { left_.Leave(target, key, key); }

  LeftRows left_;
};

TEST_F(LeftRowsTest, HasNothingToReadAtFirst) {
  EXPECT_TRUE(left_.empty());
  EXPECT_FALSE(Next());
  EXPECT_FALSE(left_.NextLoadAt(kNow));
  EXPECT_FALSE(left_.Covers({{1000}, 1}));
}

TEST_F(LeftRowsTest, ReadsFromTheFirstToTheLastThatWasPassedOver) {
  Leave({{2000}, 2});
  Leave({{3000}, 3});
  Leave({{1000}, 1});
  const auto load = Next();
  ASSERT_TRUE(load);
  EXPECT_EQ(load->reader, Reader::kLeftRows);
  EXPECT_EQ(JustAbove(load->after), (Key{{1000}, 1}));
  EXPECT_EQ(load->end, JustAbove({{3000}, 3}));
  EXPECT_EQ(load->rows_max, 10u);
  EXPECT_EQ(load->bytes_max, 1000u);
  EXPECT_FALSE(Next());
}

TEST_F(LeftRowsTest, CoversWhatWasNotReadAgain) {
  Leave({{1000}, 1});
  Leave({{3000}, 3});
  EXPECT_TRUE(left_.Covers({{1000}, 1}));
  EXPECT_FALSE(left_.Covers({{3000}, 4}));
  EXPECT_EQ(left_.TakePage(PageOf(*Next(), {{{2000}, 2}}, false)).size(), 1u);
  EXPECT_FALSE(left_.Covers({{2000}, 2}));
  EXPECT_TRUE(left_.Covers({{2000}, 3}));
  EXPECT_EQ(left_.first(), (Key{{2000}, 3}));
  EXPECT_EQ(Next()->after, (Key{{2000}, 2}));
}

TEST_F(LeftRowsTest, KnowsATargetUntilItsLastRowWasRead) {
  Leave({{1000}, 1}, kOther);
  Leave({{3000}, 3});
  EXPECT_TRUE(left_.Has(kOther));
  (void)left_.TakePage(PageOf(*Next(), {{{1000}, 1}}, false));
  EXPECT_FALSE(left_.Has(kOther));
  EXPECT_TRUE(left_.Has(kHost));
  (void)left_.TakePage(PageOf(*Next(), {{{3000}, 3}}, true));
  EXPECT_TRUE(left_.empty());
}

TEST_F(LeftRowsTest, NamesItsTargetsAndOthersInOrder) {
  const auto more = std::make_shared<const std::vector<std::string>>(
      std::vector<std::string>{kHost, "https://c.example"});
  EXPECT_EQ(left_.NamesAnd(nullptr), nullptr);
  EXPECT_EQ(left_.NamesAnd(more), more);
  Leave({{1000}, 1}, kOther);
  Leave({{1000}, 2}, kHost);
  EXPECT_EQ(*left_.NamesAnd(more), (std::vector<std::string>{kHost, kOther, "https://c.example"}));
  EXPECT_EQ(*left_.NamesAnd(nullptr), (std::vector<std::string>{kHost, kOther}));
}

TEST_F(LeftRowsTest, LeavesWhatIsNotDueYet) {
  left_.Leave(kHost, {{40'000}, 1}, {{60'000}, 2});
  EXPECT_FALSE(left_.HasAfter(kHost, {60'000}));
  EXPECT_TRUE(left_.HasAfter(kHost, kNow));
  const auto load = Next();
  EXPECT_EQ(load->end, (Key{kNow + 1, 0}));
  (void)left_.TakePage(PageOf(*load, {{{40'000}, 1}}, true));
  EXPECT_TRUE(left_.Has(kHost));
  EXPECT_FALSE(Next());
  EXPECT_FALSE(Next(kNow + (kLoadIntervalMs - 1)));
  EXPECT_EQ(left_.NextLoadAt(kNow), kNow + kLoadIntervalMs);
  EXPECT_TRUE(Next(kNow + kLoadIntervalMs));
}

TEST_F(LeftRowsTest, LooksLessOftenWhereThereWasNothing) {
  left_.Leave(kHost, {{40'000}, 1}, {{60'000}, 2});
  (void)left_.TakePage(PageOf(*Next(), {}, true));
  EXPECT_EQ(left_.NextLoadAt(kNow), kNow + kLeftIntervalMs);
  // A clock that stepped back does not hold it off.
  Leave({{10'000}, 1});
  EXPECT_TRUE(Next({20'000}));
}

TEST_F(LeftRowsTest, ThrowsAwayAPageThatMissesARow) {
  Leave({{3000}, 3});
  const auto load = Next();
  Leave({{1000}, 1});
  EXPECT_TRUE(left_.TakePage(PageOf(*load, {{{3000}, 3}}, true)).empty());
  EXPECT_TRUE(left_.Covers({{1000}, 1}));
  EXPECT_EQ(JustAbove(Next()->after), (Key{{1000}, 1}));
}

TEST_F(LeftRowsTest, TakesAPageWhenMoreWasPassedOverBehindIt) {
  Leave({{1000}, 1});
  const auto load = Next();
  Leave({{3000}, 3});
  EXPECT_EQ(left_.TakePage(PageOf(*load, {{{1000}, 1}}, true)).size(), 1u);
  EXPECT_TRUE(left_.Covers({{3000}, 3}));
}

TEST_F(LeftRowsTest, GivesUpWhatAnotherReadsAgain) {
  Leave({{1000}, 1}, kOther);
  left_.Leave(kHost, {{40'000}, 4}, {{60'000}, 6});
  left_.EndAt({kNow, 0});
  EXPECT_TRUE(left_.Covers({{40'000}, 4}));
  EXPECT_FALSE(left_.Covers({{60'000}, 6}));
  EXPECT_FALSE(left_.HasAfter(kHost, kNow));
  left_.EndAt({{500}, 0});
  EXPECT_TRUE(left_.empty());
}

}  // namespace
}  // namespace belfry
