// Any mixture of ops on timers that come and go between `due` and `parked`, with commits that fail:
// every prefix of batches is a whole store, and it holds what the ops say.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "storage/memory_kv.h"
#include "storage/salvage.h"
#include "tests/support/store_rig.h"

namespace belfry {
namespace {

// What is alive, and where: the name of the target it is parked under, "": not parked.
struct Alive {
  Key key;
  std::string target;
  friend bool operator==(const Alive&, const Alive&) = default;
};
using Model = std::map<TimerId, Alive>;

struct Group {
  std::vector<Op> ops;
  std::vector<Model> after;  // each op
  size_t first_batch = 0;    // the last op in it
};

class RandomRun {
 public:
  explicit RandomRun(uint64_t seed) : random_(seed) { Open(); }

  void Run(int groups) {
    for (int i = 0; i < groups && !testing::Test::HasFailure(); ++i) {
      ApplyOne(OneIn(10));
      if (OneIn(4)) RaiseLow();
      if (OneIn(8)) CHECK(kv_->Compact().ok());
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
    numbers_.clear();
    for (const ParkedTarget& target : ledger_->opened().parked_targets) {
      numbers_[target.name] = target.number;
      greatest_number_ = std::max(greatest_number_, target.number);
      for (const auto& [id, alive] : model_) {
        EXPECT_TRUE(alive.target != target.name || alive.key >= target.low) << id;
      }
    }
  }
  std::vector<Completion> Apply(std::vector<Op> ops) {
    std::vector<Completion> done;
    const Status s = ledger_->Apply(std::move(ops), &done);
    EXPECT_TRUE(s.ok()) << s.message();
    return done;
  }

  // When it fails, its first batch may be there afterwards, and nothing else is.
  void ApplyOne(bool fail) {
    Group group = MakeGroup();
    if (!fail) {
      const auto done = Apply(std::move(group.ops));
      model_ = group.after.back();
      return Learn(done);
    }
    const bool applied = OneIn(2);
    disk_->FailCommit(1, applied);
    std::vector<Completion> done;
    EXPECT_FALSE(ledger_->Apply(std::move(group.ops), &done).ok());
    EXPECT_TRUE(done.empty());
    if (applied) model_ = group.after[group.first_batch];
    Open();
  }
  Group MakeGroup() {
    Group group;
    Model model = model_;
    const uint64_t size = 1 + Random(12);
    for (uint64_t i = 0; i < size; ++i) {
      group.ops.push_back(MakeOp(&model));
      group.after.push_back(model);
      const bool floor = std::holds_alternative<FloorOp>(group.ops.back().what);
      if (floor && group.first_batch == 0) group.first_batch = i;
    }
    if (!std::holds_alternative<FloorOp>(group.ops[group.first_batch].what)) {
      group.first_batch = size - 1;
    }
    return group;
  }
  Op MakeOp(Model* model) {
    if (model->empty() || OneIn(4)) {
      const Timer timer = PendingTimer(++last_id_, RandomMs());
      (*model)[timer.id] = {KeyOf(timer), ""};
      return {0, Put(timer)};
    }
    if (OneIn(100)) {
      model->clear();
      return {0, FloorOp{kLocalTenant, last_id_}};
    }
    auto it = model->begin();
    std::advance(it, Random(model->size()));
    const Key from = it->second.key;
    Timer timer = PendingTimer(from.id, 1);
    timer.next_attempt = from.at;
    switch (Random(10)) {
      case 0:
        model->erase(it);
        return {0, Settle(timer, OneIn(2) ? TimerState::kDelivered : TimerState::kDead, 100)};
      case 1:
        model->erase(it);
        return {0, Erase(from.id, 100)};
      case 2:
      case 3:
        if (OneIn(2)) timer.next_attempt = {RandomMs()};
        it->second = {KeyOf(timer), ""};
        return {0, RetryOp{from, Own(timer)}};
      default:
        if (OneIn(3)) timer.next_attempt = {RandomMs()};
        it->second = {KeyOf(timer), std::string(1, static_cast<char>('a' + Random(3)))};
        return {0, ParkOp{from, Own(timer), it->second.target}};
    }
  }
  void Learn(const std::vector<Completion>& done) {
    for (const Completion& c : done) {
      if (c.kind != kOpKind<ParkOp>) continue;
      EXPECT_EQ(c.result, OpResult::kDone);
      const auto [known, fresh] = numbers_.emplace(c.target_name, c.target);
      EXPECT_EQ(known->second, c.target);
      EXPECT_TRUE(!fresh || c.target > greatest_number_) << c.target;
      greatest_number_ = std::max(greatest_number_, c.target);
    }
  }
  // The first live key of the target; nullopt: nothing is parked there.
  [[nodiscard]] std::optional<Key> FirstOf(const std::string& target) const {
    std::optional<Key> first;
    for (const auto& [id, alive] : model_) {
      if (alive.target == target) first = std::min(first.value_or(kKeyMax), alive.key);
    }
    return first;
  }
  // As far as it may be, for one target.
  void RaiseLow() {
    if (numbers_.empty()) return;
    auto it = numbers_.begin();
    std::advance(it, Random(numbers_.size()));
    const std::optional<Key> low = FirstOf(it->first);
    std::vector<Op> ops;
    ops.push_back({0, LoadParkedOp{it->second, 0, {}, low.value_or(Key{}), 1000, 1 << 20}});
    const auto done = Apply(std::move(ops));
    EXPECT_EQ(done.at(0).target_ended, !low);
    if (!low) numbers_.erase(it);
  }
  // Every page of `due` and of each target, and what --accept-data-loss would find wrong.
  void Compare() {
    if (testing::Test::HasFailure()) return;
    std::vector<Op> ops;
    ops.push_back({0, LoadOp{0, {}, 10'000, 1 << 30}});
    for (const auto& [name, number] : numbers_) {
      ops.push_back({0, LoadParkedOp{number, 0, {}, {}, 10'000, 1 << 30}});
    }
    const auto done = Apply(std::move(ops));
    Model stored;
    const auto take = [&](const LoadedPage& page, const std::string& target) {
      Key last;
      for (const TimerPtr& timer : page.timers) {
        EXPECT_LT(last, KeyOf(*timer));
        last = KeyOf(*timer);
        EXPECT_TRUE(stored.emplace(timer->id, Alive{last, target}).second) << timer->id;
      }
    };
    take(done.at(0).page, "");
    size_t i = 0;
    for (auto it = numbers_.begin(); it != numbers_.end();) {
      take(done.at(++i).page, it->first);
      it = done[i].target_ended ? numbers_.erase(it) : std::next(it);
    }
    EXPECT_EQ(stored, model_);
    const Status whole = CheckWhole(*kv_);
    EXPECT_TRUE(whole.ok()) << whole.message();
  }

  uint64_t Random(uint64_t below) { return random_() % below; }
  bool OneIn(uint64_t n) { return Random(n) == 0; }
  int64_t RandomMs() { return 1 + static_cast<int64_t>(Random(50)); }

  std::mt19937_64 random_;
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<Ledger> ledger_;
  MemoryKv* kv_ = nullptr;  // of ledger_
  Model model_;
  std::map<std::string, TargetNumber> numbers_;  // as told, of those that did not end
  TargetNumber greatest_number_ = 0;
  TimerId last_id_ = 0;
};

TEST(StoreParkedRandom, EveryPrefixOfBatchesIsAWholeStore) {
  for (uint64_t seed = 1; seed <= 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    RandomRun(seed).Run(60);
  }
}

}  // namespace
}  // namespace belfry
