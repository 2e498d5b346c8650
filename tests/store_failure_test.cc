// What the ledger does when the engine below it fails, lies or forgets.

#include <gtest/gtest.h>

#include <functional>

#include "base/limits.h"
#include "storage/memory_kv.h"
#include "storage/reads.h"
#include "storage/record.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_watched_kv.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

class StoreFailure : public testing::Test {
 protected:
  std::unique_ptr<Ledger> Open() {
    auto ledger = Ledger::Open(std::make_unique<MemoryKv>(disk_), kTestStoreId);
    EXPECT_TRUE(ledger.ok()) << ledger.status().message();
    return ledger.ok() ? std::move(*ledger) : nullptr;
  }
  template <typename... Ops>
  static Status Apply(Ledger& ledger, std::vector<Completion>* done, Ops... ops) {
    std::vector<Op> group;
    (group.push_back(Op{1, std::move(ops)}), ...);
    return ledger.Apply(std::move(group), done);
  }
  static Ids LiveIds(Ledger& ledger) {
    std::vector<Completion> done;
    EXPECT_TRUE(Apply(ledger, &done, LoadOp{0, {}, 100, 1 << 20}).ok());
    return IdsOf(done.back().page);
  }
  static Status RunStatus(const Ledger& ledger, bool full) {
    return ledger.Run({1, FindQuery{kLocalTenant, 1, full}, {}}).status;
  }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

TEST_F(StoreFailure, AFailedCommitHandsNothingOverAndStopsTheStore) {
  for (const bool applied : {false, true}) {
    disk_ = std::make_shared<MemoryDisk>();
    auto ledger = Open();
    std::vector<Completion> done;
    ASSERT_TRUE(Apply(*ledger, &done, Put(PendingTimer(1, 1000))).ok());
    done.clear();
    disk_->FailCommit(1, applied);
    EXPECT_FALSE(Apply(*ledger, &done, Put(PendingTimer(2, 1000))).ok());
    EXPECT_FALSE(Apply(*ledger, &done, Put(PendingTimer(3, 1000))).ok());
    EXPECT_TRUE(done.empty());
    disk_->Crash();
    ledger = Open();
    EXPECT_EQ(LiveIds(*ledger), (applied ? Ids{1, 2} : Ids{1}));
    EXPECT_EQ(ledger->opened().last_id, applied ? 2u : 1u);
  }
}

TEST_F(StoreFailure, ADeadLetterThatCannotBeReadIsToldOfAndTheOthersComeBack) {
  auto ledger = Open();
  std::vector<Completion> done;
  for (TimerId id = 1; id <= 3; ++id) {
    const Timer timer = PendingTimer(id, 1000);
    ASSERT_TRUE(Apply(*ledger, &done, Put(timer), Settle(timer, TimerState::kDead, 2000)).ok());
  }
  disk_->Overwrite(Cf::kDead, DeadKey(kLocalTenant, {{2000}, 2}), "not a record");
  done.clear();
  ReplayRangeOp range{1, {}};
  range.range.tenant = kLocalTenant;
  range.range.finished_before = {3000};
  ASSERT_TRUE(Apply(*ledger, &done, ReplayByIdOp{kLocalTenant, 2, {3000}}, std::move(range),
                    ReplayStepOp{1, {3000}})
                  .ok());
  EXPECT_EQ(done[0].result, OpResult::kDamaged);
  EXPECT_EQ(done[0].timer, nullptr);
  EXPECT_EQ(IdsOf(done[2].page), (Ids{1, 3}));
  EXPECT_EQ(LiveIds(*ledger), (Ids{1, 3}));
  // Retention still comes by.
  done.clear();
  ASSERT_TRUE(Apply(*ledger, &done, RetainOp{{3000}, {3000}}).ok());
  EXPECT_EQ(done[0].removed, 1u);
}

TEST_F(StoreFailure, TheRunBeforeALoadIsHandedOverWhenTheRunAfterItFails) {
  auto ledger = Open();
  disk_->FailCommit(2, false);
  std::vector<Completion> done;
  EXPECT_FALSE(Apply(*ledger, &done, Put(PendingTimer(1, 1000)), LoadOp{0, {}, 10, 1 << 20},
                     Put(PendingTimer(2, 1000)))
                   .ok());
  EXPECT_EQ(done.size(), 2u);
}

TEST_F(StoreFailure, ABatchOfCancelsIsBoundedThoughTheyBringNothingAlong) {
  auto ledger = Open();
  constexpr TimerId kCount = 4 * kGroupBytesMax / kBodyBytesMax;
  std::vector<Completion> done;
  std::vector<Op> cancels;
  for (TimerId id = 1; id <= kCount; ++id) {
    Timer timer = PendingTimer(id, 1000);
    timer.body.assign(kBodyBytesMax, 'b');
    ASSERT_TRUE(Apply(*ledger, &done, Put(std::move(timer))).ok());
    cancels.push_back({id, Erase(id, 500)});
  }
  done.clear();
  const uint64_t before = ledger->commit_no();
  ASSERT_TRUE(ledger->Apply(std::move(cancels), &done).ok());
  EXPECT_EQ(done.size(), kCount);
  EXPECT_GE(ledger->commit_no() - before, 4u);
}

TEST_F(StoreFailure, AnOlderDaemonCannotWriteOnceTheStoreWasOpenedAgain) {
  auto old = Open();
  auto fresh = Open();
  std::vector<Completion> done;
  EXPECT_FALSE(Apply(*old, &done, Put(PendingTimer(1, 1000))).ok());
  EXPECT_TRUE(LiveIds(*fresh).empty());
}

TEST_F(StoreFailure, ADamagedRecordIsAnErrorThatNamesItsKey) {
  auto ledger = Open();
  std::vector<Completion> done;
  ASSERT_TRUE(Apply(*ledger, &done, Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 2000))).ok());
  disk_->Overwrite(Cf::kDue, TimeKey({{2000}, 2}), "damaged");
  done.clear();
  const Status s = Apply(*ledger, &done, LoadOp{0, {}, 100, 1 << 20});
  EXPECT_EQ(s.code(), StatusCode::kCorruption);
  EXPECT_NE(s.message().find("(2000, 2)"), std::string::npos) << s.message();
  EXPECT_TRUE(done.empty());
}

