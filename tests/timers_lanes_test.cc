// Many timers that are late, large or for targets that hang, and what they leave to the others.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/engine_start.h"
#include "scheduler/engine.h"
#include "storage/ledger.h"
#include "storage/memory_kv.h"
#include "tests/support/outcomes.h"

namespace belfry {
namespace {

class TimersLanes : public testing::Test {
 protected:
  void Open(TimersOptions options = {}, int turns = 4000) {
    options_ = options;
    disk_->Crash();
    auto opened = Ledger::Open(std::make_unique<MemoryKv>(disk_), "abcdefghij");
    ASSERT_TRUE(opened.ok());
    store_ = std::move(*opened);
    engine_ = std::make_unique<Engine>(EngineOptions{options_}, StartFrom(store_->opened()), now_,
                                       MonoMs{now_.ms});
    timers_ = &engine_->timers();
    Settle(turns);
  }
  void Set(const std::string& host, int64_t in_ms, size_t body = 0) {
    auto timer = std::make_unique<Timer>();
    timer->tenant = kLocalTenant;
    timer->due = now_ + in_ms;
    timer->url = "http://" + host + "/x";
    timer->body.assign(body, 'b');
    timers_->Set(++token_, std::move(timer), "", "", now_);
  }
  // Turns of the loop until nothing is left to do at this time.
  void Settle(int turns = 4000) {
    for (int turn = 0; turn < turns; ++turn) {
      timers_->Tick(now_);
      Ready ready = engine_->TakeReady();
      bool any = !ready.ops.empty();
      for (const Delivery& delivery : ready.deliveries) {
        const std::string host(TargetOf(*delivery.timer));
        ++started_[host];
        order_of_[host].push_back(delivery.timer->id);
        started_at_[delivery.timer->id] = now_;
        order_.push_back(delivery.timer->id);
        any = true;
        if (!hangs_.contains(host)) answer_.push_back(delivery.timer->id);
      }
      if (!ready.ops.empty()) Apply(std::move(ready.ops));
      for (const TimerId id : std::exchange(answer_, {})) {
        Outcome outcome = Answered(status_, id);
        outcome.started = now_;
        timers_->DeliveryDone(outcome, now_);
        any = true;
      }
      if (!any && !(ready.wake_at && *ready.wake_at <= now_)) return;
    }
  }
  void Apply(std::vector<Op> ops) {
    for (const Op& op : ops) parked_ += std::holds_alternative<ParkOp>(op.what) ? 1 : 0;
    std::vector<Completion> done;
    const Status status = store_->Apply(std::move(ops), &done);
    ASSERT_TRUE(status.ok()) << status.message();
    engine_->Complete(std::move(done), now_);
  }
  void Pass(int64_t ms, int64_t step_ms = 100) {
    for (int64_t passed = 0; passed < ms && !HasFatalFailure(); passed += step_ms) {
      now_ = now_ + step_ms;
      Settle();
    }
  }
  void Pause(const std::string& target, bool paused) {
    timers_->Pause(++token_, target, paused);
    Settle();
  }
  int Started(const std::string& host) { return started_["http://" + host]; }

