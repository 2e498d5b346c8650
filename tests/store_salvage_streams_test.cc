// Users and streams out of what can be read of a damaged store.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.h"
#include "storage/memory_kv.h"
#include "storage/salvage.h"
#include "storage/stream_rows.h"
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
    from.watch = watch_;
    MemoryKv to(new_);
    const auto result = Salvage(from, &to, [this](std::string_view line) { log_ += line; });
    EXPECT_TRUE(result.ok()) << result.status().message();
    if (result.ok()) report_ = *result;
    const Status whole = CheckWhole(to);
    EXPECT_TRUE(whole.ok()) << whole.message();
    return OpenLedger(new_);
  }
  static std::optional<UserView> User(const Ledger& ledger, const std::string& name = kUser) {
    const WallMs now{name == kUser ? 6100 : 5100};
    QueryResult r = ledger.Run({1, UserQuery{kLocalTenant, name, now}, {}});
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
  // As it was written at the start of StartNo(n), but for its end.
  void PutLease(StreamRow row, uint64_t n, int64_t expires_at_ms) {
    const StreamStart start = StartNo(n, kUser, 5000);
    const Lease lease{start.content, {5000}, {expires_at_ms}, start.ttl_ms, n, start.on_expire};
    old_->Overwrite(Cf::kStream, Row(row, n), EncodeLease(Row(row, n), lease));
  }
  [[nodiscard]] bool Has(Cf cf, std::string_view key) const {
    return MemoryKv(new_).Get(cf, key).value().has_value();
  }

  WatchedKv::Watch watch_;
  Salvaged report_;
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
  EXPECT_EQ(report_.users_made, 1u);
  EXPECT_NE(log_.find("the row of user joe cannot be read"), std::string::npos) << log_;
}

TEST_F(StoreSalvageStreams, ALeaseThatCannotBeReadFreesItsSlot) {
  old_->Overwrite(Cf::kStream, Row(StreamRow::kLease, 1), "damaged");
  const auto ledger = Mend();
  EXPECT_EQ(User(*ledger)->limit, 5u);
  EXPECT_EQ(User(*ledger)->streams.size(), 1u);
  EXPECT_EQ(report_.streams_lost, 1u);
  EXPECT_NE(log_.find("a stream of user joe is lost"), std::string::npos) << log_;
  // Its deadline finds nothing, and goes.
  std::vector<Op> ops;
  ops.push_back({0, Lapse(Deadline(1, 6000), 9, 6100)});
  const auto done = Apply(*ledger, std::move(ops));
  EXPECT_EQ(done[0].callback, nullptr);
  EXPECT_FALSE(MemoryKv(new_).Get(Cf::kIds, IdKey(kLeaseTenant, 1)).value().has_value());
}

// Who names it, the user or the deadline, is counted once.
TEST_F(StoreSalvageStreams, AStreamThatIsLostIsCountedWhoeverNamesIt) {
  old_->Overwrite(Cf::kStream, Row(StreamRow::kLease, 1), "damaged");
  old_->Overwrite(Cf::kStream, Row(StreamRow::kLapsed, 3), "damaged");
  Mend();
  EXPECT_EQ(report_.streams_lost, 2u);
  EXPECT_EQ(report_.streams, 1u);
  new_ = std::make_shared<MemoryDisk>();
  old_->Overwrite(Cf::kStream, UserRow(), "damaged");
  Mend();
  EXPECT_EQ(report_.streams_lost, 2u);
  EXPECT_EQ(report_.users_made, 1u);
}

// Only a deadline leads to them.
TEST_F(StoreSalvageStreams, AUserWhoseStreamsAreLostKeepsTheirLimit) {
  watch_.hidden = [&](Cf cf, std::string_view key) {
    return cf == Cf::kStream && key == UserRow();
  };
  for (const uint64_t n : {1, 4}) {
    old_->Overwrite(Cf::kStream, Row(StreamRow::kLease, n), "damaged");
  }
  for (const bool lapsed : {true, false}) {
    new_ = std::make_shared<MemoryDisk>();
    if (!lapsed) old_->Overwrite(Cf::kStream, Row(StreamRow::kLapsed, 3), "damaged");
    const auto user = User(*Mend());
    ASSERT_TRUE(user);
    EXPECT_EQ(user->limit, 5u);
    EXPECT_EQ(report_.streams_lost, lapsed ? 2u : 3u);
    EXPECT_EQ(report_.users_made, 0u);
  }
}

