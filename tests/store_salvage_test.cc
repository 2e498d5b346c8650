// A new store out of what can be read of a damaged one.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "storage/record.h"
#include "storage/salvage.h"
#include "storage/tolerant_scan.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_streams.h"
#include "tests/support/store_watched_kv.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

class StoreSalvage : public testing::Test {
 protected:
  static std::unique_ptr<Ledger> OpenLedger(const std::shared_ptr<MemoryDisk>& disk) {
    auto ledger = Ledger::Open(std::make_unique<MemoryKv>(disk), kTestStoreId);
    EXPECT_TRUE(ledger.ok()) << ledger.status().message();
    return ledger.ok() ? std::move(*ledger) : nullptr;
  }
  template <typename... Ops>
  void Apply(Ops... ops) {
    std::vector<Op> group;
    (group.push_back(Op{1, std::move(ops)}), ...);
    std::vector<Completion> done;
    const Status s = OpenLedger(old_)->Apply(std::move(group), &done);
    ASSERT_TRUE(s.ok()) << s.message();
  }
  // 1..count pending, due 1000 + id.
  void PutTimers(TimerId count) {
    std::vector<Op> group;
    for (TimerId id = 1; id <= count; ++id) {
      group.push_back({0, Put(PendingTimer(id, 1000 + static_cast<int64_t>(id)))});
    }
    std::vector<Completion> done;
    ASSERT_TRUE(OpenLedger(old_)->Apply(std::move(group), &done).ok());
  }
  // Timers from PutTimers.
  void ParkTimers(TimerId from, TimerId to, const std::string& target) {
    std::vector<Op> group;
    for (TimerId id = from; id <= to; ++id) {
      group.push_back({0, Park(PendingTimer(id, 1000 + static_cast<int64_t>(id)), target)});
    }
    std::vector<Completion> done;
    ASSERT_TRUE(OpenLedger(old_)->Apply(std::move(group), &done).ok());
  }
  // The new store must be whole; the live ids in it, parked ones included.
  Ids Mend() {
    WatchedKv from(old_);
    from.watch = watch_;
    MemoryKv to(new_);
    auto result = Salvage(from, &to, [this](std::string_view line) { log_ += line; });
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (result.ok()) report_ = *result;
    const Status whole = CheckWhole(to);
    EXPECT_TRUE(whole.ok()) << whole.message();
    auto ledger = OpenLedger(new_);
    std::vector<Op> load;
    load.push_back({0, LoadOp{0, {}, 100'000, 1 << 30}});
    for (const ParkedTarget& target : ledger->opened().parked_targets) {
      load.push_back({0, LoadParkedOp{target.number, 0, {}, {}, 100'000, 1 << 30}});
    }
    std::vector<Completion> done;
    EXPECT_TRUE(ledger->Apply(std::move(load), &done).ok());
    due_ = IdsOf(done[0].page);
    Ids ids;
    for (const Completion& c : done) {
      for (const TimerId id : IdsOf(c.page)) ids.push_back(id);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::optional<TimerState> StateOf(TimerId id) {
    const QueryResult r = OpenLedger(new_)->Run({1, FindQuery{kLocalTenant, id, true}, {}});
    EXPECT_TRUE(r.status.ok()) << r.status.message();
    const auto& view = std::get<std::optional<TimerView>>(r.what);
    return view ? std::optional(view->state) : std::nullopt;
  }
  void Remove(Cf cf, std::string_view key) {
    Batch batch;
    batch.Delete(cf, key);
    ASSERT_TRUE(MemoryKv(old_).Commit(batch).ok());
  }
  // A record as it was, come to light because what replaced it cannot be read.
  void Resurrect(const Timer& timer, TargetNumber parked = 0) {
    const Place at = PlaceOf(timer.tenant, timer.id, EntryOf(timer, parked));
    std::string record;
    ASSERT_TRUE(EncodeTimer(at.key, timer, &record).ok());
    old_->Overwrite(at.cf, at.key, record);
  }

  std::shared_ptr<MemoryDisk> old_ = std::make_shared<MemoryDisk>();
  std::shared_ptr<MemoryDisk> new_ = std::make_shared<MemoryDisk>();
  WatchedKv::Watch watch_;
  Salvaged report_;
  Ids due_;  // of those that Mend left, the ones that are not parked
  std::string log_;
};

TEST_F(StoreSalvage, AWholeStoreIsCopiedAsItIs) {
  PutTimers(20);
  Apply(Settle(PendingTimer(3, 1003), TimerState::kDelivered, 2000),
        Settle(PendingTimer(4, 1004), TimerState::kDead, 2000), Erase(5, 900),
        Retry(PendingTimer(6, 1006), 5000));
  PutOp keyed = Put(PendingTimer(21, 1000));
  keyed.idempotency_key = "order-1";
  Apply(std::move(keyed), PauseOp{"", true}, PauseOp{"b", true});
  ParkTimers(7, 9, "a");
  ParkTimers(10, 12, "b");
  Apply(Settle(PendingTimer(7, 1007), TimerState::kDelivered, 2000));
  EXPECT_TRUE(CheckWhole(MemoryKv(old_)).ok());
  EXPECT_EQ(Mend().size(), 17u);
  EXPECT_EQ(due_.size(), 12u);
  const auto copy = OpenLedger(new_);
  EXPECT_EQ(copy->opened().parked_targets, OpenLedger(old_)->opened().parked_targets);
  EXPECT_TRUE(copy->opened().paused_all);
  EXPECT_EQ(copy->opened().paused_targets, std::vector<std::string>{"b"});
  for (size_t cf = 0; cf < kCfCount; ++cf) {
    EXPECT_EQ(new_->rows(static_cast<Cf>(cf)), old_->rows(static_cast<Cf>(cf))) << cf;
  }
  EXPECT_EQ(StateOf(3), TimerState::kDelivered);
  EXPECT_EQ(StateOf(4), TimerState::kDead);
  EXPECT_EQ(StateOf(5), TimerState::kCancelled);
  EXPECT_EQ(report_.lost, 0u);
  EXPECT_EQ(log_, "");
}

TEST_F(StoreSalvage, DamageAnywhereIsSeenByTheCheck) {
  PutTimers(4);
  Apply(Settle(PendingTimer(2, 1002), TimerState::kDelivered, 2000),
        Settle(PendingTimer(3, 1003), TimerState::kDead, 2000));
  ParkTimers(4, 4, "a");
  const std::pair<Cf, ShortKey> rows[] = {
      {Cf::kDue, TimeKey({{1001}, 1})},
      {Cf::kParked, ParkedKey(1, {{1004}, 4})},
      {Cf::kIds, IdKey(kLocalTenant, 4)},
      {Cf::kDone, TimeKey({{2000}, 2})},
      {Cf::kDead, DeadKey(kLocalTenant, {{2000}, 3})},
      {Cf::kIds, IdKey(kLocalTenant, 1)},
  };
  for (const auto& row : rows) {
    const Cf cf = row.first;
    const std::string key(row.second);
    const std::string value = *MemoryKv(old_).Get(cf, key).value();
    old_->Overwrite(cf, key, "damaged");
    EXPECT_EQ(CheckWhole(MemoryKv(old_)).code(), StatusCode::kCorruption) << CfName(cf);
    Remove(cf, key);
    EXPECT_EQ(CheckWhole(MemoryKv(old_)).code(), StatusCode::kCorruption) << CfName(cf);
    old_->Overwrite(cf, key, value);
    WatchedKv kv(old_);
    kv.watch.damaged = [&](Cf c, std::string_view k) { return c == cf && k == key; };
    EXPECT_EQ(CheckWhole(kv).code(), StatusCode::kCorruption) << CfName(cf);
    EXPECT_TRUE(CheckWhole(MemoryKv(old_)).ok());
  }
}

TEST_F(StoreSalvage, ATimerWithoutAReadableRecordIsNamedAndForgotten) {
  PutTimers(5);
  old_->Overwrite(Cf::kDue, TimeKey({{1002}, 2}), "damaged");
  EXPECT_EQ(Mend(), (Ids{1, 3, 4, 5}));
  EXPECT_EQ(report_.kept, 4u);
  EXPECT_EQ(report_.lost, 1u);
  EXPECT_EQ(report_.skipped_rows, 1u);
  EXPECT_NE(log_.find("timer 2 (pending) is lost"), std::string::npos) << log_;
  EXPECT_EQ(StateOf(2), std::nullopt);
}

TEST_F(StoreSalvage, AParkedTimerThatNoTargetReadsBackIsSeenByTheCheck) {
  PutTimers(2);
  ParkTimers(1, 2, "a");
  EXPECT_TRUE(CheckWhole(MemoryKv(old_)).ok());
  const ShortKey row = ParkedTargetKey(1);
  const std::string value = *MemoryKv(old_).Get(Cf::kMeta, row).value();
  std::string above = value;
  StoreU64(above.data() + 8, 2);  // the id of `low`
  StoreU64(above.data(), 1002);
  old_->Overwrite(Cf::kMeta, row, above);
  EXPECT_EQ(CheckWhole(MemoryKv(old_)).code(), StatusCode::kCorruption);
  Remove(Cf::kMeta, row);
  EXPECT_EQ(CheckWhole(MemoryKv(old_)).code(), StatusCode::kCorruption);
}

TEST_F(StoreSalvage, AParkedTimerWithoutAReadableRecordIsNamedAndForgotten) {
  PutTimers(5);
  ParkTimers(2, 4, "a");
  old_->Overwrite(Cf::kParked, ParkedKey(1, {{1003}, 3}), "damaged");
  EXPECT_EQ(Mend(), (Ids{1, 2, 4, 5}));
  EXPECT_EQ(due_, (Ids{1, 5}));
  EXPECT_EQ(report_.lost, 1u);
  EXPECT_EQ(report_.skipped_rows, 1u);
  EXPECT_NE(log_.find("timer 3 (pending) is lost"), std::string::npos) << log_;
}

TEST_F(StoreSalvage, AnUnreadableStretchOfParkedCostsItsRowsAlone) {
  PutTimers(900);
  ParkTimers(1, 300, "a");
  ParkTimers(301, 600, "b");
  watch_.damaged = [](Cf cf, std::string_view key) {
    const auto at = ParseParkedKey(key);
    return cf == Cf::kParked && at && at->key.id >= 290 && at->key.id <= 310;
  };
  EXPECT_EQ(Mend().size(), 900u - 21u);
  EXPECT_EQ(due_.size(), 300u);
  EXPECT_EQ(report_.lost, 21u);
  EXPECT_EQ(report_.skipped_stretches, 2u);  // one of each target
}

TEST_F(StoreSalvage, AnUnreadableStretchCostsItsRowsAlone) {
  constexpr TimerId kCount = 5000;
  PutTimers(kCount);
  for (const auto& [from, to] : std::map<TimerId, TimerId>{{1, 40}, {1000, 1013}, {4990, 5000}}) {
    new_ = std::make_shared<MemoryDisk>();
    watch_.damaged = [&, from = from, to = to](Cf cf, std::string_view key) {
      if (cf != Cf::kDue) return false;
      const auto at = ParseTimeKey(key);
      return at && at->id >= from && at->id <= to;
    };
    const Ids left = Mend();
    EXPECT_EQ(left.size(), kCount - (to - from + 1));
    EXPECT_TRUE(std::none_of(left.begin(), left.end(), [&, from = from, to = to](TimerId id) {
      return id >= from && id <= to;
    }));
    EXPECT_EQ(report_.skipped_stretches, 1u);
  }
}

// The key 65,536 ms behind the last one read is in the second.
TEST_F(StoreSalvage, WhatIsBetweenTwoUnreadableStretchesIsRead) {
  constexpr TimerId kCount = 67'000;
  PutTimers(kCount);
  watch_.damaged = [](Cf cf, std::string_view key) {
    if (cf != Cf::kDue && cf != Cf::kIds) return false;
    const TimerId id = cf == Cf::kDue ? ParseTimeKey(key)->id : ParseIdKey(key)->id;
    return (id >= 1000 && id <= 1400) || (id >= 66'500 && id <= 66'900);
  };
  WatchedKv from(old_);
  from.watch = watch_;
  const auto view = from.View();
  const LogFn silent;
  for (const Cf cf : {Cf::kDue, Cf::kIds}) {
    TolerantScan scan(*view, cf, {}, "\xff", silent);
    uint64_t rows = 0;
    for (; scan.Valid(); scan.Next()) ++rows;
    EXPECT_EQ(rows, kCount - 2 * 401);
    EXPECT_EQ(scan.gaps(), 2u);
  }
}

// The keys behind "k" by one in its next byte, and by two, are in the first; the one by 256 times
// as much is in the second.
TEST_F(StoreSalvage, WhatIsBetweenTwoUnreadableStretchesOfLongerNamesIsRead) {
  const std::vector<std::pair<std::string, bool>> names = {
      {"k", true},  {"k\1", false}, {"k\2", false}, {"k\3x", true}, {"k3", true},
      {"kz", true}, {"l", false},   {"l\1", false}, {"m", true},
  };
  Batch batch;
  std::vector<std::string> damaged;
  for (const auto& [name, readable] : names) {
    batch.Put(Cf::kOnce, OnceKey(1, name), "v");
    if (!readable) damaged.push_back(OnceKey(1, name));
  }
  ASSERT_TRUE(MemoryKv(old_).Commit(batch).ok());
  WatchedKv from(old_);
  from.watch.damaged = [&](Cf, std::string_view key) {
    return std::find(damaged.begin(), damaged.end(), key) != damaged.end();
  };
  const auto view = from.View();
  const LogFn silent;
  TolerantScan scan(*view, Cf::kOnce, kOnceKeysFrom, kOnceKeysEnd, silent);
  size_t rows = 0;
  for (; scan.Valid(); scan.Next()) ++rows;
  EXPECT_EQ(rows, names.size() - damaged.size());
}

TEST_F(StoreSalvage, RecordsWithoutAReadableEntryAreKept) {
  PutTimers(100);
  Apply(Settle(PendingTimer(7, 1007), TimerState::kDelivered, 2000),
        Settle(PendingTimer(8, 1008), TimerState::kDead, 2000));
  ParkTimers(10, 30, "a");
  watch_.damaged = [](Cf cf, std::string_view key) {
    return cf == Cf::kIds && ParseIdKey(key) && ParseIdKey(key)->id < 20;
  };
  EXPECT_EQ(Mend().size(), 98u);
  EXPECT_EQ(due_.size(), 77u);
  EXPECT_EQ(StateOf(7), TimerState::kDelivered);
  EXPECT_EQ(StateOf(8), TimerState::kDead);
  EXPECT_EQ(report_.lost, 0u);
}

class StoreSalvageOfOlderRecords : public StoreSalvage {
 protected:
  // Timer 1 was delivered and 2 is retried; the records from before are there again.
  void SetUp() override {
    PutTimers(3);
    Apply(Settle(PendingTimer(1, 1001), TimerState::kDelivered, 2000),
          Retry(PendingTimer(2, 1002), 5000));
    Resurrect(PendingTimer(1, 1001));
    Resurrect(PendingTimer(2, 1002));
  }
  void ExpectTheNewerOnes() {
    EXPECT_EQ(Mend(), (Ids{2, 3}));
    EXPECT_EQ(StateOf(1), TimerState::kDelivered);
    EXPECT_EQ(StateOf(2), TimerState::kRetrying);
  }
};

TEST_F(StoreSalvageOfOlderRecords, TheOneThatTheEntryNamesIsKept) { ExpectTheNewerOnes(); }

TEST_F(StoreSalvageOfOlderRecords, WithoutEntriesTheEndedRecordCountsThenTheLater) {
  watch_.damaged = [](Cf cf, std::string_view) { return cf == Cf::kIds; };
  ExpectTheNewerOnes();
}

// Timer 1 is parked, 2 was and is retried, 3 was and was delivered; the records from before are
// there again.
class StoreSalvageOfOlderParked : public StoreSalvage {
 protected:
  void SetUp() override {
    PutTimers(4);
    ParkTimers(1, 3, "a");
    Apply(Retry(PendingTimer(2, 1002), 5000),
          Settle(PendingTimer(3, 1003), TimerState::kDelivered, 2000));
    Resurrect(PendingTimer(1, 1001));
    Resurrect(PendingTimer(2, 1002), 1);
    Resurrect(PendingTimer(3, 1003), 1);
  }
};

TEST_F(StoreSalvageOfOlderParked, TheOneThatTheEntryNamesIsKept) {
  EXPECT_EQ(Mend(), (Ids{1, 2, 4}));
  EXPECT_EQ(due_, (Ids{4, 2}));
  EXPECT_EQ(StateOf(3), TimerState::kDelivered);
}

TEST_F(StoreSalvageOfOlderParked, WithoutEntriesTheEndedThenTheLaterThenTheOneThatIsDue) {
  watch_.damaged = [](Cf cf, std::string_view) { return cf == Cf::kIds; };
  EXPECT_EQ(Mend(), (Ids{1, 2, 4}));
  EXPECT_EQ(due_, (Ids{1, 4, 2}));
  EXPECT_EQ(StateOf(2), TimerState::kRetrying);
  EXPECT_EQ(StateOf(3), TimerState::kDelivered);
}

TEST_F(StoreSalvage, WithoutEntriesALaterParkedRecordIsKept) {
  PutTimers(1);
  Timer later = *Retry(PendingTimer(1, 1001), 5000).timer;
  Apply(Retry(PendingTimer(1, 1001), 5000), Park(later, "a"));
  Resurrect(PendingTimer(1, 1001));
  watch_.damaged = [](Cf cf, std::string_view) { return cf == Cf::kIds; };
  EXPECT_EQ(Mend(), Ids{1});
  EXPECT_TRUE(due_.empty());
  EXPECT_EQ(StateOf(1), TimerState::kRetrying);
}

TEST_F(StoreSalvage, WhatFiredBeforeLowAndWhatIsBelowTheFloorStaysGone) {
  PutTimers(4);
  Apply(Settle(PendingTimer(3, 1003), TimerState::kDelivered, 2000),
        Settle(PendingTimer(4, 1004), TimerState::kDelivered, 2000));
  Apply(RetainOp{{3000}, {3000}});
  Apply(FloorOp{kLocalTenant, 4}, Put(PendingTimer(5, 9000)), MarkOp{{8000}, {8000}});
  Resurrect(PendingTimer(3, 1003));
  Resurrect(PendingTimer(2, 8500));
  EXPECT_EQ(Mend(), (Ids{5}));
}

// A scan passes over the rows by owner of b and c, though b's answers to its key.
TEST_F(StoreSalvage, EitherRowOfAStopwatchIsEnough) {
  for (const char* name : {"a", "b", "c", "d"}) {
    Apply(StopwatchPutOp{{kLocalTenant, name, {1}}});
  }
  const std::string older = StopwatchNameKey("b", kLocalTenant);
  old_->Overwrite(Cf::kStopwatch, older, EncodeStopwatch(older, {0}));
  const auto is_of = [](std::string_view key, std::string_view name) {
    return key == StopwatchKey(kLocalTenant, name);
  };
  watch_.hidden = [&](Cf cf, std::string_view key) {
    return cf == Cf::kStopwatch && is_of(key, "b");
  };
  watch_.damaged = [&](Cf cf, std::string_view key) {
    return cf == Cf::kStopwatch && is_of(key, "c");
  };
  Mend();
  EXPECT_EQ(report_.skipped_stretches, 1u);
  const QueryResult own =
      OpenLedger(new_)->Run({1, StopwatchQuery{kLocalTenant, {}, true, {}, 10}, {}});
  EXPECT_EQ(std::get<StopwatchPage>(own.what).rows,
            (std::vector<Stopwatch>{{kLocalTenant, "a", {1}},
                                    {kLocalTenant, "b", {1}},
                                    {kLocalTenant, "c", {1}},
                                    {kLocalTenant, "d", {1}}}));
}

TEST_F(StoreSalvage, DamagedFiguresAreNotGuessed) {
  PutTimers(3);
  MemoryKv to(new_);
  WatchedKv from(old_);
  from.watch.damaged = [](Cf cf, std::string_view) { return cf == Cf::kMeta; };
  EXPECT_EQ(Salvage(from, &to, {}).status().code(), StatusCode::kCorruption);
}

TEST_F(StoreSalvage, AScanPassesEveryStretchOfKeysOfAnyLength) {
  MemoryKv kv(old_);
  Batch batch;
  for (int i = 0; i < 1000; ++i) {
    batch.Put(Cf::kOnce, OnceKey(1, "k" + std::to_string(i) + std::string(i % 60, 'x')), "v");
  }
  ASSERT_TRUE(kv.Commit(batch).ok());
  for (const int modulus : {2, 7, 100}) {
    WatchedKv watched(old_);
    int rows = 0;
    int damaged = 0;
    watched.watch.damaged = [&](Cf, std::string_view key) {
      return std::hash<std::string_view>()(key) % 1000 <
             1000U / static_cast<unsigned>(modulus * 50);
    };
    for (int i = 0; i < 1000; ++i) {
      damaged += watched.watch.damaged(
          Cf::kOnce, OnceKey(1, "k" + std::to_string(i) + std::string(i % 60, 'x')));
    }
    const auto view = watched.View();
    const LogFn silent;
    TolerantScan scan(*view, Cf::kOnce, kOnceKeysFrom, kOnceKeysEnd, silent);
    std::string last;
    for (; scan.Valid(); scan.Next(), ++rows) {
      EXPECT_LT(last, scan.key());
      last = scan.key();
    }
    EXPECT_TRUE(scan.status().ok());
    EXPECT_LE(rows, 1000 - damaged);
    EXPECT_GE(rows, 1000 - 5 * damaged);
  }
}

}  // namespace
}  // namespace belfry
