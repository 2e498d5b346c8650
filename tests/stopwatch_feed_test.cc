#include "scheduler/stopwatch_feed.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

using Kind = StopwatchEvent::Kind;
using Place = StopwatchFeed::Place;
using Numbers = std::vector<uint64_t>;

constexpr TenantId kAlice = 2;
constexpr TenantId kBob = 3;

class StopwatchFeedTest : public testing::Test {
 protected:
  void Add(TenantId tenant, const std::string& name, Kind kind = Kind::kReset) {
    feed_.Add(kind, {tenant, name, {1000}});
  }
  // The numbers of all that is next for it, and how that ended.
  Numbers TakeAll(StopwatchFeed::SubscriberId id, Place expected = Place::kNothing) {
    Numbers numbers;
    for (;;) {
      const StopwatchFeed::Taken taken = feed_.Take(id);
      if (taken.place != Place::kEvent) {
        EXPECT_EQ(taken.place, expected);
        return numbers;
      }
      numbers.push_back(taken.event->number);
      complete_ = taken.complete;
    }
  }

  // More than the ring holds, of stopwatches that change once.
  void AddOthers(const std::string& name, TenantId count) {
    for (TenantId i = 0; i < count; ++i) Add(100 + others_++, name);
  }

  StopwatchFeed feed_{4};
  TenantId others_ = 0;
  bool complete_ = true;  // as of the last that was taken
};

TEST_F(StopwatchFeedTest, TellsOfEverybodysOfANameAndOfNothingElse) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, {}));
  Add(kBob, "tea");
  Add(kBob, "teapot");
  Add(kAlice, "run");
  Add(kAlice, "tea");
  EXPECT_EQ(TakeAll(1), (Numbers{1, 4}));
  EXPECT_EQ(TakeAll(1), Numbers{});
}

TEST_F(StopwatchFeedTest, TellsOfAllOwnOnes) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {}, true}, {}));
  Add(kAlice, "tea");
  Add(kBob, "tea");
  Add(kAlice, "run", Kind::kDeleted);
  EXPECT_EQ(TakeAll(1), (Numbers{1, 3}));
}

TEST_F(StopwatchFeedTest, TellsOnceOfWhatIsBothNamedAndOwn) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, true}, {}));
  Add(kAlice, "tea");
  EXPECT_EQ(feed_.TakeWoken().size(), 1u);
  EXPECT_EQ(TakeAll(1), Numbers{1});
}

TEST_F(StopwatchFeedTest, WakesOnceUntilAllWasTaken) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, {}));
  Add(kBob, "tea");
  Add(kBob, "tea");
  EXPECT_EQ(feed_.TakeWoken(), Numbers{1});
  EXPECT_EQ(feed_.Take(1).place, Place::kEvent);
  Add(kBob, "tea");
  EXPECT_TRUE(feed_.TakeWoken().empty());
  EXPECT_EQ(TakeAll(1), (Numbers{2, 3}));
  Add(kBob, "tea");
  EXPECT_EQ(feed_.TakeWoken(), Numbers{1});
}

TEST_F(StopwatchFeedTest, WhoIsSlowerThanTheRingIsToldSo) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, {}));
  ASSERT_TRUE(feed_.Subscribe(2, {kAlice, {"tea"}, false}, {}));
  AddOthers("tea", 4);
  EXPECT_EQ(TakeAll(2).size(), 4u);
  Add(kBob, "tea");
  EXPECT_EQ(TakeAll(1, Place::kLost), Numbers{});
  EXPECT_EQ(TakeAll(2), Numbers{5});
}

TEST_F(StopwatchFeedTest, WhatIsForOthersLosesNothing) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, {}));
  for (int i = 0; i < 100; ++i) Add(kBob, "run");
  EXPECT_EQ(TakeAll(1), Numbers{});
  Add(kBob, "tea");
  EXPECT_EQ(TakeAll(1), Numbers{101});
}

TEST_F(StopwatchFeedTest, AStopwatchThatIsResetAllTheTimeTakesNothingFromOthers) {
  Add(kBob, "tea");
  Add(kBob, "run");
  for (int i = 0; i < 100; ++i) Add(kAlice, "run");
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea", "run"}, false}, 0));
  // Of the resets behind one another the last ones are there.
  EXPECT_EQ(TakeAll(1), (Numbers{1, 2, 101, 102}));
  ASSERT_TRUE(feed_.Subscribe(2, {kAlice, {"tea"}, false}, {}));
  Add(kBob, "tea");
  for (int i = 0; i < 100; ++i) Add(kAlice, "tea");
  EXPECT_EQ(TakeAll(2).back(), feed_.last());
}

TEST_F(StopwatchFeedTest, OnlyAResetThatIsFollowedIsGivenUpBeforeItsTime) {
  Add(kBob, "tea");                  // 1
  Add(kBob, "tea", Kind::kDeleted);  // 2: stands for 1
  Add(kBob, "tea", Kind::kCreated);
  Add(kBob, "run");
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, 0));
  Add(kBob, "swim");
  EXPECT_EQ(TakeAll(1), (Numbers{2, 3}));
  // None of the others has a later one that says the same.
  Add(kBob, "sit");
  EXPECT_FALSE(feed_.Subscribe(2, {kAlice, {"tea"}, false}, 0));
  ASSERT_TRUE(feed_.Subscribe(3, {kAlice, {"tea"}, false}, 2));
  EXPECT_EQ(TakeAll(3), Numbers{3});
}

