#include "scheduler/id_cache.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

constexpr size_t kSetBytes = 96;
constexpr TenantId kTenant = 3;

Timer Alive(TimerId id, int64_t due_ms, TimerState state = TimerState::kPending) {
  Timer timer;
  timer.id = id;
  timer.tenant = kTenant;
  timer.state = state;
  timer.due = {due_ms};
  return timer;
}

TimerView View(TimerId id, TimerState state) { return {id, state, WallMs{70}, nullptr}; }

TEST(IdCache, TellsWhatTheLatestOpLeft) {
  IdCache cache(10 * kSetBytes);
  const Timer set = Alive(5, 10);
  cache.Completed(5, &set);
  const Timer retried = Alive(5, 10, TimerState::kRetrying);
  cache.Completed(5, &retried);
  const auto entry = cache.Find(5);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->tenant, kTenant);
  EXPECT_EQ(entry->state, TimerState::kRetrying);
  EXPECT_EQ(entry->due.ms, 10);
}

TEST(IdCache, ForgetsWhatEnded) {
  IdCache cache(10 * kSetBytes);
  const Timer set = Alive(5, 10);
  cache.Completed(5, &set);
  cache.Completed(5, nullptr);
  EXPECT_FALSE(cache.Find(5));
}

TEST(IdCache, KeepsItsRoomForTimersThatSomebodyMayAskFor) {
  IdCache cache(kSetBytes);
  const Timer set = Alive(1, 10);
  cache.Completed(1, &set);
  for (TimerId id = 2; id < 100; ++id) {
    Timer deadline = Alive(id, 10);
    deadline.tenant = kLeaseTenant;
    cache.Completed(id, &deadline);
    EXPECT_FALSE(cache.Find(id));
  }
  EXPECT_TRUE(cache.Find(1));
}

TEST(IdCache, KnowsNothingOfOtherIds) {
  IdCache cache(kSetBytes);
  const Timer set = Alive(5, 10);
  cache.Completed(5, &set);
  EXPECT_FALSE(cache.Find(4));
  EXPECT_FALSE(cache.Find(0));
}

TEST(IdCache, KeepsNoMoreThanItMayAndTheNewest) {
  IdCache cache(25 * kSetBytes);  // 100 places
  for (TimerId id = 1; id <= 1000; ++id) {
    const Timer set = Alive(id, 10);
    cache.Completed(id, &set);
    EXPECT_TRUE(cache.Find(id));
  }
  int kept = 0;
  for (TimerId id = 1; id <= 1000; ++id) kept += cache.Find(id) ? 1 : 0;
  EXPECT_EQ(kept, 100);
}

TEST(IdCache, WithoutMemoryKeepsNothing) {
  IdCache cache(kSetBytes - 1);
  const Timer set = Alive(5, 10);
  cache.Completed(5, &set);
  EXPECT_FALSE(cache.Find(5));
}

TEST(IdCache, TakesWhatAReadFound) {
  IdCache cache(kSetBytes);
  cache.Asked(5);
  const TimerView found = View(5, TimerState::kPending);
  cache.Answered(kTenant, 5, &found, true);
  ASSERT_TRUE(cache.Find(5));
  EXPECT_EQ(cache.Find(5)->due.ms, 70);
}

TEST(IdCache, DoesNotTakeAReadThatAnOpOvertook) {
  IdCache cache(kSetBytes);
  cache.Asked(5);
  cache.Asked(5);
  cache.Completed(5, nullptr);
  const TimerView found = View(5, TimerState::kPending);
  cache.Answered(kTenant, 5, &found, true);
  EXPECT_FALSE(cache.Find(5));
  cache.Answered(kTenant, 5, &found, true);
  EXPECT_FALSE(cache.Find(5));
  cache.Asked(5);
  cache.Answered(kTenant, 5, &found, true);
  EXPECT_TRUE(cache.Find(5));
}

TEST(IdCache, DoesNotTakeAReadWhileAnOpIsUnfinished) {
  IdCache cache(kSetBytes);
  cache.Asked(5);
  const TimerView found = View(5, TimerState::kPending);
  cache.Answered(kTenant, 5, &found, false);
  EXPECT_FALSE(cache.Find(5));
}

TEST(IdCache, DoesNotTakeWhatEnded) {
  IdCache cache(kSetBytes);
  for (const TimerState state :
       {TimerState::kDelivered, TimerState::kCancelled, TimerState::kDead}) {
    cache.Asked(5);
    const TimerView found = View(5, state);
    cache.Answered(kTenant, 5, &found, true);
    EXPECT_FALSE(cache.Find(5));
  }
  cache.Asked(6);
  cache.Answered(kTenant, 6, nullptr, true);
  EXPECT_FALSE(cache.Find(6));
}

}  // namespace
}  // namespace belfry