// Any of them, or all: with its deadlines, and without the one of stream 4.
TEST_F(StoreSalvageStreams, RowsThatScansPassOverAreAskedForByTheirKeys) {
  const std::string rows[] = {UserRow(), Row(StreamRow::kLease, 1), Row(StreamRow::kLease, 4),
                              Row(StreamRow::kLapsed, 3)};
  const auto before = User(*OpenLedger(old_));
  for (const bool deadlines : {true, false}) {
    for (unsigned mask = 0; mask < 16; ++mask) {
      SCOPED_TRACE(std::to_string(mask) + (deadlines ? "" : ", without a deadline"));
      new_ = std::make_shared<MemoryDisk>();
      log_.clear();
      watch_.hidden = [&](Cf cf, std::string_view key) {
        const auto row = std::find(std::begin(rows), std::end(rows), key);
        return cf == Cf::kStream && row != std::end(rows) && (mask >> (row - rows) & 1) != 0;
      };
      watch_.damaged = [&](Cf cf, std::string_view key) {
        if (deadlines || (cf != Cf::kDue && cf != Cf::kIds)) return false;
        return (cf == Cf::kDue ? ParseTimeKey(key)->id : ParseIdKey(key)->id) == 4;
      };
      const auto ledger = Mend();
      EXPECT_EQ(User(*ledger), before);
      EXPECT_EQ(report_.streams, 2u);
      EXPECT_EQ(report_.streams_lost, 0u) << log_;
      EXPECT_EQ(report_.users_made, 0u);
      EXPECT_EQ(report_.deadlines_made, deadlines ? 0u : 1u);
      EXPECT_EQ(new_->rows(Cf::kStream), old_->rows(Cf::kStream));
      std::vector<Op> ops;
      ops.push_back({0, Lapse(Deadline(3, 6000), 9, 6100)});
      EXPECT_NE(Apply(*ledger, std::move(ops))[0].callback, nullptr);
    }
  }
}

// Somebody plays: the slot is not given to another.
TEST_F(StoreSalvageStreams, ADeadlineThatIsLostIsMadeOfItsLease) {
  for (const TimerId id : {3, 4}) old_->Overwrite(Cf::kIds, IdKey(kLeaseTenant, id), "damaged");
  old_->Overwrite(Cf::kDue, TimeKey({{6000}, 3}), "damaged");
  old_->Overwrite(Cf::kDue, TimeKey({{7000}, 4}), "damaged");
  Mend();
  EXPECT_TRUE(Has(Cf::kDue, TimeKey({{7000}, 4})));
  const auto ledger = OpenLedger(new_);
  EXPECT_EQ(User(*ledger)->streams.size(), 2u);
  EXPECT_EQ(report_.streams, 2u);
  EXPECT_EQ(report_.deadlines_made, 2u);
  EXPECT_EQ(report_.kept, 0u);
  EXPECT_EQ(report_.lost, 0u);
  EXPECT_NE(log_.find("the deadline of a stream of user joe"), std::string::npos) << log_;
  EXPECT_EQ(log_.find("timer 4"), std::string::npos) << log_;
  std::vector<Op> ops;
  ops.push_back({0, Lapse(Deadline(3, 6000), 9, 7100)});
  ops.push_back({0, Lapse(Deadline(4, 7000), 10, 7100)});
  for (const Completion& done : Apply(*ledger, std::move(ops))) EXPECT_NE(done.callback, nullptr);
  EXPECT_TRUE(CheckWhole(MemoryKv(new_)).ok());
}

TEST_F(StoreSalvageStreams, ADeadlineInAnUnreadableStretchIsMadeOfItsLease) {
  watch_.damaged = [](Cf cf, std::string_view key) {
    return cf == Cf::kIds ? ParseIdKey(key)->tenant == kLeaseTenant : cf == Cf::kDue;
  };
  EXPECT_EQ(User(*Mend())->streams.size(), 2u);
  EXPECT_EQ(report_.deadlines_made, 3u);
}

