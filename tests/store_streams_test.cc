// Users and their streams: who is let in, what ends and lapses, and who is told of it.

#include "tests/support/store_streams.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "storage/salvage.h"
#include "storage/stream_rows.h"
#include "tests/support/store_engines.h"
#include "tests/support/store_watched_kv.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;
using Streams = std::vector<StreamId>;

class StoreStreams : public OverEngines {
 protected:
  void TearDown() override {
    const Status whole = CheckWhole(rig_.kv());
    EXPECT_TRUE(whole.ok()) << whole.message();
  }
  template <typename What>
  Completion Do(What op) {
    return std::move(rig_.Apply(std::move(op))[0]);
  }
  Completion StartOne(uint64_t n, const std::string& user, int64_t now_ms, uint32_t limit = 3) {
    return Do(Start(StartNo(n, user, now_ms, limit)));
  }
  std::optional<UserView> Find(const std::string& user, int64_t now_ms,
                               TenantId tenant = kLocalTenant) {
    QueryResult result = rig_.Run({1, UserQuery{tenant, user, {now_ms}}, {}});
    return std::move(std::get<std::optional<UserView>>(result.what));
  }
  Streams ActiveOf(const std::string& user, int64_t now_ms, TenantId tenant = kLocalTenant) {
    Streams out;
    const auto view = Find(user, now_ms, tenant);
    for (const StreamView& s : view ? view->streams : std::vector<StreamView>()) {
      out.push_back(s.id);
    }
    return out;
  }
  // The deadline as a page has it.
  Timer DeadlineOf(uint64_t n) {
    LoadedPage page = rig_.Load();
    for (const TimerPtr& timer : page.timers) {
      if (timer->id == n && timer->kind == TimerKind::kLease) return *timer;
    }
    ADD_FAILURE() << "no deadline " << n;
    return {};
  }
  Completion Lapsed(uint64_t n, TimerId callback, int64_t now_ms) {
    return Do(Lapse(DeadlineOf(n), callback, now_ms));
  }
};
INSTANTIATE_OVER_ENGINES(StoreStreams);

TEST_P(StoreStreams, AStartMakesTheUserTheLeaseAndItsDeadline) {
  const Completion done = StartOne(1, "joe", 5000);
  EXPECT_EQ(done.result, OpResult::kDone);
  EXPECT_EQ(done.token, 1u);
  EXPECT_EQ(done.id, 1u);
  EXPECT_EQ(done.stream->stream, StreamNo(1));
  EXPECT_EQ(done.stream->limit, 3u);
  EXPECT_EQ(done.stream->active, 1u);
  ASSERT_NE(done.timer, nullptr);
  EXPECT_EQ(done.timer->tenant, kLeaseTenant);
  EXPECT_EQ(KeyOf(*done.timer), (Key{{6000}, 1}));
  rig_.Reopen();
  const auto user = Find("joe", 5999);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->streams, (std::vector<StreamView>{{StreamNo(1), "c1", {5000}, {6000}}}));
  EXPECT_EQ(user->limit, std::nullopt);
  EXPECT_EQ(DeadlineOf(1), *done.timer);
  EXPECT_TRUE(Find("joe", 6000)->streams.empty());
  EXPECT_EQ(Find("joe", 6000)->last_online.ms, 6000);
}

TEST_P(StoreStreams, AtTheLimitNoneStartsAndTheAnswerSaysWhoseStreamsPlay) {
  for (uint64_t n = 1; n <= 3; ++n) StartOne(n, "joe", 5000);
  const Completion full = StartOne(4, "joe", 5999);
  EXPECT_EQ(full.result, OpResult::kFull);
  EXPECT_EQ(full.timer, nullptr);
  EXPECT_EQ(full.stream->limit, 3u);
  EXPECT_EQ(full.stream->active, 3u);
  EXPECT_EQ(full.stream->user, "joe");
  EXPECT_EQ(full.stream->now.ms, 5999);
  EXPECT_EQ(ActiveOf("joe", 5999), (Streams{StreamNo(1), StreamNo(2), StreamNo(3)}));
  EXPECT_EQ(rig_.LiveIds(), (Ids{1, 2, 3}));
}

