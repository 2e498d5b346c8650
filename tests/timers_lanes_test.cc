// Many timers that are late, large or for targets that hang, and what they leave to the others.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/timers_start.h"
#include "scheduler/timers.h"
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
    timers_ = std::make_unique<Timers>(options_, StartFrom(store_->opened()), now_);
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
      Ready ready = timers_->TakeReady();
      bool any = !ready.ops.empty();
      for (const Delivery& delivery : ready.deliveries) {
        const std::string host(TargetOf(*delivery.timer));
        ++started_[host];
        order_[host].push_back(delivery.timer->id);
        started_at_[delivery.timer->id] = now_;
        any = true;
        if (!hangs_.contains(host)) answer_.push_back(delivery.timer->id);
      }
      if (!ready.ops.empty()) Apply(std::move(ready.ops));
      for (const TimerId id : std::exchange(answer_, {})) {
        Outcome outcome = Answered(200, id);
        outcome.started = now_;
        timers_->DeliveryDone(outcome, now_);
        any = true;
      }
      if (!any && !(ready.wake_at && *ready.wake_at <= now_)) return;
    }
  }
  void Apply(std::vector<Op> ops) {
    std::vector<Completion> done;
    const Status status = store_->Apply(std::move(ops), &done);
    ASSERT_TRUE(status.ok()) << status.message();
    timers_->Complete(std::move(done), now_);
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
  std::unique_ptr<Timers> timers_;
  std::map<std::string, int> started_;
  std::map<TimerId, WallMs> started_at_;
  std::map<std::string, std::vector<TimerId>> order_;
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
    Ready ready = timers_->TakeReady();
    std::vector<TimerId> parks;
    for (const Op& op : ready.ops) {
      if (const auto* park = std::get_if<ParkOp>(&op.what)) parks.push_back(park->timer->id);
    }
    for (const Delivery& delivery : ready.deliveries) answer_.push_back(delivery.timer->id);
    for (const TimerId id : parks) {
      if (id > kParkedTargetsMax) timers_->Cancel(++token_, kLocalTenant, id, now_);
    }
    Ready cancels = timers_->TakeReady();
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
    order_.clear();
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
    for (const TimerId id : order_["http://a"]) {
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
      Ready ready = timers_->TakeReady();
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

}  // namespace
}  // namespace belfry