TEST_F(StoreFailure, ADamagedParkedRecordIsAnErrorThatNamesItsKeyAndWhatToDo) {
  for (const bool erased : {false, true}) {
    disk_ = std::make_shared<MemoryDisk>();
    auto ledger = Open();
    std::vector<Completion> done;
    ASSERT_TRUE(Apply(*ledger, &done, Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 2000)),
                      Park(PendingTimer(1, 1000), "a"), Park(PendingTimer(2, 2000), "a"))
                    .ok());
    disk_->Overwrite(Cf::kParked, ParkedKey(1, {{2000}, 2}), "damaged");
    done.clear();
    const Status s = erased ? Apply(*ledger, &done, Erase(2, 3000))
                            : Apply(*ledger, &done, LoadParkedOp{1, 0, {}, {}, 100, 1 << 20});
    EXPECT_EQ(s.code(), StatusCode::kCorruption);
    EXPECT_NE(s.message().find("parked (2000, 2)"), std::string::npos) << s.message();
    EXPECT_NE(s.message().find("--accept-data-loss"), std::string::npos) << s.message();
    EXPECT_TRUE(done.empty());
  }
}

TEST_F(StoreFailure, AKeyOfParkedThatDoesNotParseIsAnError) {
  auto ledger = Open();
  std::vector<Completion> done;
  ASSERT_TRUE(
      Apply(*ledger, &done, Put(PendingTimer(1, 1000)), Park(PendingTimer(1, 1000), "a")).ok());
  disk_->Overwrite(Cf::kParked, std::string(ParkedKey(1, {{2000}, 2})) + "long", "key");
  EXPECT_EQ(Apply(*ledger, &done, LoadParkedOp{1, 0, {}, {}, 100, 1 << 20}).code(),
            StatusCode::kCorruption);
}

TEST_F(StoreFailure, APausePersistsOnlyWhenItsCommitDoes) {
  for (const bool applied : {false, true}) {
    disk_ = std::make_shared<MemoryDisk>();
    auto ledger = Open();
    disk_->FailCommit(1, applied);
    std::vector<Completion> done;
    EXPECT_FALSE(Apply(*ledger, &done, PauseOp{"", true}, PauseOp{"a", true}).ok());
    EXPECT_TRUE(done.empty());
    disk_->Crash();
    ledger = Open();
    EXPECT_EQ(ledger->opened().paused_all, applied);
    EXPECT_EQ(ledger->opened().paused_targets.size(), applied ? 1u : 0u);
  }
}

