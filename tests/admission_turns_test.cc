// Who is next: tenants in turn, then targets of the tenant, then keys.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/support/admission_rig.h"

namespace belfry {
namespace {

using Ids = std::vector<TimerId>;

TEST(AdmissionTurns, TargetsTakeTurnsAndEachGivesItsEarliestKey) {
  AdmissionRig rig(10, 10);
  rig.Stage(1, "http://a", 30);
  rig.Stage(2, "http://a", 20);
  rig.Stage(3, "http://b", 40);
  EXPECT_EQ(rig.StartAll(), (Ids{2, 3, 1}));
  EXPECT_EQ(rig.admission.in_flight(), 3u);
}

TEST(AdmissionTurns, ATargetWaitsForItsOwnSlotAndNotForThatOfAnother) {
  AdmissionRig rig(10, 1);
  rig.Stage(1, "http://a");
  rig.Stage(2, "http://a");
  rig.Stage(3, "http://a:81");
  EXPECT_EQ(rig.StartAll(), (Ids{1, 3}));
  rig.End(1);
  EXPECT_EQ(rig.StartAll(), (Ids{2}));
}

TEST(AdmissionTurns, NobodyStartsBeyondTheWhole) {
  AdmissionRig rig(1, 10);
  rig.Stage(1, "http://a");
  rig.Stage(2, "http://b");
  EXPECT_EQ(rig.Start(), 1u);
  EXPECT_FALSE(rig.admission.CanStart(rig.now));
  EXPECT_EQ(rig.Start(), 0u);
  rig.End(1);
  EXPECT_EQ(rig.Start(), 2u);
}

TEST(AdmissionTurns, TenantsTakeTurnsWhateverTheyHaveWaiting) {
  AdmissionRig rig(100, 100);
  for (TimerId id = 1; id <= 8; ++id) rig.Stage(id, "http://a" + std::to_string(id), 0, 1);
  rig.Stage(11, "http://b", 0, 2);
  rig.Stage(12, "http://b", 0, 2);
  rig.Stage(21, "http://c", 0, 3);
  EXPECT_EQ(rig.StartAll(), (Ids{1, 11, 21, 2, 12, 3, 4, 5, 6, 7, 8}));
}

TEST(AdmissionTurns, ATenantsTargetsTakeTurnsWhateverWaitsForEach) {
  AdmissionRig rig(100, 100);
  for (TimerId id = 1; id <= 4; ++id) rig.Stage(id, "http://a", 0, 1);
  rig.Stage(11, "http://b", 0, 1);
  rig.Stage(12, "http://b", 0, 1);
  rig.Stage(21, "http://c", 0, 1);
  EXPECT_EQ(rig.StartAll(), (Ids{1, 11, 21, 2, 12, 3, 4}));
}

TEST(AdmissionTurns, TenantsOfOneTargetShareItsLimitInTurn) {
  AdmissionRig rig(100, 2);
  for (TimerId id = 1; id <= 3; ++id) {
    rig.Stage(id, "http://a", 0, 1);
    rig.Stage(10 + id, "http://a", 0, 2);
    rig.Stage(20 + id, "http://a", 0, 3);
  }
  EXPECT_EQ(rig.StartAll(), (Ids{1, 11}));
  Ids order;
  for (const TimerId id : {1, 11, 21, 2, 12, 22, 3}) {
    rig.End(id);
    for (const TimerId next : rig.StartAll()) order.push_back(next);
  }
  EXPECT_EQ(order, (Ids{21, 2, 12, 22, 3, 13, 23}));
}

TEST(AdmissionTurns, AFullTargetCostsItsTenantNoTurn) {
  AdmissionRig rig(100, 1);
  for (TimerId id = 1; id <= 3; ++id) rig.Stage(id, "http://full", 0, 1);
  rig.Stage(11, "http://b", 0, 2);
  rig.Stage(12, "http://c", 0, 2);
  rig.Stage(4, "http://d", 0, 1);
  EXPECT_EQ(rig.StartAll(), (Ids{1, 11, 4, 12}));
}

// Targets of their own, so that nobody waits for a slot that another tenant has; all of them
// prompt, as those that are not take turns among themselves.
class TurnsModel {
 public:
  static constexpr TenantId kTenants = 3;
  static constexpr uint64_t kTargetsEach = 4;

