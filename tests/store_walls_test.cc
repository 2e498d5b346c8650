// However much was set, fired and forgotten: opening, paging, lists and sweeps step over no more of
// what is gone than on a fresh store, and its space comes back without being written again.

#include <gtest/gtest.h>

#include <filesystem>

#include "base/limits.h"
#include "storage/keys.h"
#include "storage/rocks_kv.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_temp_dir.h"

namespace belfry {
namespace {

constexpr int64_t kFirstDueMs = 1'000'000;
constexpr size_t kGroup = 1000;
constexpr uint64_t kFiredBetweenMarks =
    10 * kGroup;  // `low` is written once a second, not each time

struct Steps {
  uint64_t deletes = 0;
  uint64_t keys = 0;
};

class StoreWalls : public testing::Test {
 protected:
  class Engine final : public StoreEngine {
   public:
    explicit Engine(std::string path) : path_(std::move(path)) {}
    std::unique_ptr<Kv> Open() override {
      const bool there = std::filesystem::exists(path_);
      return std::move(*OpenRocks(path_, {}, there ? RocksMode::kExisting : RocksMode::kCreate));
    }

   private:
    const std::string path_;
  };

  static Timer MakeTimer(TimerId id) {
    return PendingTimer(id, kFirstDueMs + static_cast<int64_t>(id));
  }
  void PutTimers(uint64_t count) {
    std::vector<Op> ops;
    for (uint64_t i = 0; i < count; ++i) ops.push_back({0, Put(MakeTimer(++last_id_))});
    rig_.ApplyGroup(std::move(ops));
  }
  // As the daemon does it: a little ahead of the firing, and the watermark behind it.
  void SetAndFire(uint64_t count) {
    TimerId fired = fired_;
    if (last_id_ == fired) PutTimers(kGroup);
    for (const TimerId end = fired + count; fired < end;) {
      std::vector<Op> ops;
      for (size_t i = 0; i < kGroup; ++i) {
        const Timer timer = MakeTimer(++fired);
        ops.push_back({0, Settle(timer, TimerState::kDelivered, timer.due.ms + 1)});
      }
      if (fired % kFiredBetweenMarks == 0)
        ops.push_back({0, MarkOp{MakeTimer(fired + 1).due, {1}}});
      if (last_id_ < end) {
        for (size_t i = 0; i < kGroup; ++i) ops.push_back({0, Put(MakeTimer(++last_id_))});
      }
      rig_.ApplyGroup(std::move(ops));
    }
    fired_ = fired;
  }
  // Until nothing is left of what ended before.
  void ForgetAll() {
    const WallMs now = MakeTimer(last_id_ + 2).due;
    while (rig_.Apply(RetainOp{now, now})[0].more) {
    }
  }
  template <typename Work>
  static Steps Count(Work work) {
    const StepCount count;
    work();
    return {count.deletes(), count.keys()};
  }
  [[nodiscard]] uint64_t TableBytes() const {
    uint64_t bytes = 0;
    for (const auto& file : std::filesystem::directory_iterator(path_)) {
      if (file.path().extension() == ".sst") bytes += file.file_size();
    }
    return bytes;
  }