// Whatever changes in between, at once in the same group or later.
TEST_P(StoreStreams, ARefusalDoesNotOutliveItsReason) {
  const auto full = [&](uint64_t n, int64_t now_ms) {
    return StartOne(n, "joe", now_ms, 1).result == OpResult::kFull;
  };
  StartOne(1, "joe", 5000, 1);
  EXPECT_TRUE(full(2, 5000));
  EXPECT_TRUE(full(2, 5999));
  EXPECT_FALSE(full(2, 6000));  // it has lapsed
  EXPECT_TRUE(full(3, 6100));
  Do(Renew(2, "joe", 6500));
  EXPECT_TRUE(full(3, 7100));
  EXPECT_EQ(StartOne(3, "joe", 7100, 2).result, OpResult::kDone);  // a higher streams.limit
  EXPECT_TRUE(full(4, 7200));
  std::vector<Op> group;
  group.push_back({0, End(2, "joe", 7200)});
  group.push_back({0, Start(StartNo(4, "joe", 7200, 2))});
  group.push_back({0, Start(StartNo(5, "joe", 7200, 2))});
  const auto done = rig_.ApplyGroup(std::move(group));
  EXPECT_EQ(done[1].result, OpResult::kDone);
  EXPECT_EQ(done[2].result, OpResult::kFull);
  EXPECT_EQ(done[2].stream->active, 2u);
  Do(DeleteUserOp{kLocalTenant, "joe", {7200}});
  EXPECT_FALSE(full(6, 7200));
}

TEST_P(StoreStreams, ARefusalIsNotRememberedForAnEarlierTimeOrForOneThatEvicts) {
  StartOne(1, "joe", 5000, 1);
  EXPECT_EQ(StartOne(2, "joe", 5500, 1).result, OpResult::kFull);
  // By then it lasts too long.
  EXPECT_EQ(StartOne(2, "joe", 4000, 1).stream->moved.size(), 1u);
  StreamStart evicting = StartNo(2, "joe", 4000, 1);
  evicting.evict_oldest = true;
  EXPECT_EQ(Do(Start(evicting)).result, OpResult::kDone);
}

TEST_P(StoreStreams, OfManyInOneGroupOnlyTheLimitIsLetIn) {
  std::vector<Op> group;
  for (uint64_t n = 1; n <= 200; ++n) group.push_back({n, Start(StartNo(n, "joe", 5000, 7))});
  int started = 0;
  for (const Completion& done : rig_.ApplyGroup(std::move(group))) {
    started += done.result == OpResult::kDone;
  }
  EXPECT_EQ(started, 7);
  EXPECT_EQ(ActiveOf("joe", 5000).size(), 7u);
}

TEST_P(StoreStreams, UsersAndTenantsHaveSlotsOfTheirOwn) {
  for (uint64_t n = 1; n <= 3; ++n) StartOne(n, "joe", 5000);
  EXPECT_EQ(StartOne(4, "joe2", 5000).result, OpResult::kDone);
  EXPECT_EQ(StartOne(5, "jo", 5000).result, OpResult::kDone);
  EXPECT_EQ(Do(Start(StartNo(6, "joe", 5000, 3, 2))).result, OpResult::kDone);
  EXPECT_EQ(ActiveOf("joe", 5000, 2), Streams{StreamNo(6)});
  EXPECT_EQ(ActiveOf("joe", 5000).size(), 3u);
  // Ids of another tenant's or user's stream name nothing.
  EXPECT_EQ(Do(Renew(1, "joe", 5100, 2)).result, OpResult::kGone);
  EXPECT_EQ(Do(Renew(1, "jo", 5100)).result, OpResult::kGone);
  EXPECT_EQ(Do(End(1, "joe", 5100, 2)).result, OpResult::kDone);
  EXPECT_EQ(Do(End(1, "joe", 5100, 3)).result, OpResult::kGone);
  EXPECT_EQ(ActiveOf("joe", 5100).size(), 3u);
}