TEST_F(StopwatchFeedTest, ResumesBehindWhatWasHeard) {
  Add(kBob, "tea");
  Add(kBob, "run");
  Add(kBob, "tea");
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, 1));
  EXPECT_EQ(feed_.TakeWoken(), Numbers{1});
  EXPECT_EQ(TakeAll(1), Numbers{3});
  ASSERT_TRUE(feed_.Subscribe(2, {kAlice, {"tea"}, false}, 3));
  EXPECT_TRUE(feed_.TakeWoken().empty());
  EXPECT_EQ(TakeAll(2), Numbers{});
}

TEST_F(StopwatchFeedTest, DoesNotResumeWhatIsTooOldOrWasNever) {
  AddOthers("tea", 6);
  EXPECT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, 2));
  EXPECT_EQ(TakeAll(1), (Numbers{3, 4, 5, 6}));
  for (const uint64_t after : {uint64_t{0}, uint64_t{1}, uint64_t{7}, ~uint64_t{0}}) {
    EXPECT_FALSE(feed_.Subscribe(10 + after % 10, {kAlice, {"tea"}, false}, after)) << after;
    EXPECT_EQ(TakeAll(10 + after % 10), Numbers{});
  }
}

TEST_F(StopwatchFeedTest, TheDeletionOfItsOwnIsTheLastOfAName) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea", "run"}, false}, {}));
  Add(kBob, "tea");
  Add(kAlice, "tea", Kind::kDeleted);
  Add(kBob, "tea");
  Add(kAlice, "tea", Kind::kCreated);
  // What Bob did before was not taken in time.
  EXPECT_EQ(TakeAll(1), Numbers{2});
  Add(kAlice, "run", Kind::kDeleted);
  EXPECT_EQ(TakeAll(1, Place::kEnded), Numbers{5});
  EXPECT_EQ(TakeAll(1, Place::kEnded), Numbers{});
}

TEST_F(StopwatchFeedTest, WhatWasWithheldIsTakenByWhoResumesBehindTheDeletion) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, true}, {}));
  Add(kAlice, "run");
  Add(kAlice, "tea", Kind::kDeleted);
  EXPECT_EQ(TakeAll(1), (Numbers{1, 2}));
  EXPECT_TRUE(complete_);
  Add(kBob, "tea");
  Add(kAlice, "run");
  EXPECT_EQ(TakeAll(1), Numbers{4});
  EXPECT_FALSE(complete_) << "it has not heard of 3";
  feed_.Unsubscribe(1);
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, true}, 2));
  EXPECT_EQ(TakeAll(1), (Numbers{3, 4}));
}

TEST_F(StopwatchFeedTest, SomebodyElsesDeletionEndsNothing) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, {}));
  Add(kBob, "tea", Kind::kDeleted);
  Add(kBob, "tea", Kind::kCreated);
  EXPECT_EQ(TakeAll(1), (Numbers{1, 2}));
}

TEST_F(StopwatchFeedTest, WithOwnItGoesOnWithItsOwn) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, true}, {}));
  Add(kAlice, "tea", Kind::kDeleted);
  Add(kBob, "tea");
  Add(kAlice, "tea", Kind::kCreated);
  EXPECT_EQ(TakeAll(1), (Numbers{1, 3}));
}

TEST_F(StopwatchFeedTest, DoesNotResumeOverTheEndOrTheBeginningOfOwningAName) {
  Add(kBob, "tea");
  Add(kAlice, "tea", Kind::kDeleted);
  Add(kAlice, "tea", Kind::kCreated);
  EXPECT_FALSE(feed_.Subscribe(1, {kAlice, {"tea"}, false}, 1));
  EXPECT_FALSE(feed_.Subscribe(2, {kAlice, {"tea"}, false}, 2));
  EXPECT_TRUE(feed_.Subscribe(3, {kBob, {"tea"}, false}, 1));
  EXPECT_TRUE(feed_.Subscribe(4, {kAlice, {}, true}, 1));
  EXPECT_TRUE(feed_.Subscribe(5, {kAlice, {"tea"}, false}, 3));
}

TEST_F(StopwatchFeedTest, HearsNothingOfANameFromBeforeItWasOwned) {
  Add(kAlice, "run");
  Add(kBob, "tea");
  // Subscribes, and owns the name before that is looked at.
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, true}, 1));
  ASSERT_TRUE(feed_.Subscribe(2, {kAlice, {"tea"}, true}, {}));
  Add(kBob, "tea");
  Add(kAlice, "tea", Kind::kCreated);
  EXPECT_EQ(TakeAll(1, Place::kLost), Numbers{});
  EXPECT_EQ(TakeAll(2, Place::kLost), Numbers{});
}

TEST_F(StopwatchFeedTest, WhoIsGoneIsForgotten) {
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"tea"}, true}, {}));
  Add(kBob, "tea");
  feed_.Unsubscribe(1);
  feed_.Unsubscribe(1);
  Add(kBob, "tea");
  Add(kAlice, "tea");
  EXPECT_EQ(feed_.TakeWoken(), Numbers{1});  // it was woken when it was there
  EXPECT_EQ(feed_.subscribers(), 0u);
  ASSERT_TRUE(feed_.Subscribe(1, {kAlice, {"run"}, false}, {}));
  EXPECT_EQ(TakeAll(1), Numbers{});
}

}  // namespace
}  // namespace belfry