TEST_F(StoreFailure, RetentionPassesWhatItCannotReadAndSaysSoOnce) {
  constexpr TimerId kCount = 60;
  {
    auto ledger = Open();
    std::vector<Completion> done;
    for (TimerId id = 1; id <= kCount; ++id) {
      const Timer timer = PendingTimer(id, 1000);
      const auto state = id <= kCount / 2 ? TimerState::kDelivered : TimerState::kDead;
      ASSERT_TRUE(
          Apply(*ledger, &done, Put(timer), Settle(timer, state, 2000 + static_cast<int64_t>(id)))
              .ok());
    }
  }
  disk_->Overwrite(Cf::kDone, TimeKey({{2003}, 3}), "damaged");
  disk_->Overwrite(Cf::kDone, "short", "key");
  disk_->Overwrite(Cf::kDead, std::string(DeadKey(kLocalTenant, {{2040}, 40})) + "long", "key");
  auto kv = std::make_unique<WatchedKv>(disk_);
  kv->watch.damaged = [](Cf cf, std::string_view key) {
    const auto at = ParseTimeKey(key);
    return cf == Cf::kDone && at && at->id >= 10 && at->id < 15;
  };
  std::vector<std::string> lines;
  auto ledger = Ledger::Open(std::move(kv), kTestStoreId,
                             [&](std::string_view line) { lines.emplace_back(line); });
  ASSERT_TRUE(ledger.ok());
  for (int step = 0; step < 3; ++step) {
    std::vector<Completion> done;
    const Status s = Apply(**ledger, &done, RetainOp{{3000}, {3000}});
    ASSERT_TRUE(s.ok()) << s.message();
    EXPECT_EQ(done[0].removed, step == 0 ? kCount - 6 : 0u);
  }
  EXPECT_EQ(lines.size(), 3u);
}

TEST_F(StoreFailure, DamageToWhatIsAliveIsSaidWithWhatToDo) {
  auto ledger = Open();
  std::vector<Completion> done;
  ASSERT_TRUE(Apply(*ledger, &done, Put(PendingTimer(1, 1000))).ok());
  disk_->Overwrite(Cf::kIds, IdKey(kLocalTenant, 1), "damaged");
  const Status s = Apply(*ledger, &done, Erase(1, 500));
  EXPECT_EQ(s.code(), StatusCode::kCorruption);
  EXPECT_NE(s.message().find("restore a backup, or start with --accept-data-loss"),
            std::string::npos)
      << s.message();
}

TEST_F(StoreFailure, ADamagedEntryIsAnErrorInEveryRead) {
  auto ledger = Open();
  std::vector<Completion> done;
  ASSERT_TRUE(Apply(*ledger, &done, Put(PendingTimer(1, 1000))).ok());
  disk_->Overwrite(Cf::kIds, IdKey(kLocalTenant, 1), "damaged");
  EXPECT_EQ(RunStatus(*ledger, false).code(), StatusCode::kCorruption);
  EXPECT_EQ(RunStatus(*ledger, true).code(), StatusCode::kCorruption);
  EXPECT_FALSE(ledger->Run({1, ListQuery{kLocalTenant, 0, 10, {}}, {}}).status.ok());
  TimerFilter filter;
  filter.due_after = WallMs{0};
  EXPECT_FALSE(ledger->Run({1, CountQuery{kLocalTenant, filter}, {}}).status.ok());
  EXPECT_EQ(Apply(*ledger, &done, Erase(1, 500)).code(), StatusCode::kCorruption);
}

TEST_F(StoreFailure, AnEntryWithoutItsRecordIsAnErrorWhenNothingExplainsIt) {
  auto ledger = Open();
  std::vector<Completion> done;
  ASSERT_TRUE(Apply(*ledger, &done, Put(PendingTimer(1, 1000))).ok());
  const ShortKey key = IdKey(kLocalTenant, 1);
  disk_->Overwrite(Cf::kIds, key, EncodeIdEntry(key, {TimerState::kPending, {999}, {999}}));
  EXPECT_TRUE(RunStatus(*ledger, false).ok());
  EXPECT_EQ(RunStatus(*ledger, true).code(), StatusCode::kCorruption);
  EXPECT_EQ(Apply(*ledger, &done, Erase(1, 500)).code(), StatusCode::kCorruption);
}

TEST_F(StoreFailure, MetaThatDoesNotParseIsAnErrorAtOpen) {
  Open();
  const std::pair<ShortKey, std::string> damages[] = {
      {MetaKey(MetaKind::kCommitNo), "short"},
      {MetaKey(MetaKind::kFormat), std::string("\0\0\0\4", 4)},
      {MetaKey(MetaKind::kFloor, 1), std::string(9, 'x')},
      {CountKey(1, static_cast<TimerState>(9)), std::string(8, '\0')},
      {MetaKey(static_cast<MetaKind>(0x7f)), "unknown"},
      {ParkedTargetKey(1), std::string(15, '\0')},
      {ParkedTargetKey(0), std::string(16, '\0')},
      {MetaKey(MetaKind::kParkedTarget), std::string(16, '\0')},
      {MetaKey(MetaKind::kParkedNumber), "short"},
      {MetaKey(MetaKind::kPausedAll), "not empty"},
      {MetaKey(MetaKind::kPausedTarget), ""},
  };
  for (const auto& [key, value] : damages) {
    auto disk = std::make_shared<MemoryDisk>();
    ASSERT_TRUE(Ledger::Open(std::make_unique<MemoryKv>(disk), kTestStoreId).ok());
    disk->Overwrite(Cf::kMeta, key, value);
    const auto again = Ledger::Open(std::make_unique<MemoryKv>(disk), kTestStoreId);
    EXPECT_EQ(again.status().code(), StatusCode::kCorruption);
  }
}