  void Stage(std::mt19937_64& random) {
    const auto tenant = static_cast<TenantId>(1 + random() % kTenants);
    const uint64_t target = random() % kTargetsEach;
    const Name name{tenant, target};
    of_[++last_id_] = name;
    ++staged_[name];
    rig.Stage(last_id_, Text(name), 0, tenant);
  }
  void End(std::mt19937_64& random) {
    if (rig.started.empty()) return;
    const TimerId id = rig.started[random() % rig.started.size()].first;
    --in_flight_[of_[id]];
    rig.End(id);
  }
  void Start() {
    const TimerId id = rig.Start();
    if (id == 0) {
      ASSERT_TRUE(waiting_.empty() || rig.admission.in_flight() == max_in_flight);
      return;
    }
    const Name name = of_[id];
    ASSERT_TRUE(waiting_.contains(name));
    ++starts_;
    ++starts_of_[name.first];
    --staged_[name];
    ++in_flight_[name];
    waiting_.erase(name);
    tenants_.erase(name.first);
    for (const auto& [other, since] : tenants_) {
      ASSERT_LT(starts_ - since, uint64_t{kTenants}) << "tenant " << other << " is passed over";
    }
    for (const auto& [other, since] : waiting_) {
      ASSERT_LT(starts_of_[other.first] - since, kTargetsEach) << "a target is passed over";
    }
  }
  // Since how many starts each could have been the next.
  void NoteWhoWaits() {
    std::map<Name, uint64_t> waiting;
    std::map<TenantId, uint64_t> tenants;
    for (const auto& [name, count] : staged_) {
      if (count == 0 || in_flight_[name] >= limit) continue;
      const auto line = waiting_.find(name);
      waiting[name] = line == waiting_.end() ? starts_of_[name.first] : line->second;
      const auto tenant = tenants_.find(name.first);
      tenants[name.first] = tenant == tenants_.end() ? starts_ : tenant->second;
    }
    waiting_ = waiting;
    tenants_ = tenants;
  }

  TurnsModel(size_t max, uint32_t per_target)
      : max_in_flight(max), limit(per_target), rig(max, per_target) {
    for (TenantId tenant = 1; tenant <= kTenants; ++tenant) {
      for (uint64_t target = 0; target < kTargetsEach; ++target) {
        rig.MakePrompt(Text({tenant, target}));
      }
    }
  }
  const size_t max_in_flight;
  const uint32_t limit;
  AdmissionRig rig;

 private:
  using Name = std::pair<TenantId, uint64_t>;

  static std::string Text(const Name& name) {
    return "http://" + std::to_string(name.first) + "-" + std::to_string(name.second);
  }

