// Any mixture of ops on users and streams, under a clock that jumps, with commits that fail: the
// store holds what a few lines of rules say, and every prefix of batches is a whole store.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "storage/memory_kv.h"
#include "storage/salvage.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_streams.h"

namespace belfry {
namespace {

using Name = std::pair<TenantId, std::string>;

struct ModelLease {
  Name user;
  int64_t expires_ms = 0;
  bool calls = false;
  bool named = true;   // counts against the limit
  int64_t due_ms = 0;  // of its deadline
  friend bool operator==(const ModelLease&, const ModelLease&) = default;
};

struct Model {
  std::map<Name, std::optional<uint32_t>> users;
  std::map<uint64_t, ModelLease> leases;  // whose deadline is there, by number
  std::map<uint64_t, uint64_t> calls;     // id -> of which lease
  friend bool operator==(const Model&, const Model&) = default;

  std::vector<uint64_t> Named(const Name& user) const {
    std::vector<uint64_t> out;
    for (const auto& [n, lease] : leases) {
      if (lease.named && lease.user == user) out.push_back(n);
    }
    return out;
  }
  // Its slot is free. If it has lapsed and is to tell of it, its deadline stays.
  void Over(uint64_t n, int64_t now_ms) {
    ModelLease& lease = leases.at(n);
    lease.named = false;
    if (now_ms < lease.expires_ms || !lease.calls) leases.erase(n);
  }
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
    Model model = model_;
    std::vector<Op> ops;
    std::vector<OpResult> wanted;
    for (uint64_t i = 0, size = 1 + Random(10); i < size; ++i) {
      ops.push_back(MakeOp(&model, &wanted));
    }
    ops.push_back({0, MarkOp{{}, {1}}});  // so that there is a batch to fail
    wanted.push_back(OpResult::kDone);
    const bool applied = OneIn(2);
    if (fail) disk_->FailCommit(1, applied);
    std::vector<Completion> done;
    const Status s = ledger_->Apply(std::move(ops), &done);
    if (s.ok()) {
      model_ = std::move(model);
      ASSERT_EQ(done.size(), wanted.size());
      for (size_t i = 0; i < done.size(); ++i) EXPECT_EQ(done[i].result, wanted[i]) << i;
      return;
    }
    EXPECT_TRUE(fail) << s.message();
    EXPECT_TRUE(done.empty());
    if (applied) model_ = std::move(model);
    Open();
  }

  Op MakeOp(Model* model, std::vector<OpResult>* wanted) {
    const Name user{1 + Random(2), std::string(1, static_cast<char>('a' + Random(3)))};
    const bool known = model->users.contains(user);
    OpResult result = known ? OpResult::kDone : OpResult::kGone;
    Op op;
    switch (Random(16)) {
      case 0: {
        std::optional<uint32_t> limit;
        if (OneIn(2)) limit = 1 + Random(4);
        op.what = PutUserOp{user.first, user.second, limit};
        result = known ? OpResult::kExists : OpResult::kDone;
        if (!known) model->users[user] = limit;
        break;
      }
      case 1:
        op.what = DeleteUserOp{user.first, user.second, {now_ms_}};
        for (const uint64_t n : model->Named(user)) model->Over(n, now_ms_);
        model->users.erase(user);
        break;
      case 2:
      case 3:
      case 4: {
        const uint64_t n = AnyStream(*model);
        op.what = End(n, user.second, now_ms_, user.first);
        const auto lease = model->leases.find(n);
        if (lease != model->leases.end() && lease->second.named && lease->second.user == user) {
          model->Over(n, now_ms_);
        }
        break;
      }
      case 5:
      case 6:
      case 7:
        return MakeRenewal(model, wanted);
      case 8:
      case 9:
      case 10:
        return MakeLapse(model, wanted);
      default:
        op.what = MakeStart(user, model, &result);
        break;
    }
    wanted->push_back(result);
    return op;
  }

  StartStreamOp MakeStart(const Name& user, Model* model, OpResult* result) {
    const auto limit = static_cast<uint32_t>(1 + Random(3));
    StreamStart start = StartNo(++last_id_, user.second, now_ms_, limit, user.first);
    start.require_user = OneIn(6);
    start.evict_oldest = OneIn(4);
    start.ttl_ms = 1 + static_cast<int64_t>(Random(2000));
    const bool calls = OneIn(2);
    if (!calls) start.on_expire.clear();
    const bool known = model->users.contains(user);
    if (!known && start.require_user) {
      *result = OpResult::kGone;
      return Start(start);
    }
    const uint32_t holds = model->users.try_emplace(user).first->second.value_or(limit);
    for (const uint64_t n : model->Named(user)) {
      if (model->leases.at(n).expires_ms <= now_ms_) model->Over(n, now_ms_);
    }
    std::vector<uint64_t> alive = model->Named(user);
    for (; start.evict_oldest && alive.size() >= holds; alive.erase(alive.begin())) {
      model->Over(alive.front(), now_ms_);
    }
    *result = alive.size() < holds ? OpResult::kDone : OpResult::kFull;
    if (alive.size() < holds) {
      const int64_t expires_ms = now_ms_ + start.ttl_ms;
      model->leases[last_id_] = {user, expires_ms, calls, true, expires_ms};
      ttls_[last_id_] = start.ttl_ms;
      users_[last_id_] = user;
    }
    return Start(start);
  }

