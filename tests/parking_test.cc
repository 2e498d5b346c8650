#include "scheduler/parking.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

constexpr char kHost[] = "https://a.example";
constexpr TargetNumber kNumber = 3;

TimerPtr At(const Key& key) {
  auto timer = std::make_unique<Timer>();
  timer->id = key.id;
  timer->next_attempt = key.at;
  return timer;
}

class ParkingTest : public testing::Test {
 protected:
  std::optional<LoadParkedOp> Next(size_t parks = 0) {
    return parking_.NextLoad(kNumber, 10, 1000, parks);
  }
  std::vector<TimerPtr> Answer(const LoadParkedOp& load, std::vector<Key> keys, bool ended,
                               bool target_ended = false) {
    LoadedPage page;
    page.generation = load.generation;
    page.last_examined = keys.empty() ? load.after : keys.back();
    page.ended = ended;
    for (const Key& key : keys) page.timers.push_back(At(key));
    return parking_.TakePage(kNumber, std::move(page), target_ended);
  }
  void Park(const Key& key) { parking_.Parked(kNumber, kHost, key); }

  Parking parking_;
};

TEST_F(ParkingTest, KnowsALotByNameAndByNumber) {
  EXPECT_EQ(parking_.NumberOf(kHost), 0u);
  Park({{1000}, 1});
  EXPECT_EQ(parking_.NumberOf(kHost), kNumber);
  EXPECT_EQ(parking_.NameOf(kNumber), kHost);
  EXPECT_TRUE(parking_.HasUnread(kNumber));
  EXPECT_EQ(parking_.NextWanting(), kNumber);
  EXPECT_EQ(parking_.NextWanting(), 0u);
}

TEST_F(ParkingTest, ReadsALotThatWasStoredFromItsLow) {
  parking_.Add(kNumber, kHost, {{500}, 2});
  const auto load = Next();
  ASSERT_TRUE(load);
  EXPECT_EQ(JustAbove(load->after), (Key{{500}, 2}));
  EXPECT_FALSE(Next());
}

TEST_F(ParkingTest, RemembersWhoIsOutUntilItsRowIsGone) {
  Park({{1000}, 1});
  Park({{2000}, 2});
  EXPECT_EQ(Answer(*Next(), {{{1000}, 1}, {{2000}, 2}}, true).size(), 2u);
  EXPECT_TRUE(parking_.IsOut(1));
  EXPECT_FALSE(parking_.HasUnread(kNumber));
  EXPECT_FALSE(Next());
  parking_.Left(1);
  EXPECT_FALSE(parking_.IsOut(1));
  EXPECT_FALSE(Next());
  parking_.Left(2);
  const auto last = Next();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->low, JustAbove({{2000}, 2}));
  EXPECT_TRUE(Answer(*last, {}, true, true).empty());
  EXPECT_FALSE(parking_.Has(kNumber));
  EXPECT_EQ(parking_.NumberOf(kHost), 0u);
}

TEST_F(ParkingTest, TheLowNeverPassesWhoIsOut) {
  Park({{1000}, 1});
  Park({{2000}, 2});
  (void)Answer(*Next(), {{{1000}, 1}, {{2000}, 2}}, false);
  parking_.Left(1);
  EXPECT_EQ(Next()->low, (Key{{2000}, 2}));
}

TEST_F(ParkingTest, TheLowNeverPassesWhoWasParkedBehindTheCursor) {
  Park({{2000}, 2});
  (void)Answer(*Next(), {{{2000}, 2}}, false);
  Park({{1000}, 1});
  EXPECT_EQ(Next()->low, (Key{{1000}, 1}));
}

TEST_F(ParkingTest, TheLowStaysWhileAParkIsUnderWay) {
  Park({{1000}, 1});
  EXPECT_EQ(Next(1)->low, (Key{}));
}

TEST_F(ParkingTest, ALotEndsOnlyWhenNoParkIsUnderWay) {
  Park({{1000}, 1});
  (void)Answer(*Next(), {{{1000}, 1}}, true);
  parking_.Left(1);
  while (parking_.NextWanting() != 0) {
  }
  EXPECT_FALSE(Next(1));
  EXPECT_FALSE(parking_.AnyWants());
  parking_.ParksDone();
  EXPECT_EQ(parking_.NextWanting(), kNumber);
  EXPECT_TRUE(Next(0));
}

TEST_F(ParkingTest, GoesBackForWhoIsParkedBehindTheCursor) {
  Park({{2000}, 2});
  (void)Answer(*Next(), {{{2000}, 2}}, false);
  const auto load = Next();
  Park({{1000}, 1});
  // It may have been read before the Park.
  EXPECT_TRUE(Answer(*load, {}, true).empty());
  EXPECT_TRUE(parking_.HasUnread(kNumber));
  EXPECT_EQ(Next()->after, JustBelow({{1000}, 1}));
}

TEST_F(ParkingTest, ReadsOnAfterAParkAheadOfTheCursor) {
  Park({{1000}, 1});
  (void)Answer(*Next(), {{{1000}, 1}}, true);
  Park({{3000}, 3});
  EXPECT_TRUE(parking_.HasUnread(kNumber));
  EXPECT_EQ(Next()->after, (Key{{1000}, 1}));
}

}  // namespace
}  // namespace belfry