// Stream 1 was renewed until 6900 when its deadline was met at 6000.
TEST_F(StoreSalvageStreams, ALeaseWhoseRenewalIsLostLastsUntilItsDeadline) {
  std::vector<Op> ops;
  ops.push_back({0, Lapse(Deadline(1, 6000), 9, 6000)});
  ops.push_back({0, MarkOp{{}, {6000}}});
  Apply(*OpenLedger(old_), std::move(ops));
  const auto before = User(*OpenLedger(old_));
  PutLease(StreamRow::kLease, 1, 6000);
  EXPECT_EQ(CheckWhole(MemoryKv(old_)).code(), StatusCode::kCorruption);
  EXPECT_EQ(User(*OpenLedger(old_))->streams.size(), 1u);
  EXPECT_EQ(User(*Mend()), before);
  EXPECT_EQ(before->streams.size(), 2u);
  EXPECT_TRUE(Has(Cf::kDue, TimeKey({{6900}, 1})));
  EXPECT_EQ(report_.deadlines_made, 0u);
  EXPECT_NE(log_.find("the last renewal of a stream of user joe"), std::string::npos) << log_;
}

// The deadline is from before the clock was set back.
TEST_F(StoreSalvageStreams, ALeaseLastsNoLongerThanARenewalCanHavePromised) {
  std::vector<Op> ops;
  ops.push_back({0, Start(StartNo(5, kUser, 500'000))});
  ops.push_back({0, MarkOp{{}, {6000}}});
  Apply(*OpenLedger(old_), std::move(ops));
  PutLease(StreamRow::kLease, 5, 7000);
  const auto user = User(*Mend());
  const int64_t latest_ms = 6000 + kLastSeenIntervalMs + kTestTtlMs;
  EXPECT_EQ(user->streams.back().expires_at.ms, latest_ms);
  EXPECT_TRUE(Has(Cf::kDue, TimeKey({{latest_ms}, 5})));
  EXPECT_FALSE(Has(Cf::kDue, TimeKey({{501'000}, 5})));
  EXPECT_EQ(report_.deadlines_made, 1u);
}

TEST_F(StoreSalvageStreams, ADeadlineBehindWhatLapsedIsBroughtForward) {
  PutLease(StreamRow::kLapsed, 3, 5950);
  EXPECT_EQ(CheckWhole(MemoryKv(old_)).code(), StatusCode::kCorruption);
  Mend();
  EXPECT_FALSE(Has(Cf::kDue, TimeKey({{6000}, 3})));
  EXPECT_TRUE(Has(Cf::kDue, TimeKey({{5950}, 3})));
  EXPECT_EQ(report_.deadlines_made, 1u);
  EXPECT_NE(log_.find("the deadline of a stream"), std::string::npos);
}

// What deleted it was lost: neither its deadline nor its user knows it.
TEST_F(StoreSalvageStreams, AStreamThatWasOverTakesNoSlot) {
  std::vector<Op> ops;
  ops.push_back({0, End(4, kUser, 6200)});
  Apply(*OpenLedger(old_), std::move(ops));
  PutLease(StreamRow::kLease, 4, 7000);
  EXPECT_EQ(User(*Mend())->streams.size(), 1u);
  EXPECT_FALSE(Has(Cf::kStream, Row(StreamRow::kLease, 4)));
  EXPECT_EQ(log_, "");
}

TEST_F(StoreSalvageStreams, ALeaseThatLapsedIsNotAliveBesides) {
  PutLease(StreamRow::kLease, 3, 6000);
  const auto ledger = Mend();
  EXPECT_EQ(User(*ledger)->streams.size(), 2u);
  EXPECT_FALSE(Has(Cf::kStream, Row(StreamRow::kLease, 3)));
  EXPECT_TRUE(Has(Cf::kStream, Row(StreamRow::kLapsed, 3)));
}

TEST_F(StoreSalvageStreams, ALapseLeavesNeitherOfTwoRows) {
  PutLease(StreamRow::kLease, 3, 6000);
  std::vector<Op> ops;
  ops.push_back({0, Lapse(Deadline(3, 6000), 9, 6100)});
  EXPECT_NE(Apply(*OpenLedger(old_), std::move(ops))[0].callback, nullptr);
  EXPECT_FALSE(MemoryKv(old_).Get(Cf::kStream, Row(StreamRow::kLease, 3)).value());
  EXPECT_FALSE(MemoryKv(old_).Get(Cf::kStream, Row(StreamRow::kLapsed, 3)).value());
  const Status whole = CheckWhole(MemoryKv(old_));
  EXPECT_TRUE(whole.ok()) << whole.message();
}

// So no more of them than fit into a batch are in memory.
TEST_F(StoreSalvageStreams, UsersAreWrittenBesideTheirLeases) {
  constexpr uint64_t kUsers = 5000;
  std::vector<Op> ops;
  for (uint64_t n = 10; n < 10 + kUsers; ++n) {
    ops.push_back({0, Start(StartNo(n, "u" + std::to_string(n), 5000))});
  }
  Apply(*OpenLedger(old_), std::move(ops));
  // Of some users their row, of some that of their lease, of some both.
  WatchedKv from(old_);
  from.watch.hidden = [](Cf cf, std::string_view key) {
    const auto name = cf == Cf::kStream ? ParseStreamKey(key) : std::nullopt;
    if (!name || name->user == kUser) return false;
    const int n = std::stoi(std::string(name->user.substr(1))) % 100;
    return name->row == StreamRow::kUser ? n >= 10 && n < 20 : n >= 15 && n < 25;
  };
  WatchedKv to(new_);
  uint64_t users = 0;
  uint64_t leases = 0;
  size_t commits = 0;
  to.watch.commit = [&](const Batch& batch) {
    for (size_t i = 0; i < batch.size(); ++i) {
      const Batch::Write write = batch.at(i);
      if (write.cf != Cf::kStream) continue;
      const StreamRow row = ParseStreamKey(write.key)->row;
      users += row == StreamRow::kUser ? 1 : 0;
      leases += row == StreamRow::kLease ? 1 : 0;
    }
    EXPECT_LE(leases, users + 1);  // joe has two
    if (users > 0) ++commits;
  };
  const auto report = Salvage(from, &to, {});
  ASSERT_TRUE(report.ok());
  EXPECT_GE(report->skipped_stretches, kUsers / 100 * 2);
  EXPECT_EQ(report->streams, kUsers + 2);
  EXPECT_EQ(report->streams_lost + report->users_made, 0u);
  EXPECT_GT(commits, 1u);
  EXPECT_EQ(users, kUsers + 1);
  EXPECT_EQ(leases, kUsers + 2);
  EXPECT_TRUE(CheckWhole(MemoryKv(new_)).ok());
}

// Names that differ in their last byte alone.
TEST_F(StoreSalvageStreams, AnUnreadableStretchCostsItsRowsAlone) {
  for (const size_t bytes : {20, 27, 60, static_cast<int>(kUserNameBytesMax) - 1}) {
    old_ = std::make_shared<MemoryDisk>();
    new_ = std::make_shared<MemoryDisk>();
    const std::string prefix(bytes, 'x');
    std::vector<Op> ops;
    for (uint64_t n = 1; n <= 9; ++n) {
      ops.push_back({0, Start(StartNo(n, prefix + std::to_string(n), 5000))});
    }
    Apply(*OpenLedger(old_), std::move(ops));
    watch_.damaged = [&](Cf cf, std::string_view key) {
      if (cf != Cf::kStream) return false;
      const char last = ParseStreamKey(key)->user.back();
      return last == '3' || last == '4';
    };
    size_t scans = 0;
    watch_.scan = [&](Cf, std::string_view) { ++scans; };
    const auto ledger = Mend();
    for (uint64_t n = 1; n <= 9; ++n) {
      const auto user = User(*ledger, prefix + std::to_string(n));
      ASSERT_EQ(user.has_value(), n != 3 && n != 4) << n;
      EXPECT_EQ(user ? user->streams.size() : 1u, 1u) << n;
    }
    EXPECT_EQ(report_.skipped_stretches, 2u);
    EXPECT_LT(scans, 2 * 12 * kLeaseKeyBytesMax);
  }
}

}  // namespace
}  // namespace belfry
