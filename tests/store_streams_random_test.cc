// Any mixture of ops on users and streams, under a clock that jumps, with commits that fail: the
// store holds what a few lines of rules say (sim/stream_model.h), and every prefix of batches is a
// whole store.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "storage/memory_kv.h"
#include "storage/salvage.h"
#include "tests/sim/stream_model.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_streams.h"

namespace belfry {
namespace {

using sim::StreamModel;
using Name = StreamModel::Name;

// As it has to be.
struct State {
  StreamModel model;
  std::map<TimerId, StreamId> calls;  // that were made, and whose lapse each tells
};

struct Wanted {
  OpResult result;
  StreamModel::Answer answer;
};

class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : random_(seed) { Open(); }

  void Run(int groups) {
    for (int i = 0; i < groups && !testing::Test::HasFailure(); ++i) {
      now_ms_ += static_cast<int64_t>(Random(600));
      if (OneIn(12)) now_ms_ = std::max<int64_t>(1, now_ms_ - static_cast<int64_t>(Random(3000)));
      ApplyOne(OneIn(10));
      if (OneIn(6)) Open();
      Compare();
    }
  }

 private:
  void Open() {
    auto kv = std::make_unique<MemoryKv>(disk_);
    kv_ = kv.get();
    auto ledger = Ledger::Open(std::move(kv), kTestStoreId);
    ASSERT_TRUE(ledger.ok()) << ledger.status().message();
    ledger_ = std::move(*ledger);
  }

  void ApplyOne(bool fail) {
    State state = state_;
    std::vector<Op> ops;
    std::vector<Wanted> wanted;
    for (uint64_t i = 0, size = 1 + Random(10); i < size; ++i) {
      ops.push_back(MakeOp(state.model));
      const OpResult result = state.model.Do(ops.back());
      wanted.push_back({result, state.model.answer()});
      if (const auto& told = state.model.told()) {
        state.calls[std::get<LapseStreamOp>(ops.back().what).callback] = told->id;
      }
    }
    ops.push_back({0, MarkOp{{}, {1}}});  // so that there is a batch to fail
    const bool applied = OneIn(2);
    if (fail) disk_->FailCommit(1, applied);
    std::vector<Completion> done;
    const Status s = ledger_->Apply(std::move(ops), &done);
    if (s.ok()) {
      state_ = std::move(state);
      return CheckDone(done, wanted);
    }
    EXPECT_TRUE(fail) << s.message();
    EXPECT_TRUE(done.empty());
    if (applied) state_ = std::move(state);
    Open();
  }

  static void CheckDone(const std::vector<Completion>& done, const std::vector<Wanted>& wanted) {
    ASSERT_EQ(done.size(), wanted.size() + 1);
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(done[i].result, wanted[i].result) << i;
      if (!done[i].stream) continue;
      EXPECT_TRUE(StreamModel::AnswerOf(*done[i].stream) == wanted[i].answer) << i;
    }
  }

  Op MakeOp(const StreamModel& model) {
    const Name user{1 + Random(2), std::string(1, static_cast<char>('a' + Random(3)))};
    switch (Random(16)) {
      case 0: {
        std::optional<uint32_t> limit;
        if (OneIn(2)) limit = 1 + Random(4);
        return {0, PutUserOp{user.first, user.second, limit}};
      }
      case 1:
        return {0, DeleteUserOp{user.first, user.second, {now_ms_}}};
      case 2:
      case 3:
      case 4:
        return {0, End(AnyStream(model), user.second, now_ms_, user.first)};
      case 5:
      case 6:
      case 7: {
        const uint64_t n = AnyStream(model);
        const Name whose = WhoseIs(n);
        return {0, Renew(n, whose.second, now_ms_, whose.first)};
      }
      case 8:
      case 9:
      case 10:
        return MakeLapse(model);
      default:
        return MakeStart(user);
    }
  }

  Op MakeStart(const Name& user) {
    const auto limit = static_cast<uint32_t>(1 + Random(3));
    StreamStart start = StartNo(++last_id_, user.second, now_ms_, limit, user.first);
    start.require_user = OneIn(6);
    start.evict_oldest = OneIn(4);
    start.ttl_ms = 1 + static_cast<int64_t>(Random(2000));
    if (OneIn(2)) start.on_expire.clear();
    users_[last_id_] = user;
    return {0, Start(start)};
  }