// Compaction ignores snapshots: a row can vanish from a view that still has the entry for it.
class VanishingKv final : public Kv {
 public:
  VanishingKv(std::shared_ptr<MemoryDisk> disk, std::function<void(int view)> between)
      : inner_(std::move(disk)), between_(std::move(between)) {}

  [[nodiscard]] Status Commit(const Batch& batch) override { return inner_.Commit(batch); }
  [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key) const override {
    return inner_.Get(cf, key);
  }
  // The nth view finds no records; then something happens to the store.
  [[nodiscard]] std::unique_ptr<KvView> View() const override {
    class Hiding final : public KvView {
     public:
      explicit Hiding(std::unique_ptr<KvView> view) : view_(std::move(view)) {}
      [[nodiscard]] Result<Found> Get(Cf cf, std::string_view key) const override {
        if (cf != Cf::kMeta && cf != Cf::kIds && cf != Cf::kOnce) return Found();
        return view_->Get(cf, key);
      }
      [[nodiscard]] std::unique_ptr<KvIterator> Scan(Cf cf, std::string_view lower,
                                                     std::string_view upper,
                                                     bool keep_cached) const override {
        return view_->Scan(cf, lower, upper, keep_cached);
      }

     private:
      std::unique_ptr<KvView> view_;
    };
    ++views_;
    if (views_ > 1) between_(views_);
    if (views_ > hidden_views_) return inner_.View();
    return std::make_unique<Hiding>(inner_.View());
  }
  [[nodiscard]] Status DropFilesBelow(Cf, std::string_view, std::string_view) override {
    return {};
  }
  [[nodiscard]] Status Compact() override { return {}; }
  [[nodiscard]] Status Health() const override { return {}; }
  [[nodiscard]] Status Close() override { return {}; }

  void HideViews(int count) { hidden_views_ = count; }

 private:
  MemoryKv inner_;
  std::function<void(int)> between_;
  int hidden_views_ = 1;
  mutable int views_ = 0;
};

class StoreVanishing : public StoreFailure {
 protected:
  void SetUp() override {
    std::vector<Completion> done;
    ASSERT_TRUE(Apply(*Open(), &done, Put(PendingTimer(1, 1000)), Put(PendingTimer(2, 2000))).ok());
  }
  static constexpr FindQuery kFindOne{kLocalTenant, 1, true};
};

TEST_F(StoreVanishing, ARecordThatIsThereInAFreshViewIsFound) {
  const VanishingKv kv(disk_, [](int) {});
  const QueryResult result = Answer(kv, {1, kFindOne, {}});
  ASSERT_TRUE(result.status.ok()) << result.status.message();
  EXPECT_TRUE(std::get<std::optional<TimerView>>(result.what));
}

TEST_F(StoreVanishing, AParkedRecordThatIsThereInAFreshViewIsFound) {
  std::vector<Completion> done;
  ASSERT_TRUE(Apply(*Open(), &done, Park(PendingTimer(1, 1000), "a")).ok());
  const VanishingKv kv(disk_, [](int) {});
  const QueryResult result = Answer(kv, {1, kFindOne, {}});
  ASSERT_TRUE(result.status.ok()) << result.status.message();
  EXPECT_TRUE(std::get<std::optional<TimerView>>(result.what));
}

TEST_F(StoreVanishing, AnEntryThatIsGoneInAFreshViewIsNotFound) {
  const VanishingKv kv(disk_, [this](int) {
    DropBounds bounds;
    bounds.floors[kLocalTenant] = 1;
    disk_->Compact(bounds);
  });
  const QueryResult result = Answer(kv, {1, kFindOne, {}});
  ASSERT_TRUE(result.status.ok()) << result.status.message();
  EXPECT_FALSE(std::get<std::optional<TimerView>>(result.what));
}

TEST_F(StoreVanishing, ARecordThatStaysAwayIsAnError) {
  VanishingKv kv(disk_, [](int) {});
  kv.HideViews(100);
  EXPECT_EQ(Answer(kv, {1, kFindOne, {}}).status.code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace belfry
