// Users and their tenant ids: a name has one for ever, and nobody else ever has it.

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/limits.h"
#include "scheduler/tenants.h"
#include "storage/memory_kv.h"
#include "storage/salvage.h"
#include "tests/support/store_engines.h"
#include "tests/support/store_rig.h"

namespace belfry {
namespace {

using Known = std::vector<std::pair<TenantId, std::string>>;

class StoreTenants : public OverEngines {
 protected:
  TenantId IdOf(const std::string& user) { return rig_.Apply(TenantOp{user})[0].tenant; }
};
INSTANTIATE_OVER_ENGINES(StoreTenants);

TEST_P(StoreTenants, NamesGetIdsInTheirOrderAndKeepThem) {
  const auto done =
      rig_.Apply(TenantOp{"alice"}, TenantOp{"bob"}, TenantOp{"alice"}, TenantOp{"local"});
  EXPECT_EQ(done[0].kind, kOpKind<TenantOp>);
  EXPECT_EQ(done[0].result, OpResult::kDone);
  EXPECT_EQ(done[0].tenant, 2u);
  EXPECT_EQ(done[1].tenant, 3u);
  EXPECT_EQ(done[2].tenant, 2u) << "the op sees those before it in its group";
  EXPECT_EQ(done[3].tenant, kLocalTenant);
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().tenants, (Known{{2, "alice"}, {3, "bob"}}));
  EXPECT_EQ(IdOf("bob"), 3u);
  EXPECT_EQ(IdOf("carol"), 4u);
  EXPECT_EQ(IdOf("Alice"), 5u) << "names differ in case";
}

TEST_P(StoreTenants, AKnownNameWritesNothing) {
  rig_.Apply(TenantOp{"alice"});
  const uint64_t commits = rig_.store().commit_no();
  rig_.Apply(TenantOp{"alice"}, TenantOp{"local"});
  EXPECT_EQ(rig_.store().commit_no(), commits);
}

TEST_P(StoreTenants, NeitherFloorsNorTimersTouchThem) {
  const TenantId alice = IdOf("alice");
  rig_.Apply(Put(PendingTimer(1, 1000, alice)), FloorOp{alice, 1});
  rig_.Reopen();
  EXPECT_EQ(IdOf("alice"), alice);
  EXPECT_EQ(IdOf("bob"), alice + 1);
  EXPECT_EQ(rig_.Find(1, false, alice), std::nullopt);
}

TEST_P(StoreTenants, AnyBytesOfANameComeBack) {
  const Known names{{2, "\xc3\xa4 b"}, {3, "=\xff"}, {4, std::string(kUserNameBytesMax, 'x')}};
  for (const auto& [tenant, name] : names) EXPECT_EQ(IdOf(name), tenant);
  rig_.Reopen();
  EXPECT_EQ(rig_.store().opened().tenants, names);
}

TEST_P(StoreTenants, ANameThatIsTooLongOrEmptyIsRefusedAndTakesNoId) {
  for (const std::string& name : {std::string(kUserNameBytesMax + 1, 'x'), std::string()}) {
    const auto done = rig_.Apply(TenantOp{name});
    EXPECT_EQ(done[0].result, OpResult::kRefused);
    EXPECT_EQ(done[0].tenant, 0u);
  }
  EXPECT_EQ(IdOf("alice"), 2u);
}

TEST_P(StoreTenants, AcceptedDataLossSkipsTheIdsThatMayHaveBeenLost) {
  const TenantId alice = IdOf("alice");
  ASSERT_TRUE(rig_.store().RaisePast(100, 100).ok());
  rig_.Reopen();
  EXPECT_EQ(IdOf("alice"), alice);
  EXPECT_EQ(IdOf("bob"), alice + kAcceptLossTenantJump + 1);
}

// Crashes at any commit, applied or not: what was told is true for ever.
TEST(StoreTenantsCrash, ANameNeverHasTwoIdsAndNoIdTwoNames) {
  std::mt19937_64 random(7);
  auto disk = std::make_shared<MemoryDisk>();
  std::map<std::string, TenantId> told;
  for (int life = 0; life < 200; ++life) {
    auto opened = Ledger::Open(std::make_unique<MemoryKv>(disk), kTestStoreId);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    std::map<TenantId, std::string> names;
    for (const auto& [tenant, user] : (*opened)->opened().tenants) {
      EXPECT_TRUE(names.emplace(tenant, user).second);
    }
    for (const auto& [user, tenant] : told) EXPECT_EQ(names[tenant], user);
    disk->FailCommit(static_cast<int>(1 + random() % 4), random() % 2 == 0);
    for (;;) {
      std::vector<Op> ops;
      std::vector<std::string> asked;
      for (uint64_t i = 0; i <= random() % 3; ++i) {
        asked.push_back("u" + std::to_string(random() % 300));
        ops.push_back({0, TenantOp{asked.back()}});
      }
      std::vector<Completion> done;
      if (!(*opened)->Apply(std::move(ops), &done).ok()) break;
      for (size_t i = 0; i < done.size(); ++i) {
        const auto [known, fresh] = told.emplace(asked[i], done[i].tenant);
        EXPECT_EQ(known->second, done[i].tenant) << asked[i];
      }
      if (told.size() == 300) break;
    }
    disk->Crash();
  }
  std::map<TenantId, std::string> users;
  for (const auto& [user, tenant] : told) {
    EXPECT_GT(tenant, kLocalTenant);
    EXPECT_TRUE(users.emplace(tenant, user).second) << tenant << " has two names";
  }
  EXPECT_GT(told.size(), 100u);
}

TEST(StoreTenantsSalvage, NamesAreKept) {
  auto old = std::make_shared<MemoryDisk>();
  auto fresh = std::make_shared<MemoryDisk>();
  {
    auto ledger = Ledger::Open(std::make_unique<MemoryKv>(old), kTestStoreId);
    std::vector<Completion> done;
    std::vector<Op> ops;
    ops.push_back({0, TenantOp{"alice"}});
    ASSERT_TRUE((*ledger)->Apply(std::move(ops), &done).ok());
  }
  MemoryKv to(fresh);
  ASSERT_TRUE(Salvage(MemoryKv(old), &to, [](std::string_view) {}).ok());
  auto ledger = Ledger::Open(std::make_unique<MemoryKv>(fresh), kTestStoreId);
  ASSERT_TRUE(ledger.ok());
  EXPECT_EQ((*ledger)->opened().tenants, (Known{{2, "alice"}}));
}

TEST(StoreTenantsDamage, TwoNamesOfOneIdAreDamage) {
  auto disk = std::make_shared<MemoryDisk>();
  {
    auto ledger = Ledger::Open(std::make_unique<MemoryKv>(disk), kTestStoreId);
    std::vector<Completion> done;
    std::vector<Op> ops;
    ops.push_back({0, TenantOp{"alice"}});
    ops.push_back({0, TenantOp{"bob"}});
    ASSERT_TRUE((*ledger)->Apply(std::move(ops), &done).ok());
  }
  disk->Overwrite(Cf::kMeta, TenantNameKey("bob"), ShortKey().U32(2));
  const auto ledger = Ledger::Open(std::make_unique<MemoryKv>(disk), kTestStoreId);
  EXPECT_EQ(ledger.status().code(), StatusCode::kCorruption);
}

// --- the directory -------------------------------------------------------------------------------

Completion Given(TenantId tenant) {
  Completion done;
  done.kind = kOpKind<TenantOp>;
  done.tenant = tenant;
  if (tenant == 0) done.result = OpResult::kRefused;
  return done;
}

TEST(Tenants, LocalIsAlwaysKnown) {
  const Tenants tenants({{2, "alice"}});
  EXPECT_EQ(tenants.Find("local"), kLocalTenant);
  EXPECT_EQ(tenants.Find("alice"), 2u);
  EXPECT_EQ(tenants.Find("bob"), std::nullopt);
  EXPECT_EQ(tenants.NameOf(2), "alice");
  EXPECT_EQ(tenants.NameOf(3), "");
}

TEST(Tenants, OnlyUnknownNamesAreAskedForAndEachOnce) {
  Tenants tenants({{2, "alice"}});
  tenants.Ask({"alice", "bob", "bob", "local", "carol"});
  tenants.Ask({"carol"});
  const std::vector<Op> ops = tenants.TakeOps();
  ASSERT_EQ(ops.size(), 2u);
  EXPECT_EQ(std::get<TenantOp>(ops[0].what).user, "bob");
  EXPECT_EQ(std::get<TenantOp>(ops[1].what).user, "carol");
  EXPECT_TRUE(tenants.TakeOps().empty());
}

TEST(Tenants, ANameIsKnownWhenItsIdIsDurable) {
  Tenants tenants({});
  tenants.Ask({"bob", "carol"});
  (void)tenants.TakeOps();
  EXPECT_EQ(tenants.Find("bob"), std::nullopt);
  EXPECT_FALSE(tenants.settled());
  tenants.Complete(Given(2));
  EXPECT_EQ(tenants.Find("bob"), 2u);
  EXPECT_FALSE(tenants.settled());
  tenants.Complete(Given(3));
  EXPECT_TRUE(tenants.settled());
  EXPECT_EQ(tenants.NameOf(3), "carol");
}

TEST(Tenants, ARefusedNameHasNoIdAndMayBeAskedForAgain) {
  Tenants tenants({});
  tenants.Ask({"bob"});
  (void)tenants.TakeOps();
  tenants.Complete(Given(0));
  EXPECT_TRUE(tenants.settled());
  EXPECT_EQ(tenants.Find("bob"), std::nullopt);
  tenants.Ask({"bob"});
  EXPECT_EQ(tenants.TakeOps().size(), 1u);
}

}  // namespace
}  // namespace belfry