  Op MakeRenewal(Model* model, std::vector<OpResult>* wanted) {
    const uint64_t n = AnyStream(*model);
    const Name user = users_.contains(n) ? users_.at(n) : Name{1, "a"};
    const auto lease = model->leases.find(n);
    const bool alive =
        lease != model->leases.end() && lease->second.named && lease->second.expires_ms > now_ms_;
    if (alive) {
      lease->second.expires_ms = std::max(lease->second.expires_ms, now_ms_ + ttls_.at(n));
    }
    wanted->push_back(alive ? OpResult::kDone : OpResult::kGone);
    return {0, Renew(n, user.second, now_ms_, user.first)};
  }

  // Any deadline, met or not: the op looks for itself.
  Op MakeLapse(Model* model, std::vector<OpResult>* wanted) {
    const uint64_t n = std::max<uint64_t>(AnyStream(*model), 1);
    const auto found = model->leases.find(n);
    Timer deadline = PendingTimer(n, 1);
    deadline.tenant = kLeaseTenant;
    deadline.kind = TimerKind::kLease;
    deadline.url.clear();
    const Name user = users_.contains(n) ? users_.at(n) : Name{1, "a"};
    deadline.body = StreamKey(StreamRow::kLease, user.first, user.second, StreamNo(n));
    wanted->push_back(found == model->leases.end() ? OpResult::kGone : OpResult::kDone);
    const TimerId callback = ++last_id_;
    if (found != model->leases.end()) {
      ModelLease& lease = found->second;
      deadline.due = deadline.next_attempt = {lease.due_ms};
      if (lease.named && lease.expires_ms > now_ms_) {
        lease.due_ms = lease.expires_ms;
      } else {
        if (lease.calls) model->calls[callback] = n;
        model->leases.erase(found);
      }
    }
    return {0, Lapse(deadline, callback, now_ms_)};
  }

  uint64_t AnyStream(const Model& model) {
    if (model.leases.empty() || OneIn(5)) return Random(last_id_ + 1);
    auto it = model.leases.begin();
    std::advance(it, Random(model.leases.size()));
    return it->first;
  }

  void Compare() {
    if (testing::Test::HasFailure()) return;
    std::vector<Op> ops;
    ops.push_back({0, LoadOp{0, {}, 100'000, 1 << 30}});
    std::vector<Completion> done;
    ASSERT_TRUE(ledger_->Apply(std::move(ops), &done).ok());
    std::map<uint64_t, int64_t> deadlines;
    std::map<uint64_t, int64_t> wanted;
    std::set<uint64_t> calls;
    for (const TimerPtr& timer : done[0].page.timers) {
      if (timer->kind == TimerKind::kLease) {
        deadlines[timer->id] = timer->next_attempt.ms;
      } else {
        calls.insert(timer->id);
        EXPECT_NE(timer->body.find(FormatUuid(StreamNo(model_.calls.at(timer->id)))),
                  std::string::npos);
      }
    }
    for (const auto& [n, lease] : model_.leases) wanted[n] = lease.due_ms;
    EXPECT_EQ(deadlines, wanted);
    EXPECT_EQ(calls.size(), model_.calls.size());
    for (const TenantId tenant : {1u, 2u}) CompareUsers(tenant);
    const Status whole = CheckWhole(*kv_);
    EXPECT_TRUE(whole.ok()) << whole.message();
  }
  void CompareUsers(TenantId tenant) {
    const QueryResult read = ledger_->Run({1, UsersQuery{tenant, "", 100, {now_ms_}}, {}});
    ASSERT_TRUE(read.status.ok()) << read.status.message();
    std::map<Name, std::optional<uint32_t>> users;
    for (const UserView& view : std::get<UserPage>(read.what).users) {
      const Name name{tenant, view.user};
      users[name] = view.limit;
      std::vector<StreamId> alive;
      for (const uint64_t n : model_.Named(name)) {
        if (model_.leases.at(n).expires_ms > now_ms_) alive.push_back(StreamNo(n));
      }
      std::vector<StreamId> shown;
      for (const StreamView& stream : view.streams) shown.push_back(stream.id);
      EXPECT_EQ(shown, alive);
    }
    for (const auto& [name, limit] : model_.users) {
      if (name.first != tenant) continue;
      EXPECT_TRUE(users.contains(name) && users[name] == limit) << name.second;
    }
    EXPECT_EQ(users.size(), std::count_if(model_.users.begin(), model_.users.end(),
                                          [&](auto& u) { return u.first.first == tenant; }));
  }

  uint64_t Random(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }

  std::mt19937_64 random_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Ledger> ledger_;
  MemoryKv* kv_ = nullptr;  // of ledger_
  Model model_;
  std::map<uint64_t, int64_t> ttls_;
  std::map<uint64_t, Name> users_;
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