  // Any deadline, met or not, moved or not: the op looks for itself.
  Op MakeLapse(const StreamModel& model) {
    const uint64_t n = std::max<uint64_t>(AnyStream(model), 1);
    Timer deadline = PendingTimer(n, 1);
    deadline.tenant = kLeaseTenant;
    deadline.kind = TimerKind::kLease;
    deadline.url.clear();
    const Name user = WhoseIs(n);
    deadline.body = StreamKey(StreamRow::kLease, user.first, user.second, StreamNo(n));
    const auto found = model.leases().find(n);
    if (found != model.leases().end() && !OneIn(4)) {
      deadline.due = deadline.next_attempt = found->second.due;
    }
    return {0, Lapse(deadline, ++last_id_, now_ms_)};
  }

  [[nodiscard]] Name WhoseIs(uint64_t n) const {
    const auto found = users_.find(n);
    return found != users_.end() ? found->second : Name{1, "a"};
  }

  uint64_t AnyStream(const StreamModel& model) {
    if (model.leases().empty() || OneIn(5)) return Random(last_id_ + 1);
    auto it = model.leases().begin();
    std::advance(it, Random(model.leases().size()));
    return it->first;
  }

  void Compare() {
    if (testing::Test::HasFailure()) return;
    std::vector<Op> ops;
    ops.push_back({0, LoadOp{0, {}, 100'000, 1 << 30}});
    std::vector<Completion> done;
    ASSERT_TRUE(ledger_->Apply(std::move(ops), &done).ok());
    std::map<TimerId, int64_t> deadlines;
    std::map<TimerId, int64_t> wanted;
    size_t calls = 0;
    for (const TimerPtr& timer : done[0].page.timers) {
      if (timer->kind == TimerKind::kLease) {
        deadlines[timer->id] = timer->next_attempt.ms;
        continue;
      }
      ++calls;
      EXPECT_NE(timer->body.find(FormatUuid(state_.calls.at(timer->id))), std::string::npos);
    }
    for (const auto& [n, lease] : state_.model.leases()) wanted[n] = lease.due.ms;
    EXPECT_EQ(deadlines, wanted);
    EXPECT_EQ(calls, state_.calls.size());
    for (const TenantId tenant : {1u, 2u}) CompareUsers(tenant);
    const Status whole = CheckWhole(*kv_);
    EXPECT_TRUE(whole.ok()) << whole.message();
  }

  void CompareUsers(TenantId tenant) {
    const QueryResult read = ledger_->Run({1, UsersQuery{tenant, "", 100, {now_ms_}}, {}});
    ASSERT_TRUE(read.status.ok()) << read.status.message();
    size_t shown = 0;
    for (const UserView& view : std::get<UserPage>(read.what).users) {
      ++shown;
      const Name name{tenant, view.user};
      const auto user = state_.model.users().find(name);
      ASSERT_NE(user, state_.model.users().end()) << view.user;
      EXPECT_EQ(view.limit, user->second.limit);
      std::vector<StreamId> streams;
      for (const StreamView& stream : view.streams) streams.push_back(stream.id);
      EXPECT_EQ(streams, state_.model.Alive(name, {now_ms_}));
      WallMs last = user->second.last_online;
      for (const TimerId id : state_.model.Named(name)) {
        const WallMs expires_at = state_.model.leases().at(id).expires_at;
        if (expires_at.ms <= now_ms_) last = std::max(last, expires_at);
      }
      EXPECT_EQ(view.last_online.ms, last.ms);
    }
    EXPECT_EQ(shown, std::count_if(state_.model.users().begin(), state_.model.users().end(),
                                   [&](const auto& user) { return user.first.first == tenant; }));
  }

  uint64_t Random(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }

  std::mt19937_64 random_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Ledger> ledger_;
  MemoryKv* kv_ = nullptr;  // of ledger_
  State state_;
  std::map<uint64_t, Name> users_;  // of the streams that were ever asked for
  TimerId last_id_ = 0;
  int64_t now_ms_ = 10'000;
};

TEST(StoreStreamsRandom, TheStoreHoldsWhatTheRulesSay) {
  for (uint64_t seed = 1; seed <= 150 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    RandomRun(seed).Run(120);
  }
}

}  // namespace
}  // namespace belfry