TEST_P(StoreStreams, AUserHasALimitOfTheirOwn) {
  EXPECT_EQ(Do(PutUserOp{kLocalTenant, "joe", 1}).result, OpResult::kDone);
  EXPECT_EQ(Do(PutUserOp{kLocalTenant, "joe", 5}).result, OpResult::kExists);
  EXPECT_EQ(StartOne(1, "joe", 5000).stream->limit, 1u);
  EXPECT_EQ(StartOne(2, "joe", 5000).result, OpResult::kFull);
  EXPECT_EQ(Find("joe", 5000)->limit, 1u);
}

TEST_P(StoreStreams, AUserMayBeRequired) {
  StreamStart start = StartNo(1, "joe", 5000);
  start.require_user = true;
  EXPECT_EQ(Do(Start(start)).result, OpResult::kGone);
  EXPECT_FALSE(Find("joe", 5000));
  EXPECT_EQ(Do(PutUserOp{kLocalTenant, "joe", {}}).result, OpResult::kDone);
  start.deadline = 2;
  EXPECT_EQ(Do(Start(start)).result, OpResult::kDone);
}

TEST_P(StoreStreams, ALowerLimitLetsNobodyInUntilThereIsRoom) {
  for (uint64_t n = 1; n <= 4; ++n) StartOne(n, "joe", 5000, 4);
  EXPECT_EQ(StartOne(5, "joe", 5000, 2).result, OpResult::kFull);
  StreamStart evicting = StartNo(6, "joe", 5000, 2);
  evicting.evict_oldest = true;
  const Completion done = Do(Start(evicting));
  EXPECT_EQ(done.result, OpResult::kDone);
  EXPECT_EQ(done.stream->active, 2u);
  EXPECT_EQ(done.stream->evicted, (Streams{StreamNo(1), StreamNo(2), StreamNo(3)}));
  EXPECT_EQ(done.stream->deadlines, (Ids{1, 2, 3}));
  EXPECT_EQ(ActiveOf("joe", 5000), (Streams{StreamNo(4), StreamNo(6)}));
}

TEST_P(StoreStreams, EvictionEndsTheOldestAndOnlyAtTheLimit) {
  StreamStart start = StartNo(1, "joe", 5000, 2);
  start.evict_oldest = true;
  EXPECT_TRUE(Do(Start(start)).stream->evicted.empty());
  StartOne(2, "joe", 5000, 2);
  start.stream = StreamNo(3);
  start.deadline = 3;
  EXPECT_EQ(Do(Start(start)).stream->evicted, Streams{StreamNo(1)});
  EXPECT_EQ(ActiveOf("joe", 5000), (Streams{StreamNo(2), StreamNo(3)}));
  // It was ended, so it has not lapsed.
  EXPECT_EQ(rig_.LiveIds(), (Ids{2, 3}));
}

TEST_P(StoreStreams, ARenewalLastsItsTtl) {
  StartOne(1, "joe", 5000);
  EXPECT_EQ(Do(Renew(1, "joe", 5600)).stream->expires_at.ms, 6600);
  rig_.Reopen();
  EXPECT_EQ(Do(Renew(1, "joe", 6599)).stream->expires_at.ms, 7599);
  EXPECT_EQ(ActiveOf("joe", 7598), Streams{StreamNo(1)});
  // Its deadline stays where it was, and is met before its lease lapses.
  EXPECT_EQ(KeyOf(DeadlineOf(1)), (Key{{6000}, 1}));
}