  WallMs now_{1'000'000'000'000};
  TimersOptions options_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Ledger> store_;
  std::unique_ptr<Engine> engine_;
  Timers* timers_ = nullptr;  // of engine_
  std::map<std::string, int> started_;
  std::map<TimerId, WallMs> started_at_;
  std::map<std::string, std::vector<TimerId>> order_of_;
  std::vector<TimerId> order_;  // in which they started
  int parked_ = 0;              // ParkOps so far
  int32_t status_ = 200;        // that all receivers answer
  std::map<std::string, bool> hangs_;
  std::vector<TimerId> answer_;
  ReplyToken token_ = 0;
};

// More targets than may be parked under: the rest comes back by itself.
TEST_F(TimersLanes, MoreTargetsThanMayBeParked) {
  Open();
  Set("a", 1000);
  for (size_t i = 0; i < kParkedTargetsMax + 20; ++i) Set("h" + std::to_string(i), 1001);
  Settle();
  Pause("http://a", true);
  now_ = now_ + 2000;  // down meanwhile
  TimersOptions small;
  small.window_bytes = 600;
  Open(small);
  Pass(5000);
}

// Cancelled while a Park that will be refused is on its way.
TEST_F(TimersLanes, CancelBehindAParkThatIsRefused) {
  Open();
  Set("a", 1000);
  for (size_t i = 0; i < kParkedTargetsMax + 20; ++i) Set("h" + std::to_string(i), 1001);
  Settle();
  Pause("http://a", true);
  now_ = now_ + 2000;
  TimersOptions small;
  small.window_bytes = 600;
  Open(small);
  for (int turn = 0; turn < 100'000 && !HasFatalFailure(); ++turn) {
    now_ = now_ + 1;
    timers_->Tick(now_);
    Ready ready = engine_->TakeReady();
    std::vector<TimerId> parks;
    for (const Op& op : ready.ops) {
      if (const auto* park = std::get_if<ParkOp>(&op.what)) parks.push_back(park->timer->id);
    }
    for (const Delivery& delivery : ready.deliveries) answer_.push_back(delivery.timer->id);
    for (const TimerId id : parks) {
      if (id > kParkedTargetsMax) timers_->Cancel(++token_, kLocalTenant, id, now_);
    }
    Ready cancels = engine_->TakeReady();
    for (Op& op : cancels.ops) ready.ops.push_back(std::move(op));
    const bool idle = ready.ops.empty();
    if (!idle) Apply(std::move(ready.ops));
    if (idle && turn > 3000) break;
  }
}

// Resumed while some of what is due is parked, some in memory and some not yet looked at.
TEST_F(TimersLanes, AResumedTargetKeepsTheOrderWhereverItsTimersAre) {
  for (int turns = 1; turns < 60; ++turns) {
    started_.clear();
    order_of_.clear();
    Open();
    Pause("http://a", true);
    for (int i = 0; i < 6000; ++i) Set("a", 1000 + (turns % 2 == 0 ? 0 : i / 6));
    Settle();
    now_ = now_ + (turns % 3 == 0 ? 2600 : 2000);  // or so far behind that they are late
    Settle(turns);
    Pause("http://a", false);
    Pass(3000);
    ASSERT_EQ(Started("a"), 6000) << turns;
    // The first that wait are on time, the others late: the two lanes take turns.
    TimerId most = 0;
    for (const TimerId id : order_of_["http://a"]) {
      most = std::max(most, id);
      ASSERT_LT(most - id, 2 * kStagedRoomMin) << turns;
    }
  }
}

// What waits for a paused target takes all the room of the backlog, for ever.
TEST_F(TimersLanes, APausedTargetDoesNotHoldBackTheBacklogOfOthers) {
  Open();
  for (int i = 0; i < 4000; ++i) Set("a", 1000);
  for (int i = 0; i < 3000; ++i) Set("b", 1001);
  Settle();
  now_ = now_ + 2000;  // down meanwhile
  Open({}, 6);
  EXPECT_GT(Started("a"), 0);
  Pause("http://a", true);
  Pass(120'000);
  EXPECT_EQ(Started("b"), 3000) << Started("a") << " of a";
}

// One target that hangs takes all that the ramp allows at first.
TEST_F(TimersLanes, OneTargetDoesNotTakeAllOfTheRamp) {
  Open();
  for (int i = 0; i < 1000; ++i) Set("a", 1000);
  for (int i = 0; i < 100; ++i) Set("b", 1001);
  Settle();
  now_ = now_ + 2000;  // down meanwhile
  hangs_["http://a"] = true;
  Open();
  Pass(14'000);
  EXPECT_EQ(Started("b"), 100) << Started("a") << " of a";
}

// What waits for the rate of its target.
TEST_F(TimersLanes, ATargetAtItsRateDoesNotHoldBackTheBacklogOfOthers) {
  TimersOptions options;
  options.per_target_rate = 10;
  Open(options);
  for (int i = 0; i < 20'000; ++i) {
    Set("a", 1000);
    if (i % 4000 == 0) Settle();
  }
  for (int i = 0; i < 100; ++i) Set("b", 1000);
  Settle();
  Pause("http://b", true);
  Pass(10'000);
  Pause("http://b", false);
  Pass(100'000);
  EXPECT_EQ(Started("b"), 100);
}

// Late timers of many healthy hosts whose names have to be looked up first.
TEST_F(TimersLanes, LateTimersThatLookNamesUpStayInTheirLane) {
  constexpr int kHosts = 500;
  Open();
  for (int host = 0; host < kHosts; ++host) Set("h" + std::to_string(host), 1000);
  Settle();
  now_ = now_ + 2000;  // down meanwhile
  Open({}, 0);
  size_t sent = 0;
  for (int round = 0; round < 100 && sent < kHosts; ++round) {
    std::vector<TimerId> looking_up;
    for (int turn = 0; turn < 200; ++turn) {
      timers_->Tick(now_);
      Ready ready = engine_->TakeReady();
      for (const Delivery& delivery : ready.deliveries) {
        looking_up.push_back(delivery.timer->id);
        timers_->LookupBegan(delivery.timer->id, now_);
      }
      for (const Op& op : ready.ops) EXPECT_FALSE(std::holds_alternative<RetryOp>(op.what));
      if (!ready.ops.empty()) Apply(std::move(ready.ops));
    }
    EXPECT_LE(looking_up.size(), kLateLookups * 1000);
    now_ = now_ + 50;
    for (const TimerId id : looking_up) {
      Outcome outcome = Answered(200, id);
      outcome.started = now_;
      if (timers_->MayConnect(id, now_)) {
        ++sent;
      } else {
        outcome.kind = OutcomeKind::kNoSlot;
      }
      timers_->DeliveryDone(outcome, now_);
    }
  }
  EXPECT_EQ(sent, kHosts);
}

// Late timers with large bodies leave the on-time lane no room to be staged in.
TEST_F(TimersLanes, LateTimersLeaveRoomForOnTimeOnes) {
  TimersOptions options;
  options.per_target_in_flight = 2;
  Open(options);
  for (int host = 0; host < 40; ++host) {
    for (int i = 0; i < 63; ++i) Set("slow" + std::to_string(host), 1000, 16'384);
    hangs_["http://slow" + std::to_string(host)] = true;
    Settle();
  }
  now_ = now_ + 2000;
  Open(options);
  Pass(5000);
  Set("slow0", 1000);  // has no room: both of its slots hang
  for (int i = 0; i < 50; ++i) Set("good", 1010 + i * 20);
  Settle();
  Pass(4000, 10);
  EXPECT_EQ(Started("good"), 50);
}

// 64 late attempts with large bodies that hang keep every on-time timer from starting.
TEST_F(TimersLanes, LateAttemptsLeaveRoomForOnTimeOnes) {
  Open();
  for (int host = 0; host < 64; ++host) {
    Set("slow" + std::to_string(host), 1000, 256 * 1024);
    hangs_["http://slow" + std::to_string(host)] = true;
    Settle();
  }
  now_ = now_ + 2000;
  Open();
  Pass(3000);
  Set("good", 100);
  Settle();
  Pass(5000, 10);
  EXPECT_EQ(Started("good"), 1);
}

// A start meets very many of a paused target between those of another, which do not wait until they
// are parked.
TEST_F(TimersLanes, WhatAPausedTargetHasDueIsPassedOver) {
  constexpr int kPaused = 100'000;
  Open();
  for (int i = 0; i < kPaused; ++i) {
    Set("a", 1000 + i / 100);
    if (i % 1000 == 0) Set("b", 1000 + i / 100);
    if (i % 4000 == 0) Settle();
  }
  Settle();
  Pause("http://a", true);
  now_ = now_ + 3000;  // down meanwhile
  Open({}, 0);
  // Parking takes a turn for each 1024 of them.
  for (int turn = 0; turn < 50; ++turn) Settle(1);
  EXPECT_EQ(Started("b"), 100);
  EXPECT_LT(parked_, kPaused / 2);
  Pass(20'000);
  EXPECT_GT(parked_, kPaused - 1000);
  EXPECT_EQ(Started("a"), 0);
}

// Rows that the window passed over are on time again when their target is.
TEST_F(TimersLanes, ATargetThatIsResumedBeforeItsTimersAreDueHasThemOnTime) {
  Open();
  for (int i = 0; i < 500; ++i) Set("a", 5000 + i * 10);
  Settle();
  Pause("http://a", true);
  Open();
  EXPECT_LT(timers_->window_bytes(), 1000u);
  now_ = now_ + 1000;
  Pause("http://a", false);
  const WallMs due = now_ + 4000;
  Pass(10'000, 10);
  ASSERT_EQ(Started("a"), 500);
  for (TimerId id = 1; id <= 500; ++id) {
    EXPECT_EQ(started_at_[id], due + static_cast<int64_t>(id - 1) * 10) << id;
  }
  EXPECT_EQ(parked_, 0);
}

// One that is resumed while its lot is being filled.
TEST_F(TimersLanes, ATargetThatIsResumedHalfParkedHasItsTimersInOrder) {
  Open();
  for (int i = 0; i < 6000; ++i) Set("a", 1000 + i);
  Settle();
  Pause("http://a", true);
  now_ = now_ + 10'000;  // down meanwhile
  Open({}, 0);
  for (int turn = 0; turn < 4000 && parked_ < 1000; ++turn) Settle(1);
  ASSERT_LT(parked_, 5000);
  Pause("http://a", false);
  Pass(60'000);
  ASSERT_EQ(order_.size(), 6000u);
  TimerId greatest = 0;
  for (size_t i = 0; i < order_.size(); ++i) {
    greatest = std::max(greatest, order_[i]);
    EXPECT_LE(greatest, i + 1 + options_.per_target_in_flight) << i;
  }
}

// As many paused targets as fill the on-time lane with what each may have staged.
TEST_F(TimersLanes, BlockedTargetsDoNotFillTheOnTimeLane) {
  constexpr int kHosts = 320;
  Open();
  for (int host = 0; host < kHosts; ++host) {
    for (int i = 0; i < 63; ++i) Set("h" + std::to_string(host), 1000);
    Settle();
  }
  for (int i = 0; i < 20; ++i) Set("good", 1010 + i * 50);
  const TimerId first_good = kHosts * 63 + 1;
  Settle();
  for (int host = 0; host < kHosts; ++host) Pause("http://h" + std::to_string(host), true);
  const WallMs due = now_ + 1010;
  Pass(3000, 10);
  ASSERT_EQ(Started("good"), 20);
  for (int i = 0; i < 20; ++i) {
    EXPECT_LE(started_at_[first_good + i] - (due + i * 50), 100) << i;
  }
}

// The same with few timers whose bodies are large.
TEST_F(TimersLanes, LargeTimersOfABlockedTargetDoNotFillTheOnTimeLane) {
  Open();
  for (int i = 0; i < 60; ++i) Set("a", 1000, 256 * 1024);
  Settle();
  for (int i = 0; i < 20; ++i) Set("good", 1010 + i * 50);
  Settle();
  Pause("http://a", true);
  const WallMs due = now_ + 1010;
  Pass(3000, 10);
  ASSERT_EQ(Started("good"), 20);
  for (int i = 0; i < 20; ++i) EXPECT_LE(started_at_[61 + i] - (due + i * 50), 100) << i;
}

// What is staged and held does not keep a range replay from going on.
TEST_F(TimersLanes, AReplayGoesOnBesideTargetsThatArePaused) {
  constexpr int kHosts = 200;
  Open();
  status_ = 410;
  for (int i = 0; i < 100; ++i) Set("dead", 10);
  Settle();
  Pass(100);
  ASSERT_EQ(Started("dead"), 100);
  status_ = 200;
  for (int host = 0; host < kHosts; ++host) {
    for (int i = 0; i < 60; ++i) Set("h" + std::to_string(host), 1000);
    Settle();
  }
  for (int host = 0; host < kHosts; ++host) Pause("http://h" + std::to_string(host), true);
  Pass(1100);
  DeadRange range;
  range.tenant = kLocalTenant;
  timers_->ReplayRange(++token_, range, false, now_);
  Ready ready = engine_->TakeReady();
  for (const Query& query : ready.queries) engine_->QueryDone(store_->Run(query), MonoMs{now_.ms});
  Pass(2000);
  EXPECT_EQ(Started("dead"), 200);
}

// Late timers of healthy hosts that are slow: they are not parked because the lane is full.
TEST_F(TimersLanes, ABacklogThatMovesSlowlyIsNotParked) {
  constexpr int kHosts = 3000;
  Open();
  for (int host = 0; host < kHosts; ++host) {
    const std::string name = "h" + std::to_string(host);
    Set(name, 1000);
    hangs_["http://" + name] = true;
    if (host % 1000 == 0) Settle();
  }
  Settle();
  now_ = now_ + 2000;  // down meanwhile
  Open();
  Pass(20'000);
  EXPECT_GT(order_.size(), 30u);
  EXPECT_EQ(parked_, 0);
}

// Deleting all timers ends the lot of a target that may not start, unless one was set since.
TEST_F(TimersLanes, ALotOfWhichAllTimersWereDeletedIsGone) {
  Open();
  for (const char* host : {"a", "b"}) {
    Pause(std::string("http://") + host, true);
    for (int i = 0; i < 1500; ++i) Set(host, 1000);
    Settle();
  }
  Pass(3000);
  const auto is_parked = [this](size_t i) {
    return timers_->Targets("", 10, now_).targets[i].parked;
  };
  ASSERT_TRUE(is_parked(0) && is_parked(1));
  timers_->CancelAll(++token_, kLocalTenant, now_);
  for (int i = 0; i < 100; ++i) Set("b", 10);
  Pass(3000);
  EXPECT_FALSE(is_parked(0));
  EXPECT_TRUE(is_parked(1));
  Pause("http://b", false);
  Pass(3000);
  EXPECT_EQ(Started("b"), 100);
}

}  // namespace
}  // namespace belfry