  TempDir dir_;
  const std::string path_ = dir_.path() + "/db";
  StoreRig rig_{std::make_unique<Engine>(path_)};
  TimerId last_id_ = 0;
  TimerId fired_ = 0;
};

TEST_F(StoreWalls, OpeningAndPagingCostTheSameAfterManyFired) {
  constexpr uint64_t kPending = 5000;
  const auto open = [this] { rig_.Reopen(); };
  const auto load = [this] { EXPECT_EQ(rig_.Load({}, kLoadRowsMax).timers.size(), kLoadRowsMax); };
  PutTimers(kPending);
  const Steps fresh_open = Count(open);
  const Steps fresh_load = Count(load);
  EXPECT_EQ(fresh_load.deletes, 0u);

  SetAndFire(300'000);
  PutTimers(kPending);
  const Steps used_open = Count(open);
  const Steps used_load = Count(load);
  EXPECT_LE(used_open.deletes, fresh_open.deletes);
  EXPECT_LE(used_open.keys, fresh_open.keys + 100);  // the figures, once more in each young table
  EXPECT_LE(used_load.deletes, kFiredBetweenMarks);
  EXPECT_LE(used_load.keys, fresh_load.keys + kFiredBetweenMarks);
  const Key after{MakeTimer(last_id_ - 10).due, last_id_ - 10};
  const Steps later = Count([&] { EXPECT_EQ(rig_.Load(after).timers.size(), 10u); });
  EXPECT_EQ(later.deletes, 0u);
  EXPECT_LE(later.keys, 20u);
}

// So that the test above means something: this is what it would count.
TEST_F(StoreWalls, AScanFromTheBeginningMeetsEveryOneFired) {
  constexpr uint64_t kFired = 20'000;  // few enough to be in memory still
  SetAndFire(kFired);
  PutTimers(10);
  const Steps from_zero = Count([this] {
    const auto view = rig_.kv().View();
    EXPECT_TRUE(view->Scan(Cf::kDue, TimeKey({}), TimeKey({{kWallMax}, 0}))->Valid());
  });
  EXPECT_GE(from_zero.deletes, kFired);
  const Steps load = Count([this] { EXPECT_EQ(rig_.Load({}).timers.size(), 10u); });
  EXPECT_EQ(load.deletes, 0u);
}

TEST_F(StoreWalls, ListsBeginBehindWhatWasForgotten) {
  SetAndFire(50'000);
  PutTimers(10);
  ForgetAll();
  const Steps list = Count([this] { EXPECT_EQ(rig_.List({}).timers.size(), 10u); });
  EXPECT_EQ(list.deletes, 0u);
  EXPECT_LE(list.keys, 20u);
}

TEST_F(StoreWalls, SweepsBeginBehindWhatWasForgotten) {
  SetAndFire(50'000);
  PutTimers(10);
  ForgetAll();
  const Steps sweep = Count([this] { ForgetAll(); });
  EXPECT_EQ(sweep.deletes, 0u);
  EXPECT_LE(sweep.keys, 20u);
}

TEST_F(StoreWalls, SweepsOfIdempotencyKeysBeginBehindWhatWasForgotten) {
  std::vector<Op> ops;
  for (TimerId id = 1; id <= 20'000; ++id) {
    PutOp put = Put(MakeTimer(id));
    put.timer->created_at = {static_cast<int64_t>(id)};
    put.idempotency_key = "key " + std::to_string(id);
    ops.push_back({0, std::move(put)});
  }
  rig_.ApplyGroup(std::move(ops));
  const WallMs now{kIdempotencyKeepMs + 20'001};
  while (rig_.Apply(RetainOp{{0}, now})[0].more) {
  }
  const Steps sweep = Count([&] { rig_.Apply(RetainOp{{0}, now + kMinuteMs}); });
  EXPECT_EQ(sweep.deletes, 0u);
  EXPECT_LE(sweep.keys, 20u);
}

TEST_F(StoreWalls, ReadingBackParkedTimersStepsOverNoneThatEnded) {
  constexpr TimerId kParked = 60'000;
  PutTimers(kParked);
  std::vector<Op> ops;
  for (TimerId id = 1; id <= kParked; ++id) ops.push_back({0, Park(MakeTimer(id), "http://a:1")});
  rig_.ApplyGroup(std::move(ops));
  const auto load = [this](Key after, Key low) {
    LoadedPage page;
    const Steps steps =
        Count([&] { page = rig_.LoadParked(1, after, low, kLoadRowsMax, kLoadBytesMax).page; });
    EXPECT_EQ(steps.deletes, 0u);
    EXPECT_LE(steps.keys, kLoadRowsMax + 1);
    return page;
  };
  Key after;
  for (TimerId settled = 0; settled + 2 * kLoadRowsMax < kParked;) {
    const LoadedPage page = load(after, JustAbove(after));
    ASSERT_EQ(page.timers.size(), kLoadRowsMax);
    std::vector<Op> ends;
    for (const TimerPtr& timer : page.timers) {
      ends.push_back({0, Settle(*timer, TimerState::kDelivered, timer->due.ms + 1)});
    }
    settled += ends.size();
    rig_.ApplyGroup(std::move(ends));
    after = page.last_examined;
  }
  // From the front, and once more after a restart: only the last page's low was not stored yet.
  EXPECT_EQ(load({}, JustAbove(after)).timers.size(), kLoadRowsMax);
  rig_.Reopen();
  LoadedPage page;
  const Steps restarted = Count([&] { page = rig_.LoadParked(1, {}, {}, kLoadRowsMax).page; });
  EXPECT_EQ(page.timers.size(), kLoadRowsMax);
  EXPECT_LE(restarted.deletes, 2 * kLoadRowsMax);
}

// So that the test above means something: this is what it would count.
TEST_F(StoreWalls, ReadingBackFromTheBeginningMeetsEveryOneThatEnded) {
  constexpr TimerId kParked = 20'000;
  PutTimers(kParked);
  std::vector<Op> ops;
  for (TimerId id = 1; id <= kParked; ++id) {
    ops.push_back({0, Park(MakeTimer(id), "http://a:1")});
    if (id < kParked) ops.push_back({0, Settle(MakeTimer(id), TimerState::kDelivered, 2)});
  }
  rig_.ApplyGroup(std::move(ops));
  const Steps steps = Count([this] { EXPECT_EQ(rig_.LoadParked(1).page.timers.size(), 1u); });
  EXPECT_GE(steps.deletes, kParked - 1);
}

TEST_F(StoreWalls, NothingIsLeftOfTheParkedAfterAllWereCancelled) {
  PutTimers(20'000);
  std::vector<Op> ops;
  for (TimerId id = 1; id <= last_id_; ++id) ops.push_back({0, Park(MakeTimer(id), "http://a:1")});
  rig_.ApplyGroup(std::move(ops));
  rig_.Compact();
  EXPECT_GT(TableBytes(), 100'000u);
  rig_.Apply(FloorOp{kLocalTenant, last_id_});
  EXPECT_LE(TableBytes(), 10'000u);
  const Steps steps = Count([this] { EXPECT_TRUE(rig_.LoadParked(1).target_ended); });
  EXPECT_LE(steps.keys, 20u);
}

TEST_F(StoreWalls, ReplaysAndSweepsBeginBehindWhatWasReplayed) {
  constexpr TimerId kDead = 20'000;
  const WallMs end{kFirstDueMs + 2 * static_cast<int64_t>(kDead)};
  std::vector<Op> ops;
  for (TimerId id = 1; id <= kDead; ++id) {
    const Timer timer = MakeTimer(id);
    ops.push_back({0, Put(timer)});
    ops.push_back({0, Settle(timer, TimerState::kDead, timer.due.ms + 1)});
  }
  rig_.ApplyGroup(std::move(ops));
  ReplayRangeOp range{1, {kLocalTenant, {}, {}, end}};
  rig_.Apply(range);
  while (rig_.Apply(ReplayStepOp{1, end})[0].more) {
  }
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), kDead);
  range.number = 2;
  rig_.Apply(range);
  const Steps replay = Count([&] { rig_.Apply(ReplayStepOp{2, end}); });
  EXPECT_EQ(replay.deletes, 0u);
  EXPECT_LE(replay.keys, 20u);
  const Steps sweep = Count([&] { rig_.Apply(RetainOp{end, end}); });
  EXPECT_EQ(sweep.deletes, 0u);
  EXPECT_LE(sweep.keys, 20u);
  TimerFilter dead;
  dead.state = TimerState::kDead;
  dead.due_after = WallMs{};
  const Steps count = Count([&] { EXPECT_EQ(rig_.Count(dead), 0u); });
  EXPECT_EQ(count.deletes, 0u);
}

TEST_F(StoreWalls, NothingIsLeftToWalkThroughAfterAllWereCancelled) {
  PutTimers(50'000);
  rig_.Compact();
  rig_.Apply(FloorOp{kLocalTenant, last_id_});
  EXPECT_LE(TableBytes(), 10'000u);
  PutTimers(10);
  const Steps load = Count([this] {
    const LoadedPage page = rig_.Load({});
    EXPECT_EQ(page.timers.size(), 10u);
    EXPECT_TRUE(page.ended);
  });
  EXPECT_LE(load.keys, 20u);
  rig_.Reopen();
  EXPECT_EQ(rig_.LiveIds().size(), 10u);
  EXPECT_EQ(rig_.Count(), 10u);
}

TEST_F(StoreWalls, WhatOthersHaveStaysWhenOneCancelsAll) {
  PutTimers(100);
  rig_.Apply(Put(PendingTimer(++last_id_, 500, 9)));
  rig_.Compact();
  rig_.Apply(FloorOp{kLocalTenant, last_id_});
  EXPECT_EQ(rig_.LiveIds(), std::vector<TimerId>{last_id_});
  rig_.Apply(FloorOp{9, last_id_});
  EXPECT_LE(TableBytes(), 10'000u);
}

TEST_F(StoreWalls, TheSpaceOfTheForgottenComesBackWithoutARewrite) {
  constexpr uint64_t kEnded = 20'000;
  std::vector<Op> ops;
  uint64_t random = 1;
  for (TimerId id = 1; id <= kEnded; ++id) {
    Timer timer = MakeTimer(id);
    for (int i = 0; i < 64; ++i) {  // nothing to compress
      random = random * 6364136223846793005 + 1442695040888963407;
      AppendU64(&timer.body, random);
    }
    ops.push_back({0, Put(timer)});
    ops.push_back({0, Settle(std::move(timer), TimerState::kDelivered, MakeTimer(id).due.ms + 1)});
  }
  rig_.ApplyGroup(std::move(ops));
  rig_.Compact();
  const uint64_t tables = TableBytes();
  const WrittenBytes before = rig_.kv().written();
  EXPECT_GT(tables, kEnded * 512);
  last_id_ = kEnded;
  ForgetAll();
  EXPECT_LE(TableBytes(), tables / 10);
  const WrittenBytes after = rig_.kv().written();
  EXPECT_LE(after.flushed + after.compacted - before.flushed - before.compacted, tables / 10);
  EXPECT_EQ(rig_.Count(), 0u);
}

}  // namespace
}  // namespace belfry