  TimerId last_id_ = 0;
  uint64_t starts_ = 0;
  std::map<TimerId, Name> of_;
  std::map<Name, int> staged_;
  std::map<Name, uint32_t> in_flight_;
  std::map<TenantId, uint64_t> starts_of_;
  std::map<Name, uint64_t> waiting_;
  std::map<TenantId, uint64_t> tenants_;
};

TEST(AdmissionTurns, NobodyTakesTwoTurnsWhileAnotherWaits) {
  std::mt19937_64 random(19);
  for (int round = 0; round < 300; ++round) {
    TurnsModel model(5 + random() % 10, static_cast<uint32_t>(1 + random() % 4));
    for (int step = 0; step < 300; ++step) {
      const uint64_t dice = random() % 5;
      if (dice < 2) {
        model.Stage(random);
      } else if (dice < 3) {
        model.End(random);
      } else {
        model.Start();
      }
      ASSERT_FALSE(testing::Test::HasFatalFailure());
      model.NoteWhoWaits();
      model.rig.admission.CheckInvariants(model.rig.now);
    }
  }
}

Outcome AnyOutcome(TimerId id, std::mt19937_64& random) {
  constexpr OutcomeKind kKinds[] = {OutcomeKind::kFailed, OutcomeKind::kTimeout,
                                    OutcomeKind::kLocalFault, OutcomeKind::kInterrupted};
  constexpr int32_t kStatuses[] = {200, 200, 200, 404, 429, 500, 503};
  if (random() % 3 == 0) return Unanswered(kKinds[random() % std::size(kKinds)], id);
  Outcome outcome = Answered(kStatuses[random() % std::size(kStatuses)], id);
  if (random() % 8 == 0) outcome.retry_after_ms = static_cast<int64_t>(random() % 5000);
  return outcome;
}

TEST(AdmissionTurns, TheInvariantsHoldUnderAnyMixOfCalls) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    AdmissionOptions options = AdmissionRig::Limits(3 + random() % 10, 1 + random() % 5);
    options.target.throttle.rate = random() % 2 == 0 ? 0 : 1 + random() % 40;
    options.target.breaker.failures = 2;
    options.targets_kept = random() % 6;
    AdmissionRig rig(options);
    TimerId last_id = 0;
    for (int step = 0; step < 400; ++step) {
      const uint64_t dice = random() % 20;
      if (dice < 7) {
        rig.Stage(++last_id, "http://" + std::to_string(random() % 6), rig.now - rig.kStart,
                  1 + random() % 3, 1000 + random() % 3000);
      } else if (dice < 11) {
        const TimerId id = rig.Start();
        if (id != 0 && random() % 3 == 0) rig.LookUp(id);
      } else if (dice < 12 && !rig.looking_up.empty()) {
        if (const TimerId id = *rig.looking_up.begin(); !rig.Connect(id)) {
          rig.End(Unanswered(OutcomeKind::kLocalFault, id));
        }
      } else if (dice < 15 && !rig.started.empty()) {
        rig.End(AnyOutcome(rig.started[random() % rig.started.size()].first, random));
      } else if (dice < 16) {
        rig.admission.Remove(1 + random() % (last_id + 1), rig.now);
      } else if (random() % 30 == 0) {
        rig.admission.DropIf(
            2, [](const Timer&) { return true; }, rig.now);
      } else if (random() % 20 == 0) {
        rig.now = rig.now + -static_cast<int64_t>(random() % 5000);
        rig.admission.ClockWentBack(rig.now);
        rig.admission.TakeLaterThan(rig.now);
      } else {
        rig.Pass(static_cast<int64_t>(random() % 500), random() % 4);
      }
      for (int turn = 0; turn < 50; ++turn) rig.Pass(0);
      rig.admission.CheckInvariants(rig.now);
      ASSERT_TRUE(!rig.admission.NextUnblockAt() || *rig.admission.NextUnblockAt() > rig.now);
    }
  }
}

TEST(AdmissionTurns, AThousandTenantsOfOneTargetGetTheSameShare) {
  AdmissionRig rig(10, 3);
  for (TimerId id = 0; id < 3000; ++id) {
    rig.Stage(id + 1, "http://a", 0, static_cast<TenantId>(1 + id % 1000));
  }
  std::map<TimerId, int> share;
  for (int i = 0; i < 2000; ++i) {
    for (const TimerId id : rig.StartAll()) ++share[(id - 1) % 1000];
    rig.End(rig.started.front().first);
  }
  for (const auto& [tenant, starts] : share) {
    ASSERT_GE(starts, 1);
    ASSERT_LE(starts, 3);
  }
  EXPECT_EQ(share.size(), 1000u);
}

}  // namespace
}  // namespace belfry