TEST_P(StoreStreams, AfterTheClockWasSetBackALeaseLastsItsTtlFromTheNextHeartbeat) {
  StartOne(1, "joe", 900'000);
  Do(Renew(1, "joe", 900'500));
  const Completion renewed = Do(Renew(1, "joe", 5000));
  EXPECT_EQ(renewed.stream->expires_at.ms, 6000);
  ASSERT_EQ(renewed.stream->moved.size(), 1u);
  EXPECT_EQ(KeyOf(*renewed.stream->moved[0]), (Key{{6000}, 1}));
  rig_.Reopen();
  EXPECT_EQ(DeadlineOf(1), *renewed.stream->moved[0]);
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
  // By less than the deadline is ahead: it stays.
  Do(Renew(1, "joe", 5800));
  EXPECT_TRUE(Do(Renew(1, "joe", 5700)).stream->moved.empty());
  EXPECT_EQ(KeyOf(DeadlineOf(1)), (Key{{6000}, 1}));
}

// The clock was ahead for a moment: no slot is taken for as long as that.
TEST_P(StoreStreams, AStartLetsNoLeaseLastLongerThanItsTtl) {
  for (uint64_t n = 1; n <= 3; ++n) StartOne(n, "joe", 900'000);
  const Completion full = StartOne(4, "joe", 5000);
  EXPECT_EQ(full.result, OpResult::kFull);
  EXPECT_EQ(Find("joe", 5000)->streams[0].expires_at.ms, 6000);
  EXPECT_EQ(full.stream->moved.size(), 3u);
  rig_.Reopen();
  EXPECT_EQ(KeyOf(DeadlineOf(3)), (Key{{6000}, 3}));
  // Once: it lasts no longer the next time.
  EXPECT_TRUE(StartOne(5, "joe", 5900).stream->moved.empty());
  EXPECT_EQ(StartOne(6, "joe", 6000).result, OpResult::kDone);
  EXPECT_EQ(ActiveOf("joe", 6000), Streams{StreamNo(6)});
}

// It was met before the op that moved it was done.
TEST_P(StoreStreams, ADeadlineThatWasMovedIsMetAllTheSame) {
  for (uint64_t n = 1; n <= 2; ++n) StartOne(n, "joe", 900'000);
  const Timer first = DeadlineOf(1);
  const Timer second = DeadlineOf(2);
  for (uint64_t n = 1; n <= 2; ++n) Do(Renew(n, "joe", 5000));
  EXPECT_NE(Do(Lapse(first, 3, 901'000)).callback, nullptr);
  const Completion moved = Do(Lapse(second, 4, 5100));
  EXPECT_EQ(KeyOf(*moved.timer), (Key{{6000}, 2}));
  EXPECT_EQ(rig_.LiveIds(), (Ids{2, 3}));
}

TEST_P(StoreStreams, AHeartbeatThatComesTooLateEndsTheLeaseForEveryClock) {
  for (uint64_t n = 1; n <= 2; ++n) StartOne(n, "joe", 5000);
  StreamStart quiet = StartNo(3, "joe", 5000);
  quiet.on_expire.clear();
  Do(Start(quiet));
  EXPECT_EQ(Do(Renew(1, "joe", 6000)).result, OpResult::kGone);
  EXPECT_EQ(Do(Renew(3, "joe", 6000)).stream->deadlines, Ids{3});
  rig_.Reopen();
  EXPECT_EQ(Do(Renew(1, "joe", 5500)).result, OpResult::kGone);
  EXPECT_EQ(Do(Renew(3, "joe", 5500)).result, OpResult::kGone);
  EXPECT_EQ(ActiveOf("joe", 5500), Streams{StreamNo(2)});
  // It is told all the same.
  EXPECT_NE(Lapsed(1, 4, 6001).callback, nullptr);
}

TEST_P(StoreStreams, ARenewalNeverRevives) {
  StartOne(1, "joe", 5000);
  EXPECT_EQ(Do(Renew(1, "joe", 6000)).result, OpResult::kGone);
  EXPECT_EQ(Do(Renew(2, "joe", 5000)).result, OpResult::kGone);
  EXPECT_EQ(Do(Renew(1, "jane", 5000)).result, OpResult::kGone);
  EXPECT_EQ(Do(End(1, "joe", 5500)).result, OpResult::kDone);
  EXPECT_EQ(Do(Renew(1, "joe", 5500)).result, OpResult::kGone);
  EXPECT_TRUE(ActiveOf("joe", 5500).empty());
}

TEST_P(StoreStreams, AnEndFreesOneSlotHoweverOftenItIsAskedFor) {
  for (uint64_t n = 1; n <= 3; ++n) StartOne(n, "joe", 5000);
  const Completion done = Do(End(2, "joe", 5100));
  EXPECT_EQ(done.result, OpResult::kDone);
  EXPECT_EQ(done.stream->deadlines, Ids{2});
  EXPECT_EQ(Do(End(2, "joe", 5100)).result, OpResult::kDone);
  EXPECT_EQ(Do(End(9, "joe", 5100)).result, OpResult::kDone);
  EXPECT_EQ(Do(End(2, "jane", 5100)).result, OpResult::kGone);
  EXPECT_EQ(StartOne(4, "joe", 5100).result, OpResult::kDone);
  EXPECT_EQ(StartOne(5, "joe", 5100).result, OpResult::kFull);
  EXPECT_EQ(rig_.LiveIds(), (Ids{1, 3, 4}));
}

TEST_P(StoreStreams, LastOnlineIsWhenTheLastOneEnded) {
  EXPECT_EQ(Do(PutUserOp{kLocalTenant, "joe", {}}).result, OpResult::kDone);
  EXPECT_EQ(Find("joe", 5000)->last_online.ms, 0);
  StartOne(1, "joe", 5000);
  Do(End(1, "joe", 5300));
  EXPECT_EQ(Find("joe", 5400)->last_online.ms, 5300);
}

TEST_P(StoreStreams, ADeadlineThatIsMetTellsOfTheLapseInTheSameBatch) {
  StartOne(1, "joe", 5000);
  const Timer deadline = DeadlineOf(1);
  const Completion done = Do(Lapse(deadline, 2, 6001));
  EXPECT_EQ(done.result, OpResult::kDone);
  EXPECT_EQ(done.id, 1u);
  EXPECT_EQ(done.timer, nullptr);
  ASSERT_NE(done.callback, nullptr);
  Lease lease;
  lease.content = "c1";
  lease.expires_at = {6000};
  EXPECT_EQ(done.callback->id, 2u);
  EXPECT_EQ(done.callback->tenant, kLocalTenant);
  EXPECT_EQ(done.callback->kind, TimerKind::kWebhook);
  EXPECT_EQ(done.callback->url, "http://127.0.0.1:9000/expired");
  EXPECT_EQ(done.callback->due.ms, 6001);
  EXPECT_TRUE(done.callback->append_id);
  EXPECT_EQ(done.callback->body, ExpiryBody("joe", StreamNo(1), lease));
  EXPECT_EQ(rig_.LiveIds(), Ids{2});
  EXPECT_EQ(rig_.CountIn(TimerState::kPending), 1u);
  EXPECT_EQ(Find("joe", 6001)->last_online.ms, 6000);
  // Once: the deadline is gone.
  EXPECT_EQ(Do(Lapse(deadline, 3, 6002)).result, OpResult::kGone);
  EXPECT_EQ(rig_.LiveIds(), Ids{2});
}

TEST_P(StoreStreams, WithoutAUrlALapseTellsNobody) {
  StreamStart start = StartNo(1, "joe", 5000);
  start.on_expire.clear();
  Do(Start(start));
  EXPECT_EQ(Lapsed(1, 2, 6000).callback, nullptr);
  EXPECT_TRUE(rig_.LiveIds().empty());
  EXPECT_EQ(rig_.Count(), 0u);
}

TEST_P(StoreStreams, ADeadlineMovesWithALeaseThatWasRenewed) {
  StartOne(1, "joe", 5000);
  Do(Renew(1, "joe", 5900));
  const Completion moved = Lapsed(1, 2, 6000);
  EXPECT_EQ(moved.result, OpResult::kDone);
  EXPECT_EQ(moved.callback, nullptr);
  ASSERT_NE(moved.timer, nullptr);
  EXPECT_EQ(KeyOf(*moved.timer), (Key{{6900}, 1}));
  EXPECT_EQ(DeadlineOf(1), *moved.timer);
  rig_.Reopen();
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
  EXPECT_NE(Lapsed(1, 3, 6900).callback, nullptr);
}

TEST_P(StoreStreams, AStartCountsOutWhatHasLapsedAndItsCallStillComes) {
  for (uint64_t n = 1; n <= 3; ++n) StartOne(n, "joe", 5000);
  Do(Renew(2, "joe", 5500));
  const Timer deadline = DeadlineOf(1);
  const Completion done = StartOne(4, "joe", 6000);
  EXPECT_EQ(done.result, OpResult::kDone);
  EXPECT_EQ(ActiveOf("joe", 6000), (Streams{StreamNo(2), StreamNo(4)}));
  EXPECT_TRUE(done.stream->deadlines.empty());
  // A heartbeat and an end come too late for it.
  EXPECT_EQ(Do(Renew(1, "joe", 5999)).result, OpResult::kGone);
  EXPECT_EQ(Do(End(1, "joe", 5999)).result, OpResult::kDone);
  EXPECT_NE(Do(Lapse(deadline, 5, 6000)).callback, nullptr);
  EXPECT_NE(Lapsed(3, 6, 6000).callback, nullptr);
  EXPECT_EQ(rig_.LiveIds(), (Ids{2, 5, 6, 4}));
  EXPECT_EQ(ActiveOf("joe", 6000), (Streams{StreamNo(2), StreamNo(4)}));
}

TEST_P(StoreStreams, WhatLapsedWithoutAUrlIsCountedOutWithItsDeadline) {
  StreamStart start = StartNo(1, "joe", 5000, 1);
  start.on_expire.clear();
  Do(Start(start));
  EXPECT_EQ(StartOne(2, "joe", 6000, 1).stream->deadlines, Ids{1});
  EXPECT_EQ(rig_.LiveIds(), Ids{2});
}

TEST_P(StoreStreams, AnEndAfterTheExpiryIsALapse) {
  StartOne(1, "joe", 5000);
  const Timer deadline = DeadlineOf(1);
  EXPECT_EQ(Do(End(1, "joe", 6000)).result, OpResult::kDone);
  EXPECT_TRUE(ActiveOf("joe", 5500).empty());
  EXPECT_EQ(Find("joe", 7000)->last_online.ms, 6000);
  EXPECT_NE(Do(Lapse(deadline, 2, 6001)).callback, nullptr);
}

TEST_P(StoreStreams, AUserGoesWithTheirStreams) {
  for (uint64_t n = 1; n <= 2; ++n) StartOne(n, "joe", 5000);
  Do(Renew(2, "joe", 5500));
  const Timer deadline = DeadlineOf(1);
  EXPECT_EQ(Do(DeleteUserOp{kLocalTenant, "joe", {6000}}).stream->deadlines, Ids{2});
  EXPECT_FALSE(Find("joe", 6000));
  EXPECT_EQ(Do(DeleteUserOp{kLocalTenant, "joe", {6000}}).result, OpResult::kGone);
  EXPECT_EQ(Do(Renew(2, "joe", 6000)).result, OpResult::kGone);
  // What had lapsed tells of it; a new user of the name has nothing to do with it.
  EXPECT_EQ(StartOne(3, "joe", 6000, 1).result, OpResult::kDone);
  EXPECT_NE(Do(Lapse(deadline, 4, 6000)).callback, nullptr);
  EXPECT_EQ(ActiveOf("joe", 6000), Streams{StreamNo(3)});
}

TEST_P(StoreStreams, DeletingAllTimersLeavesLeasesAlone) {
  StartOne(1, "joe", 5000);
  rig_.Apply(Put(PendingTimer(2, 9000)));
  rig_.Apply(FloorOp{kLocalTenant, 2});
  rig_.Compact();
  rig_.Reopen();
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
  EXPECT_NE(Lapsed(1, 3, 6000).callback, nullptr);
  EXPECT_EQ(rig_.LiveIds(), Ids{3});
}

TEST_P(StoreStreams, NoClientSeesADeadline) {
  StartOne(1, "joe", 5000);
  EXPECT_FALSE(rig_.Find(1));
  EXPECT_EQ(rig_.Count(), 0u);
  EXPECT_TRUE(rig_.List({}).timers.empty());
  EXPECT_EQ(rig_.Apply(Erase(1, 5100))[0].result, OpResult::kGone);
  EXPECT_EQ(rig_.LiveIds(), Ids{1});
}

TEST_P(StoreStreams, UsersAreListedByNameInPages) {
  for (const char* name : {"b", "a", "ab", "\xc3\xa9", "a b"}) {
    Do(PutUserOp{kLocalTenant, name, {}});
  }
  Do(PutUserOp{2, "other", {}});
  StartOne(1, "ab", 5000);
  const auto page = [&](std::string after, int limit) {
    QueryResult r = rig_.Run({1, UsersQuery{kLocalTenant, std::move(after), limit, {5000}}, {}});
    return std::move(std::get<UserPage>(r.what));
  };
  const auto names = [](const UserPage& p) {
    std::vector<std::string> out;
    for (const UserView& user : p.users) out.push_back(user.user);
    return out;
  };
  const UserPage all = page("", 100);
  EXPECT_EQ(names(all), (std::vector<std::string>{"a", "a b", "ab", "b", "\xc3\xa9"}));
  EXPECT_EQ(all.next_after, std::nullopt);
  EXPECT_EQ(all.users[2].streams.size(), 1u);
  const UserPage first = page("", 2);
  EXPECT_EQ(names(first), (std::vector<std::string>{"a", "a b"}));
  EXPECT_EQ(first.next_after, "a b");
  EXPECT_EQ(names(page("a b", 2)), (std::vector<std::string>{"ab", "b"}));
  EXPECT_TRUE(page("\xc3\xa9", 2).users.empty());
}

// Streams that have lapsed are looked at, too.
TEST_P(StoreStreams, APageOfUsersEndsAfterSoMuchWork) {
  constexpr uint32_t kEach = 20;
  const uint64_t users = 2 + kPageExaminedMax / (1 + kEach);
  uint64_t n = 0;
  for (uint64_t user = 0; user < users; ++user) {
    std::vector<Op> group;
    for (uint32_t i = 0; i < kEach; ++i, ++n) {
      const std::string name = "u" + std::to_string(100 + user);
      group.push_back({0, Start(StartNo(n + 1, name, 5000, kEach))});
    }
    rig_.ApplyGroup(std::move(group));
  }
  std::atomic<bool> stop = false;
  Query query{1, UsersQuery{kLocalTenant, "", 1000, {9000}}, {}, &stop};
  const auto page = std::get<UserPage>(rig_.Run(query).what);
  EXPECT_EQ(page.users.size(), users - 1);
  EXPECT_EQ(page.next_after, page.users.back().user);
  stop = true;
  EXPECT_EQ(rig_.store().Run(query).status.code(), StatusCode::kUnavailable);
}

TEST_P(StoreStreams, APageOfUsersIsBoundedInBytes) {
  const std::string content(kStreamContentBytesMax, 'c');
  constexpr uint32_t kEach = 64;
  const uint64_t users = 2 + kPageBytesMax / (kEach * kStreamContentBytesMax);
  uint64_t n = 0;
  for (uint64_t user = 0; user < users; ++user) {
    std::vector<Op> group;
    for (uint32_t i = 0; i < kEach; ++i, ++n) {
      StreamStart start = StartNo(n + 1, "u" + std::to_string(100 + user), 5000, kEach);
      start.content = content;
      group.push_back({0, Start(std::move(start))});
    }
    rig_.ApplyGroup(std::move(group));
  }
  const Query query{1, UsersQuery{kLocalTenant, "", 1000, {5000}}, {}};
  const auto page = std::get<UserPage>(rig_.Run(query).what);
  EXPECT_LT(page.users.size(), users);
  EXPECT_EQ(page.next_after, page.users.back().user);
}

TEST_P(StoreStreams, AnIdOrAStreamGivenTwiceFailsTheStore) {
  StartOne(2, "joe", 5000);
  for (const uint64_t deadline : {2u, 3u}) {
    StreamStart start = StartNo(2, "joe", 5000);
    start.deadline = deadline;
    std::vector<Op> ops;
    ops.push_back({0, Start(start)});
    std::vector<Completion> done;
    EXPECT_EQ(rig_.store().Apply(std::move(ops), &done).code(), StatusCode::kInvalid);
    rig_.Reopen();
  }
}

TEST(StoreStreamsCost, ARenewalWritesTheLeaseAndNothingElse) {
  auto owned = std::make_unique<WatchedKv>(std::make_shared<MemoryDisk>());
  WatchedKv* const kv = owned.get();
  auto ledger = Ledger::Open(std::move(owned), kTestStoreId);
  ASSERT_TRUE(ledger.ok());
  const auto apply = [&](std::vector<Op> ops) {
    std::vector<Completion> done;
    ASSERT_TRUE((*ledger)->Apply(std::move(ops), &done).ok());
  };
  std::vector<Op> starts;
  for (uint64_t n = 1; n <= 3; ++n) starts.push_back({0, Start(StartNo(n, "joe", 5000))});
  apply(std::move(starts));
  std::vector<std::pair<Cf, std::string>> written;
  kv->watch.commit = [&](const Batch& batch) {
    for (size_t i = 0; i < batch.size(); ++i) {
      written.emplace_back(batch.at(i).cf, batch.at(i).key);
    }
  };
  std::vector<Op> renewals;
  for (uint64_t n = 1; n <= 3; ++n) renewals.push_back({0, Renew(n, "joe", 5500)});
  apply(std::move(renewals));
  ASSERT_EQ(written.size(), 4u);
  for (uint64_t n = 1; n <= 3; ++n) {
    EXPECT_EQ(written[n - 1].first, Cf::kStream);
    EXPECT_EQ(written[n - 1].second,
              StreamKey(StreamRow::kLease, kLocalTenant, "joe", StreamNo(n)));
  }
  // Of the batch, not of a renewal.
  EXPECT_EQ(written[3].second, std::string_view(MetaKey(MetaKind::kCommitNo)));
}

TEST_P(StoreStreams, APageOfDeadlinesPassesOverTimers) {
  Timer large = PendingTimer(5, 2000);
  large.body.assign(500, 'b');
  rig_.Apply(Put(PendingTimer(1, 1500)), Start(StartNo(2, "joe", 1000)), Put(PendingTimer(3, 2000)),
             Start(StartNo(4, "ann", 1000)), Put(large), Start(StartNo(6, "joe", 3000)));
  LoadOp load{1, {}, 100, 1 << 20};
  load.reader = Reader::kLeases;
  load.leases_only = true;
  load.end = {{3500}, 0};
  LoadedPage page = std::move(rig_.Apply(load)[0].page);
  EXPECT_EQ(page.reader, Reader::kLeases);
  EXPECT_EQ(IdsOf(page), (Ids{2, 4}));
  EXPECT_TRUE(page.left.empty());
  EXPECT_TRUE(page.ended);
  // Timers that are passed over take no room of the page.
  load.rows_max = 1;
  page = std::move(rig_.Apply(load)[0].page);
  EXPECT_EQ(IdsOf(page), Ids{2});
  EXPECT_EQ(page.last_examined, (Key{{2000}, 2}));
  EXPECT_FALSE(page.ended);
}

TEST_P(StoreStreams, APageOfDeadlinesEndsWhenItHasPassedOverVeryMany) {
  std::vector<Op> group;
  for (TimerId id = 1; id <= kNotLeasesMax + 1; ++id)
    group.push_back({0, Put(PendingTimer(id, 1000))});
  rig_.ApplyGroup(std::move(group));
  StartOne(kNotLeasesMax + 2, "joe", 1000);
  LoadOp load{1, {}, 100, 1 << 20};
  load.leases_only = true;
  LoadedPage page = std::move(rig_.Apply(load)[0].page);
  EXPECT_TRUE(page.timers.empty());
  EXPECT_FALSE(page.ended);
  EXPECT_EQ(page.last_examined, (Key{{1000}, kNotLeasesMax}));
  load.after = page.last_examined;
  page = std::move(rig_.Apply(load)[0].page);
  EXPECT_EQ(IdsOf(page), Ids{kNotLeasesMax + 2});
  EXPECT_TRUE(page.ended);
}

}  // namespace
}  // namespace belfry
