#include "scheduler/timer_heap.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace belfry {
namespace {

TimerPtr Make(TimerId id, int64_t at_ms) {
  auto t = std::make_unique<Timer>();
  t->id = id;
  t->next_attempt = {at_ms};
  t->url = "http://r/x";
  return t;
}

TEST(TimerHeap, PopsInKeyOrderAndBreaksTiesById) {
  TimerHeap heap;
  for (const TimerId id : {5, 1, 4, 2, 3}) heap.Insert(Make(id, 100));
  heap.Insert(Make(9, 50));
  std::vector<TimerId> order;
  while (!heap.empty()) order.push_back(heap.Pop()->id);
  EXPECT_EQ(order, (std::vector<TimerId>{9, 1, 2, 3, 4, 5}));
}

TEST(TimerHeap, InsertingTheSameIdReplaces) {
  TimerHeap heap;
  heap.Insert(Make(1, 100));
  heap.Insert(Make(1, 5));
  EXPECT_EQ(heap.size(), 1u);
  EXPECT_EQ(heap.top(), (Key{{5}, 1}));
}

TEST(TimerHeap, RemovingTheLastSlotKeepsItsParent) {
  TimerHeap heap;
  for (TimerId id = 1; id <= 6; ++id) heap.Insert(Make(id, int64_t(id)));
  EXPECT_EQ(heap.Remove(6)->id, 6u);
  heap.CheckInvariants();
  EXPECT_EQ(heap.Remove(6), nullptr);
  EXPECT_EQ(heap.top().id, 1u);
}

TEST(TimerHeap, DroppingTheLatestNamesTheFirstDroppedKey) {
  TimerHeap heap;
  for (TimerId id = 1; id <= 8; ++id) heap.Insert(Make(id, int64_t(id) * 10));
  const Key dropped = heap.DropLatest(heap.bytes() * 3 / 4);
  EXPECT_EQ(dropped, (Key{{70}, 7}));
  EXPECT_EQ(heap.size(), 6u);
  heap.CheckInvariants();
}

TEST(TimerHeap, TheEarliestTimerIsNeverDropped) {
  TimerHeap heap;
  heap.Insert(Make(1, 10));
  heap.Insert(Make(2, 20));
  EXPECT_EQ(heap.DropLatest(0), (Key{{20}, 2}));
  EXPECT_EQ(heap.top().id, 1u);
  EXPECT_EQ(heap.DropLatest(0), kKeyMax);
}

TEST(TimerHeap, DroppingAllSetsThemAsideAndFreesThemByAndBy) {
  TimerHeap heap;
  for (TimerId id = 1; id <= 5000; ++id) heap.Insert(Make(id, int64_t(id)));
  heap.DropIf(kLocalTenant, [](const Timer&) { return true; });
  EXPECT_TRUE(heap.empty());
  EXPECT_EQ(heap.bytes(), 0u);
  EXPECT_EQ(heap.Find(1), nullptr);
  heap.Insert(Make(1, 7));
  heap.CheckInvariants();
  EXPECT_TRUE(heap.FreeSome());
  EXPECT_TRUE(heap.FreeSome());
  EXPECT_TRUE(heap.FreeSome());
  EXPECT_FALSE(heap.FreeSome());
  EXPECT_EQ(heap.top().id, 1u);
}

TEST(TimerHeap, DroppingSomeKeepsTheRest) {
  TimerHeap heap;
  for (TimerId id = 1; id <= 100; ++id) heap.Insert(Make(id, int64_t(1000 - id)));
  heap.DropIf(kLocalTenant, [](const Timer& t) { return t.id % 2 == 0; });
  heap.CheckInvariants();
  EXPECT_EQ(heap.size(), 50u);
  EXPECT_EQ(heap.Find(2), nullptr);
  EXPECT_EQ(heap.top().id, 99u);
}

TEST(TimerHeap, OnlyTimersOfTheTenantAreLookedAtAndNoneWhenItHasNone) {
  TimerHeap heap;
  size_t looks = 0;
  const auto drop = [&looks](const Timer&) { return ++looks > 0; };
  for (TimerId id = 1; id <= 90; ++id) {
    TimerPtr timer = Make(id, int64_t(id));
    timer->tenant = static_cast<TenantId>(1 + id % 3);
    heap.Insert(std::move(timer));
  }
  heap.DropIf(4, drop);
  EXPECT_EQ(looks, 0u);
  heap.DropIf(2, drop);
  EXPECT_EQ(looks, 30u);
  heap.DropIf(2, drop);
  EXPECT_EQ(looks, 30u);
  EXPECT_EQ(heap.size(), 60u);
  heap.CheckInvariants();
}

TEST(TimerHeap, DroppingFindsTheLatestWhateverTheirSizes) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 200; ++round) {
    TimerHeap heap;
    std::map<Key, size_t> model;
    for (TimerId id = 1; id <= 60; ++id) {
      TimerPtr timer = Make(id, int64_t(random() % 40));
      timer->body.assign(random() % 10 == 0 ? 5000 : random() % 50, 'b');
      model[KeyOf(*timer)] = MemoryBytes(*timer);
      heap.Insert(std::move(timer));
    }
    const size_t keep_bytes = heap.bytes() * (random() % 100) / 100;
    const Key dropped = heap.DropLatest(keep_bytes);
    heap.CheckInvariants();
    EXPECT_TRUE(heap.bytes() <= keep_bytes || heap.size() == 1);
    for (const auto& [key, bytes] : model) EXPECT_EQ(heap.Find(key.id) != nullptr, key < dropped);
    while (heap.FreeSome()) {
    }
  }
}

TEST(TimerHeap, BehavesAsASortedMap) {
  std::mt19937_64 random(7);
  TimerHeap heap;
  std::map<Key, TimerId> model;
  std::map<TimerId, Key> by_id;
  for (int step = 0; step < 20'000; ++step) {
    const TimerId id = random() % 200 + 1;
    const auto erase = [&](TimerId i) {
      if (const auto k = by_id.find(i); k != by_id.end()) {
        model.erase(k->second);
        by_id.erase(k);
      }
    };
    switch (random() % 4) {
      case 0:
      case 1: {
        const Key key{{int64_t(random() % 50)}, id};
        heap.Insert(Make(id, key.at.ms));
        erase(id);
        model[key] = id;
        by_id[id] = key;
        break;
      }
      case 2:
        EXPECT_EQ(heap.Remove(id) != nullptr, by_id.contains(id));
        erase(id);
        break;
      default:
        if (model.empty()) break;
        ASSERT_EQ(heap.Pop()->id, model.begin()->second);
        erase(model.begin()->second);
    }
    ASSERT_EQ(heap.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(heap.top(), model.begin()->first);
    }
    if (step % 97 == 0) heap.CheckInvariants();
  }
}

}  // namespace
}  // namespace belfry
