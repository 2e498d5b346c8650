// Stopwatches in the store: two rows each, which change together, and lists that see only what they
// are asked for.

#include <limits>
#include <map>
#include <random>

#include "base/limits.h"
#include "storage/entry.h"
#include "storage/memory_kv.h"
#include "storage/salvage.h"
#include "tests/support/store_engines.h"

namespace belfry {
namespace {

constexpr TenantId kAlice = 2;
constexpr TenantId kBob = 3;

StopwatchPutOp Start(TenantId tenant, std::string name, int64_t at_ms) {
  return {{tenant, std::move(name), {at_ms}}};
}

class StoreStopwatch : public OverEngines {
 protected:
  StopwatchPage Ask(StopwatchQuery query) {
    if (query.rows_max == 0) query.rows_max = 1000;
    QueryResult result = rig_.Run({1, std::move(query), {}});
    EXPECT_EQ(result.kind, kQueryKind<StopwatchQuery>);
    return std::get<StopwatchPage>(std::move(result.what));
  }
  std::vector<Stopwatch> Own(TenantId tenant) { return Ask({tenant, {}, true, {}}).rows; }
  std::vector<Stopwatch> OfName(TenantId asks, std::string name) {
    const StopwatchPage page = Ask({asks, {std::move(name)}, false, {}});
    EXPECT_TRUE(page.owned);
    return page.rows;
  }
  // Page by page, `rows` at a time.
  std::vector<Stopwatch> Walk(StopwatchQuery query, size_t rows) {
    std::vector<Stopwatch> all;
    query.rows_max = rows;
    for (;;) {
      const StopwatchPage page = Ask(query);
      EXPECT_LE(page.rows.size(), rows);
      all.insert(all.end(), page.rows.begin(), page.rows.end());
      if (!page.next) return all;
      query.after = page.next;
    }
  }
};

TEST_P(StoreStopwatch, IsCreatedThenResetThenGone) {
  auto done = rig_.Apply(Start(kAlice, "tea", 1000), Start(kAlice, "tea", 2000));
  EXPECT_EQ(done[0].result, OpResult::kDone);
  EXPECT_EQ(done[0].stopwatch, (Stopwatch{kAlice, "tea", {1000}}));
  EXPECT_EQ(done[1].result, OpResult::kReset);
  EXPECT_EQ(Own(kAlice), (std::vector<Stopwatch>{{kAlice, "tea", {2000}}}));
  done = rig_.Apply(StopwatchDeleteOp{kAlice, "tea"}, StopwatchDeleteOp{kAlice, "tea"},
                    Start(kAlice, "tea", 3000));
  EXPECT_EQ(done[0].result, OpResult::kDone);
  EXPECT_EQ(done[0].stopwatch, (Stopwatch{kAlice, "tea", {2000}}));
  EXPECT_EQ(done[1].result, OpResult::kGone);
  EXPECT_EQ(done[2].result, OpResult::kDone);
  rig_.Apply(StopwatchDeleteOp{kAlice, "tea"});
  EXPECT_TRUE(Own(kAlice).empty());
  EXPECT_FALSE(Ask({kAlice, {"tea"}, false, {}}).owned);
  EXPECT_EQ(rig_.Apply(Start(kAlice, "tea", 4000))[0].result, OpResult::kDone);
}

TEST_P(StoreStopwatch, IsThereAfterTheStoreWasOpenedAgain) {
  rig_.Apply(Start(kAlice, "tea", 1000), Start(kBob, "tea", 1500), Start(kBob, "run", 1600));
  rig_.Apply(StopwatchDeleteOp{kBob, "run"});
  rig_.Reopen();
  EXPECT_EQ(OfName(kAlice, "tea"),
            (std::vector<Stopwatch>{{kAlice, "tea", {1000}}, {kBob, "tea", {1500}}}));
  EXPECT_EQ(Own(kBob), (std::vector<Stopwatch>{{kBob, "tea", {1500}}}));
  EXPECT_TRUE(CheckWhole(rig_.kv()).ok());
}

TEST_P(StoreStopwatch, ANameThatBeginsLikeAnotherIsAnother) {
  rig_.Apply(Start(kAlice, "tea", 1), Start(kAlice, "teapot", 2), Start(kBob, "teapot", 3),
             Start(kBob, "te", 4), Start(kBob, "tea ", 5));
  EXPECT_EQ(OfName(kAlice, "tea"), (std::vector<Stopwatch>{{kAlice, "tea", {1}}}));
  EXPECT_EQ(OfName(kAlice, "teapot").size(), 2u);
  rig_.Apply(StopwatchDeleteOp{kAlice, "tea"});
  EXPECT_EQ(OfName(kAlice, "teapot").size(), 2u);
}

TEST_P(StoreStopwatch, TenantsNextToEachOtherDoNotMeet) {
  constexpr TenantId kLast = std::numeric_limits<TenantId>::max();
  for (const TenantId tenant : {kAlice, kBob, TenantId{255}, TenantId{256}, kLast - 1, kLast}) {
    rig_.Apply(Start(tenant, "a", tenant), Start(tenant, "\xf4\x8f\xbf\xbf", tenant));
  }
  for (const TenantId tenant : {kAlice, kBob, TenantId{255}, TenantId{256}, kLast - 1, kLast}) {
    const auto own = Own(tenant);
    ASSERT_EQ(own.size(), 2u) << tenant;
    EXPECT_EQ(own[0], (Stopwatch{tenant, "a", {tenant}}));
  }
  EXPECT_EQ(Walk({kLast, {"a"}, false, {}}, 1).size(), 6u);
}

TEST_P(StoreStopwatch, WhoOwnsNoneOfANameIsToldTheSameWhetherItExistsOrNot) {
  rig_.Apply(Start(kAlice, "tea", 1));
  for (const char* name : {"tea", "nobody's"}) {
    const StopwatchPage page = Ask({kBob, {name}, false, {}});
    EXPECT_FALSE(page.owned);
    EXPECT_TRUE(page.rows.empty());
    EXPECT_FALSE(page.next);
  }
  EXPECT_FALSE(Ask({kAlice, {"tea", "nobody's"}, true, {}}).owned);
}

TEST_P(StoreStopwatch, OnlyOwnershipIsToldWhenNoRowsAreWanted) {
  rig_.Apply(Start(kAlice, "tea", 1));
  QueryResult result = rig_.Run({1, StopwatchQuery{kAlice, {"tea"}, true, {}, 0}, {}});
  EXPECT_TRUE(std::get<StopwatchPage>(result.what).owned);
  EXPECT_TRUE(std::get<StopwatchPage>(result.what).rows.empty());
}

TEST_P(StoreStopwatch, NamesAndOwnOnesShareNoRow) {
  rig_.Apply(Start(kAlice, "run", 1), Start(kAlice, "tea", 2), Start(kBob, "tea", 3),
             Start(kBob, "run", 4), Start(kAlice, "wait", 5));
  const std::vector<Stopwatch> expected = {
      {kAlice, "tea", {2}}, {kBob, "tea", {3}}, {kAlice, "run", {1}}, {kAlice, "wait", {5}}};
  for (size_t rows = 1; rows < 6; ++rows) {
    EXPECT_EQ(Walk({kAlice, {"tea"}, true, {}}, rows), expected) << rows;
  }
}

TEST_P(StoreStopwatch, ALaterPagePassesOverWhatIsOwnedNoMore) {
  rig_.Apply(Start(kAlice, "a", 1), Start(kBob, "a", 2), Start(kAlice, "b", 3), Start(kBob, "b", 4),
             Start(kAlice, "c", 5));
  StopwatchQuery query{kAlice, {"a", "b"}, true, {}, 1};
  StopwatchPage page = Ask(query);
  ASSERT_TRUE(page.next);
  rig_.Apply(StopwatchDeleteOp{kAlice, "a"}, StopwatchDeleteOp{kAlice, "b"});
  query.after = page.next;
  page = Ask(query);
  EXPECT_TRUE(page.owned);
  EXPECT_EQ(page.rows, (std::vector<Stopwatch>{{kAlice, "c", {5}}}));
}

TEST_P(StoreStopwatch, TheListsAreWhatAModelSays) {
  std::mt19937 random(7);
  std::map<std::pair<TenantId, std::string>, int64_t> model;
  const std::string names[] = {"a", "ab",       "abc",
                               "b", "\xc3\xa4", std::string(kUserNameBytesMax, 'x')};
  for (int64_t step = 1; step < 400; ++step) {
    const TenantId tenant = 1 + random() % 4;
    const std::string& name = names[random() % std::size(names)];
    const auto key = std::pair(tenant, name);
    const bool there = model.contains(key);
    if (random() % 3 == 0) {
      const auto done = rig_.Apply(StopwatchDeleteOp{tenant, name});
      EXPECT_EQ(done[0].result, there ? OpResult::kDone : OpResult::kGone);
      model.erase(key);
    } else {
      const auto done = rig_.Apply(Start(tenant, name, step));
      EXPECT_EQ(done[0].result, there ? OpResult::kReset : OpResult::kDone);
      model[key] = step;
    }
    if (step % 100 == 0) rig_.Reopen();
  }
  rig_.Compact();
  for (TenantId tenant = 1; tenant <= 4; ++tenant) {
    std::vector<Stopwatch> own;
    for (const auto& [key, at] : model) {
      if (key.first == tenant) own.push_back({tenant, key.second, {at}});
    }
    EXPECT_EQ(Walk({tenant, {}, true, {}}, 2), own);
    for (const Stopwatch& mine : own) {
      std::vector<Stopwatch> all;
      for (const auto& [key, at] : model) {
        if (key.second == mine.name) all.push_back({key.first, mine.name, {at}});
      }
      EXPECT_EQ(OfName(tenant, mine.name), all);
    }
  }
  EXPECT_TRUE(CheckWhole(rig_.kv()).ok());
}

TEST_P(StoreStopwatch, TimersAndTheirEndTouchNoStopwatch) {
  rig_.Apply(Start(kAlice, "tea", 1), Put(PendingTimer(1, 1000, kAlice)), FloorOp{kAlice, 1});
  rig_.Compact();
  EXPECT_EQ(Own(kAlice).size(), 1u);
}

INSTANTIATE_OVER_ENGINES(StoreStopwatch);

// Opens of one disk one after the other, as after a crash.
class StoreStopwatchDamage : public testing::Test {
 protected:
  std::unique_ptr<Ledger> Open() {
    auto ledger = Ledger::Open(std::make_unique<MemoryKv>(disk_), kTestStoreId);
    CHECK(ledger.ok());
    return std::move(*ledger);
  }
  Status Apply(Ledger& ledger, decltype(Op::what) what) {
    std::vector<Op> ops;
    ops.push_back({0, std::move(what)});
    std::vector<Completion> done;
    return ledger.Apply(std::move(ops), &done);
  }
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
};

TEST_F(StoreStopwatchDamage, ARowThatDoesNotParseFailsTheListAndNothingElse) {
  auto ledger = Open();
  ASSERT_TRUE(Apply(*ledger, Start(kAlice, "tea", 1)).ok());
  ASSERT_TRUE(Apply(*ledger, Start(kAlice, "run", 1)).ok());
  disk_->Overwrite(Cf::kStopwatch, StopwatchNameKey("tea", kAlice), "damaged");
  const auto ask = [&](const char* name) {
    return ledger->Run({1, StopwatchQuery{kAlice, {name}, false, {}, 10}, {}}).status;
  };
  EXPECT_EQ(ask("tea").code(), StatusCode::kCorruption);
  EXPECT_TRUE(ask("run").ok());
  EXPECT_EQ(CheckWhole(MemoryKv(disk_)).code(), StatusCode::kCorruption);
  // A reset writes it anew.
  ledger = Open();
  ASSERT_TRUE(Apply(*ledger, Start(kAlice, "tea", 2)).ok());
  EXPECT_TRUE(ask("tea").ok());
  EXPECT_TRUE(CheckWhole(MemoryKv(disk_)).ok());
}

TEST_F(StoreStopwatchDamage, BothRowsOrNeitherAreThereAfterAFailedCommit) {
  for (const bool applied : {false, true}) {
    auto ledger = Open();
    disk_->FailCommit(1, applied);
    EXPECT_FALSE(Apply(*ledger, Start(kAlice, applied ? "tea" : "run", 1)).ok());
    disk_->Crash();
    Open();
    EXPECT_EQ(disk_->rows(Cf::kStopwatch), applied ? 2u : 0u);
    EXPECT_TRUE(CheckWhole(MemoryKv(disk_)).ok());
  }
}

TEST_F(StoreStopwatchDamage, ANameThatCannotBeIsRefused) {
  for (const std::string& name :
       {std::string(), std::string("a\0b", 3), std::string(kUserNameBytesMax + 1, 'x')}) {
    EXPECT_EQ(Apply(*Open(), Start(kAlice, name, 1)).code(), StatusCode::kInvalid);
    EXPECT_EQ(Apply(*Open(), StopwatchDeleteOp{kAlice, name}).code(), StatusCode::kInvalid);
  }
}

TEST_F(StoreStopwatchDamage, SalvageKeepsEveryOneWithAReadableRow) {
  auto ledger = Open();
  for (const char* name : {"a", "b", "c"}) {
    ASSERT_TRUE(Apply(*ledger, Start(kAlice, name, 1)).ok());
  }
  disk_->Overwrite(Cf::kStopwatch, StopwatchKey(kAlice, "a"), "damaged");
  disk_->Overwrite(Cf::kStopwatch, StopwatchNameKey("b", kAlice), "damaged");
  const std::string old = StopwatchNameKey("c", kAlice);
  disk_->Overwrite(Cf::kStopwatch, old, EncodeStopwatch(old, {0}));
  auto mended = std::make_shared<MemoryDisk>();
  MemoryKv to(mended);
  const auto report = Salvage(MemoryKv(disk_), &to, {});
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->skipped_rows, 2u);
  EXPECT_TRUE(CheckWhole(to).ok());
  auto copy = Ledger::Open(std::make_unique<MemoryKv>(mended), kTestStoreId);
  ASSERT_TRUE(copy.ok());
  const QueryResult own = (*copy)->Run({1, StopwatchQuery{kAlice, {}, true, {}, 10}, {}});
  EXPECT_EQ(std::get<StopwatchPage>(own.what).rows,
            (std::vector<Stopwatch>{{kAlice, "a", {1}}, {kAlice, "b", {1}}, {kAlice, "c", {1}}}));
}

// Tables have filters of what lists are in them, in parts of some thousand keys.
TEST_P(StoreStopwatch, EachOfVeryManyListsIsFoundInWhateverTablesItsRowsAre) {
  constexpr TenantId kTenants = 12'000;
  const auto name_of = [](TenantId tenant) { return "n" + std::to_string(tenant % 5000); };
  std::vector<Op> group;
  const auto apply = [&] { rig_.ApplyGroup(std::exchange(group, {})); };
  for (const int64_t at_ms : {1, 2, 3}) {
    for (TenantId tenant = 1; tenant <= kTenants; ++tenant) {
      if (tenant % 3 != static_cast<TenantId>(at_ms - 1)) continue;
      group.push_back({0, Start(tenant, name_of(tenant), at_ms)});
      group.push_back({0, Start(tenant, "own", at_ms)});
      if (group.size() >= 1000) apply();
    }
    apply();
    if (at_ms == 1) rig_.Compact();
    rig_.Reopen();
  }
  for (TenantId tenant = 1; tenant <= kTenants; ++tenant) {
    ASSERT_EQ(Own(tenant).size(), 2u) << tenant;
    if (tenant > 5000) continue;
    const size_t owners = tenant + 10'000 <= kTenants ? 3 : 2;
    ASSERT_EQ(OfName(tenant, name_of(tenant)).size(), owners) << tenant;
  }
  EXPECT_EQ(Walk({1, {"own"}, false, {}}, 1000).size(), kTenants);
}

TEST(StopwatchEntry, GoldenBytesAreReadAndWritten) {
  const std::string key = StopwatchKey(7, "tea");
  EXPECT_EQ(key, std::string("\1\0\0\0\7tea\0", 9));
  EXPECT_EQ(StopwatchNameKey("tea", 7), std::string("\2tea\0\0\0\0\7", 9));
  const std::string bytes = EncodeStopwatch(key, {1'800'000'000'123});
  EXPECT_EQ(DecodeStopwatch(key, bytes)->ms, 1'800'000'000'123);
  EXPECT_FALSE(DecodeStopwatch(key + "x", bytes).ok());
  EXPECT_FALSE(DecodeStopwatch(key, bytes + "x").ok());
  EXPECT_FALSE(DecodeStopwatch(key, bytes.substr(1)).ok());
}

}  // namespace
}  // namespace belfry
