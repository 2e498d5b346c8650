// Stopwatches in the engine, over the ledger in memory.

#include "scheduler/stopwatches.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "daemon/engine_start.h"
#include "scheduler/engine.h"
#include "storage/ledger.h"
#include "storage/memory_kv.h"

namespace belfry {
namespace {

constexpr WallMs kWall{1'000'000'000'000};
constexpr TenantId kAlice = 2;
constexpr TenantId kBob = 3;

class StopwatchesTest : public testing::Test {
 protected:
  StopwatchesTest() { Open(kWall); }

  void Open(WallMs wall) {
    engine_.reset();
    store_.reset();
    auto opened = Ledger::Open(std::make_unique<MemoryKv>(disk_), "abcdefghij");
    CHECK(opened.ok());
    store_ = std::move(*opened);
    wall_ = wall;
    engine_ = std::make_unique<Engine>(options_, StartFrom(store_->opened()), wall_, mono_);
    Commit();
    replies_.clear();
  }
  void Pass(int64_t ms) {
    mono_ = mono_ + ms;
    wall_ = wall_ + ms;
  }
  // What the loop does, until nothing is left.
  void Commit() {
    for (int turn = 0; turn < 5; ++turn) {
      engine_->Tick(wall_, mono_);
      Ready ready = engine_->TakeReady();
      for (Query& query : ready.queries) engine_->QueryDone(store_->Run(query), mono_);
      for (Reply& reply : ready.replies) replies_.push_back(std::move(reply));
      std::vector<Completion> done;
      const Status status = store_->Apply(std::move(ready.ops), &done);
      engine_->Complete(std::move(done), wall_);
      if (!status.ok()) engine_->StoreFailed();
    }
  }
  template <typename T>
  T Only() {
    Commit();
    EXPECT_EQ(replies_.size(), 1u);
    const std::vector<Reply> replies = std::exchange(replies_, {});
    if (replies.empty() || !std::holds_alternative<T>(replies[0].what)) {
      ADD_FAILURE() << "another answer";
      return {};
    }
    return std::get<T>(replies[0].what);
  }
  bool Start(TenantId tenant, const std::string& name) {
    watches().Start(1, tenant, name, mono_);
    const auto reply = Only<StopwatchReply>();
    EXPECT_EQ(reply.name, name);
    return reply.created;
  }
  void Delete(TenantId tenant, const std::string& name) {
    watches().Delete(1, tenant, name);
    static_cast<void>(Only<StopwatchGoneReply>());
  }
  // "name:elapsed ..." of the tenant's.
  std::string Own(TenantId tenant) {
    watches().List(1, {tenant, {}, true, {}, 100});
    const auto list = Only<StopwatchListReply>();
    std::string text;
    for (const Stopwatch& row : list.page.rows) {
      text += row.name + ":" + std::to_string(ElapsedMs(row.started_at, list.now)) + " ";
    }
    return text;
  }
  Stopwatches& watches() { return engine_->stopwatches(); }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Ledger> store_;
  EngineOptions options_;
  WallMs wall_;
  MonoMs mono_{5000};
  std::unique_ptr<Engine> engine_;
  std::vector<Reply> replies_;
};

TEST_F(StopwatchesTest, RunFromZeroAndAgainAfterAReset) {
  EXPECT_TRUE(Start(kAlice, "tea"));
  Pass(1234);
  EXPECT_EQ(Own(kAlice), "tea:1234 ");
  EXPECT_FALSE(Start(kAlice, "tea"));
  Pass(7);
  EXPECT_EQ(Own(kAlice), "tea:7 ");
  EXPECT_EQ(Own(kBob), "");
}

TEST_F(StopwatchesTest, AreAnsweredWhenTheyAreDurableAndNotBefore) {
  watches().Start(1, kAlice, "tea", mono_);
  Ready ready = engine_->TakeReady();
  EXPECT_TRUE(ready.replies.empty());
  ASSERT_EQ(ready.ops.size(), 1u);
  EXPECT_EQ(engine_->unfinished_ops(), 1u);
  std::vector<Completion> done;
  ASSERT_TRUE(store_->Apply(std::move(ready.ops), &done).ok());
  engine_->Complete(std::move(done), wall_);
  EXPECT_EQ(engine_->unfinished_ops(), 0u);
  EXPECT_TRUE(Only<StopwatchReply>().created);
}

TEST_F(StopwatchesTest, StepsOfTheClockChangeNothingWhileTheDaemonRuns) {
  Start(kAlice, "tea");
  Pass(1000);
  wall_ = wall_ + -kHourMs;
  EXPECT_EQ(Own(kAlice), "tea:1000 ");
  wall_ = wall_ + 9 * kHourMs;
  EXPECT_EQ(Own(kAlice), "tea:1000 ");
}

TEST_F(StopwatchesTest, GoOnOverARestartAndAreNeverNegative) {
  Start(kAlice, "tea");
  Open(kWall + 60'000);
  EXPECT_EQ(Own(kAlice), "tea:60000 ");
  Open(kWall + -kHourMs);
  EXPECT_EQ(Own(kAlice), "tea:0 ");
  Pass(kHourMs + 5);
  EXPECT_EQ(Own(kAlice), "tea:5 ");
}

TEST_F(StopwatchesTest, AreNotMeasuredWithAClockThatCannotBeRight) {
  for (const int64_t wrong_ms : {-2 * kDayMs, 500 * kDayMs}) {
    Open(kWall);
    Start(kAlice, "tea");
    Open(kWall + wrong_ms);
    watches().Start(1, kAlice, "run", mono_);
    EXPECT_EQ(Only<Refusal>(), Refusal::kClockWrong);
    watches().List(1, {kAlice, {}, true, {}, 10});
    EXPECT_EQ(Only<Refusal>(), Refusal::kClockWrong);
    Delete(kAlice, "run");
    mono_ = mono_ + 10;
    wall_ = kWall + 2000;  // it is set right
    Commit();
    EXPECT_EQ(Own(kAlice), "tea:2000 ");
    EXPECT_TRUE(Start(kAlice, "run"));
    Pass(5);
    wall_ = wall_ + -kHourMs;  // once it was believed, it goes on by itself
    EXPECT_EQ(Own(kAlice), "run:5 tea:2005 ");
    Open(kWall + 3000);
    EXPECT_EQ(Own(kAlice), "run:1000 tea:3000 ");
    Delete(kAlice, "run");
  }
}

TEST_F(StopwatchesTest, HaveTheNumberOfTheRunThatIsHandedIn) {
  options_.run = uint64_t{1} << 63;
  Open(kWall);
  EXPECT_EQ(watches().run(), options_.run);
}

TEST_F(StopwatchesTest, TellTheFeedWhatBecameDurable) {
  Start(kAlice, "tea");
  ASSERT_TRUE(watches().feed().Subscribe(1, {kAlice, {"tea"}, false}, {}));
  Start(kAlice, "tea");
  Pass(5);
  Start(kBob, "tea");
  Start(kBob, "tea");
  Delete(kBob, "tea");
  Delete(kBob, "tea");
  using Kind = StopwatchEvent::Kind;
  const std::pair<Kind, TenantId> expected[] = {
      {Kind::kReset, kAlice}, {Kind::kCreated, kBob}, {Kind::kReset, kBob}, {Kind::kDeleted, kBob}};
  for (const auto& [kind, tenant] : expected) {
    const StopwatchFeed::Taken taken = watches().feed().Take(1);
    ASSERT_EQ(taken.place, StopwatchFeed::Place::kEvent);
    EXPECT_EQ(taken.event->kind, kind);
    EXPECT_EQ(taken.event->stopwatch.tenant, tenant);
    EXPECT_EQ(taken.event->stopwatch.name, "tea");
  }
  EXPECT_EQ(watches().feed().Take(1).place, StopwatchFeed::Place::kNothing);
}

TEST_F(StopwatchesTest, ADeleteIsAnsweredAlikeWhetherThereWasOneOrNot) {
  Delete(kAlice, "tea");
  Start(kAlice, "tea");
  Delete(kAlice, "tea");
  EXPECT_EQ(Own(kAlice), "");
}

TEST_F(StopwatchesTest, WhoOwnsNoneOfTheNameIsToldSo) {
  Start(kAlice, "tea");
  watches().List(1, {kBob, {"tea"}, false, {}, 10});
  static_cast<void>(Only<NotOwnedReply>());
  Start(kBob, "tea");
  watches().List(1, {kBob, {"tea"}, false, {}, 10});
  EXPECT_EQ(Only<StopwatchListReply>().page.rows.size(), 2u);
}

TEST_F(StopwatchesTest, AFullDiskRefusesStartsAndLetsDeletesThrough) {
  Start(kAlice, "tea");
  engine_->SetNoSpace(true);
  watches().Start(1, kAlice, "tea", mono_);
  EXPECT_EQ(Only<Refusal>(), Refusal::kNoSpace);
  Delete(kAlice, "tea");
  engine_->SetNoSpace(false);
  EXPECT_TRUE(Start(kAlice, "tea"));
}

TEST_F(StopwatchesTest, AFailedStoreTellsWhoWaitsThatNobodyKnows) {
  disk_->FailCommit(1, true);
  watches().Start(1, kAlice, "tea", mono_);
  EXPECT_EQ(Only<Refusal>(), Refusal::kOutcomeUnknown);
  watches().Delete(1, kAlice, "tea");
  EXPECT_EQ(Only<Refusal>(), Refusal::kStopping);
  EXPECT_EQ(watches().feed().last(), 0u);
  EXPECT_EQ(engine_->unfinished_ops(), 0u);
}

TEST_F(StopwatchesTest, MoreThanTheQueuesHoldIsRefused) {
  for (size_t i = 0; i < kStopwatchOpsQueuedMax; ++i) watches().Start(1, kAlice, "tea", mono_);
  watches().Start(2, kAlice, "tea", mono_);
  watches().Delete(3, kAlice, "tea");
  for (size_t i = 0; i < kQueriesQueuedMax; ++i) watches().List(4, {kAlice, {}, true, {}, 1});
  watches().List(5, {kAlice, {}, true, {}, 1});
  const Ready ready = engine_->TakeReady();
  ASSERT_EQ(ready.replies.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(std::get<Refusal>(ready.replies[i].what), Refusal::kOverloaded);
  }
  EXPECT_EQ(ready.ops.size(), kStopwatchOpsQueuedMax);
  EXPECT_EQ(ready.queries.size(), kQueriesQueuedMax);
}

TEST_F(StopwatchesTest, AFurtherPageIsReadHoweverMuchWaits) {
  for (size_t i = 0; i < kQueriesQueuedMax; ++i) watches().List(1, {kAlice, {}, true, {}, 1});
  watches().List(2, {kAlice, {}, true, StopwatchCursor{0, 0, "tea"}, 1});
  const Ready ready = engine_->TakeReady();
  EXPECT_TRUE(ready.replies.empty());
  EXPECT_EQ(ready.queries.size(), kQueriesQueuedMax + 1);
}

TEST_F(StopwatchesTest, OpsOfTimersAndStopwatchesStayInOrder) {
  auto timer = std::make_unique<Timer>();
  timer->tenant = kAlice;
  timer->url = "http://r/x";
  watches().Start(1, kAlice, "a", mono_);
  engine_->timers().Set(2, std::move(timer), "", "", wall_);
  watches().Delete(3, kAlice, "a");
  const Ready ready = engine_->TakeReady();
  ASSERT_EQ(ready.ops.size(), 3u);
  EXPECT_EQ(ready.ops[0].what.index(), kOpKind<StopwatchPutOp>);
  EXPECT_EQ(ready.ops[1].what.index(), kOpKind<PutOp>);
  EXPECT_EQ(ready.ops[2].what.index(), kOpKind<StopwatchDeleteOp>);
}

}  // namespace
}  // namespace belfry
