// Users and streams out of what can be read of a damaged store.

#include <gtest/gtest.h>

#include "storage/memory_kv.h"
#include "storage/salvage.h"
#include "tests/support/store_rig.h"
#include "tests/support/store_streams.h"
#include "tests/support/store_watched_kv.h"

namespace belfry {
namespace {

constexpr char kUser[] = "joe";

class StoreSalvageStreams : public testing::Test {
 protected:
  static std::unique_ptr<Ledger> OpenLedger(const std::shared_ptr<MemoryDisk>& disk) {
    auto ledger = Ledger::Open(std::make_unique<MemoryKv>(disk), kTestStoreId);
    EXPECT_TRUE(ledger.ok()) << ledger.status().message();
    return std::move(*ledger);
  }
  static std::vector<Completion> Apply(Ledger& ledger, std::vector<Op> ops) {
    std::vector<Completion> done;
    const Status s = ledger.Apply(std::move(ops), &done);
    EXPECT_TRUE(s.ok()) << s.message();
    return done;
  }
  // joe has a limit of 5; streams 1 and 2 play, and 3 has lapsed and not told of it.
  void SetUp() override {
    std::vector<Op> ops;
    ops.push_back({0, PutUserOp{kLocalTenant, kUser, 5}});
    ops.push_back({0, Start(StartNo(1, kUser, 5000))});
    ops.push_back({0, Start(StartNo(3, kUser, 5000))});
    ops.push_back({0, Renew(1, kUser, 5900)});
    ops.push_back({0, Start(StartNo(4, kUser, 6000))});
    Apply(*OpenLedger(old_), std::move(ops));
    ASSERT_TRUE(CheckWhole(MemoryKv(old_)).ok());
  }
  static std::string Row(StreamRow row, uint64_t n) {
    return StreamKey(row, kLocalTenant, kUser, StreamNo(n));
  }
  static std::string UserRow() { return StreamKey(StreamRow::kUser, kLocalTenant, kUser); }
  std::unique_ptr<Ledger> Mend() {
    WatchedKv from(old_);
    MemoryKv to(new_);
    const auto result = Salvage(from, &to, [this](std::string_view line) { log_ += line; });
    EXPECT_TRUE(result.ok()) << result.status().message();
    const Status whole = CheckWhole(to);
    EXPECT_TRUE(whole.ok()) << whole.message();
    return OpenLedger(new_);
  }
  static std::optional<UserView> User(const Ledger& ledger) {
    QueryResult r = ledger.Run({1, UserQuery{kLocalTenant, kUser, {6100}}, {}});
    return std::move(std::get<std::optional<UserView>>(r.what));
  }
  static Timer Deadline(uint64_t n, int64_t at_ms) {
    Timer timer = PendingTimer(n, at_ms, kLeaseTenant);
    timer.kind = TimerKind::kLease;
    timer.url.clear();
    timer.body = Row(StreamRow::kLease, n);
    return timer;
  }

  std::shared_ptr<MemoryDisk> old_ = std::make_shared<MemoryDisk>();
  std::shared_ptr<MemoryDisk> new_ = std::make_shared<MemoryDisk>();
  std::string log_;
};

TEST_F(StoreSalvageStreams, AWholeStoreIsCopiedAsItIs) {
  const auto ledger = Mend();
  EXPECT_EQ(User(*ledger), User(*OpenLedger(old_)));
  EXPECT_EQ(User(*ledger)->streams.size(), 2u);
  EXPECT_EQ(new_->rows(Cf::kStream), old_->rows(Cf::kStream));
  EXPECT_EQ(log_, "");
  std::vector<Op> ops;
  ops.push_back({0, Lapse(Deadline(3, 6000), 9, 6100)});
  EXPECT_NE(Apply(*ledger, std::move(ops))[0].callback, nullptr);
}

TEST_F(StoreSalvageStreams, DamageAnywhereIsSeenByTheCheck) {
  const std::pair<Cf, std::string> rows[] = {
      {Cf::kStream, UserRow()},
      {Cf::kStream, Row(StreamRow::kLease, 1)},
      {Cf::kStream, Row(StreamRow::kLapsed, 3)},
      {Cf::kIds, std::string(IdKey(kLeaseTenant, 4))},
  };
  for (const auto& [cf, key] : rows) {
    const std::string value = *MemoryKv(old_).Get(cf, key).value();
    old_->Overwrite(cf, key, "damaged");
    EXPECT_EQ(CheckWhole(MemoryKv(old_)).code(), StatusCode::kCorruption);
    old_->Overwrite(cf, key, value);
  }
  EXPECT_TRUE(CheckWhole(MemoryKv(old_)).ok());
}

TEST_F(StoreSalvageStreams, AUserThatCannotBeReadIsMadeOfTheirLeases) {
  old_->Overwrite(Cf::kStream, UserRow(), "damaged");
  const auto user = User(*Mend());
  ASSERT_TRUE(user);
  EXPECT_EQ(user->limit, std::nullopt);
  ASSERT_EQ(user->streams.size(), 2u);
  EXPECT_EQ(user->streams[0].id, StreamNo(1));
  EXPECT_NE(log_.find("stream"), std::string::npos);
}

TEST_F(StoreSalvageStreams, ALeaseThatCannotBeReadFreesItsSlot) {
  old_->Overwrite(Cf::kStream, Row(StreamRow::kLease, 1), "damaged");
  const auto ledger = Mend();
  EXPECT_EQ(User(*ledger)->limit, 5u);
  EXPECT_EQ(User(*ledger)->streams.size(), 1u);
  // Its deadline finds nothing, and goes.
  std::vector<Op> ops;
  ops.push_back({0, Lapse(Deadline(1, 6000), 9, 6100)});
  const auto done = Apply(*ledger, std::move(ops));
  EXPECT_EQ(done[0].callback, nullptr);
  EXPECT_FALSE(MemoryKv(new_).Get(Cf::kIds, IdKey(kLeaseTenant, 1)).value().has_value());
}

TEST_F(StoreSalvageStreams, ALeaseWhoseDeadlineIsLostGoesWithIt) {
  old_->Overwrite(Cf::kIds, IdKey(kLeaseTenant, 4), "damaged");
  old_->Overwrite(Cf::kDue, TimeKey({{7000}, 4}), "damaged");
  const auto ledger = Mend();
  ASSERT_EQ(User(*ledger)->streams.size(), 1u);
  EXPECT_EQ(User(*ledger)->streams[0].id, StreamNo(1));
}

}  // namespace
}  // namespace belfry
