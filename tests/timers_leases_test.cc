// Deadlines of leases that are late, and timers that wait for room or for their target meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/engine_start.h"
#include "scheduler/engine.h"
#include "storage/ledger.h"
#include "storage/memory_kv.h"

namespace belfry {
namespace {

constexpr int64_t kTtlMs = 5000;

// No receiver ever answers.
class TimersLeases : public testing::Test {
 protected:
  void Open(const TimersOptions& options = {}) {
    disk_->Crash();
    auto opened = Ledger::Open(std::make_unique<MemoryKv>(disk_), "abcdefghij");
    ASSERT_TRUE(opened.ok());
    store_ = std::move(*opened);
    EngineOptions all{options};
    all.streams.random = [this] { return ++random_; };
    engine_ = std::make_unique<Engine>(all, StartFrom(store_->opened()), now_, MonoMs{now_.ms});
    timers_ = &engine_->timers();
    unfinished_ = 0;
  }
  void Set(size_t count, int64_t in_ms) {
    for (size_t i = 0; i < count; ++i) {
      auto timer = std::make_unique<Timer>();
      timer->tenant = kLocalTenant;
      timer->due = now_ + in_ms;
      timer->url = "http://h" + std::to_string(i % 3) + "/x";
      timers_->Set(++token_, std::move(timer), "", "", now_);
      if (i % 1000 == 999) Settle();
    }
    Settle();
  }
  // Of as many users: each has a call to make when it lapses.
  void Play(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      StreamStart start;
      start.tenant = kLocalTenant;
      start.user = "u" + std::to_string(++users_);
      start.ttl_ms = kTtlMs;
      start.on_expire = "http://calls/x";
      engine_->streams().Start(++token_, std::move(start), now_);
      if (i % 1000 == 999) Settle();
    }
    Settle();
  }
  void PauseAll(bool paused) {
    timers_->Pause(++token_, "", paused);
    Settle();
  }
  // Turns of the loop, until nothing is left to do at this time.
  void Settle(int turns = 1000) {
    for (int turn = 0; turn < turns; ++turn) {
      if (!Turn()) return;
    }
    FAIL() << "it goes on for ever";
  }
  // False: nothing is left to do.
  bool Turn() {
    timers_->Tick(now_);
    Ready ready = engine_->TakeReady();
    Look(ready.ops);
    const bool any = !ready.ops.empty() || !ready.deliveries.empty();
    if (!ready.ops.empty()) Apply(std::move(ready.ops));
    return any || (ready.wake_at && *ready.wake_at <= now_);
  }
  void Look(const std::vector<Op>& ops) {
    for (const Op& op : ops) {
      if (const auto* load = std::get_if<LoadOp>(&op.what)) {
        if (load->reader == Reader::kLeases) unfinished_ += load->rows_max;
      }
      if (!std::holds_alternative<LapseStreamOp>(op.what)) continue;
      ++lapses_;
      ++unfinished_;
    }
    most_ = std::max(most_, unfinished_);
  }
  void Apply(std::vector<Op> ops) {
    for (const Op& op : ops) {
      const auto* load = std::get_if<LoadOp>(&op.what);
      if (load != nullptr && load->reader == Reader::kLeases) unfinished_ -= load->rows_max;
      if (std::holds_alternative<LapseStreamOp>(op.what)) --unfinished_;
    }
    std::vector<Completion> done;
    const Status status = store_->Apply(std::move(ops), &done);
    ASSERT_TRUE(status.ok()) << status.message();
    engine_->Complete(std::move(done), now_);
  }
  void Pass(int64_t ms) {
    now_ = now_ + ms;
    Settle();
  }

  WallMs now_{1'000'000'000'000};
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Ledger> store_;
  std::unique_ptr<Engine> engine_;
  Timers* timers_ = nullptr;  // of engine_
  ReplyToken token_ = 0;
  uint64_t random_ = 0;
  size_t users_ = 0;
  size_t lapses_ = 0;      // LapseStreamOps so far
  size_t unfinished_ = 0;  // of these, with the rows of a page that is asked for
  size_t most_ = 0;        // at once
};

// More timers than the backlog has room for are due before them, and hang.
TEST_F(TimersLeases, LapseAfterADowntimeWhateverTheBacklogWaitsFor) {
  constexpr size_t kTimers = 3 * kNotLeasesMax;
  constexpr size_t kLeases = 3000;
  Open();
  Settle();
  Set(kTimers, kTtlMs - 1000);
  Play(kLeases);
  now_ = now_ + kTtlMs + 10'000;  // down meanwhile
  Open();
  Settle();
  EXPECT_EQ(lapses_, kLeases);
  EXPECT_LE(most_, kLapsesMax);
}

// All of them are in memory, and too late to stay there: they are left to the disk together.
TEST_F(TimersLeases, LapseWhenAllDeliveriesAreResumed) {
  constexpr size_t kTimers = 25'000;
  constexpr size_t kLeases = 6000;
  Open();
  Settle();
  PauseAll(true);
  Set(kTimers, 1000);
  Play(kLeases);
  Pass(kTtlMs + 10'000);
  EXPECT_EQ(lapses_, 0u);
  PauseAll(false);
  Pass(kLoadIntervalMs);
  EXPECT_EQ(lapses_, kLeases);
  EXPECT_LE(most_, kLapsesMax);
}

// Those beyond the cap wait on disk, and each is met once.
TEST_F(TimersLeases, LapseFewAtATimeAndEachOnce) {
  TimersOptions options;
  options.lapses_max = 10;
  Open(options);
  Settle();
  Play(500);
  Pass(kTtlMs);
  for (int more = 0; more < 5; ++more) Pass(kLoadIntervalMs);
  EXPECT_EQ(lapses_, 500u);
  EXPECT_LE(most_, 10u);
}

// Each deadline is met, and asks for no more than the lease lasts.
TEST_F(TimersLeases, ThatWereRenewedMoveOn) {
  Open();
  Settle();
  PauseAll(true);
  Play(600);
  Pass(kTtlMs - 1);
  for (uint64_t n = 1; n <= 300; ++n) {
    engine_->streams().Renew(++token_, kLocalTenant, "u" + std::to_string(n),
                             UuidV4(2 * n - 1, 2 * n), now_);
  }
  Settle();
  Pass(2000);
  PauseAll(false);
  Pass(kLoadIntervalMs);
  EXPECT_EQ(lapses_, 600u);
  Pass(kTtlMs);
  EXPECT_EQ(lapses_, 900u);
}

}  // namespace
}  // namespace belfry
