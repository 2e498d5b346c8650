// What targets cost: allocations on the way of a webhook, and memory of many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "tests/support/admission_rig.h"

namespace {

size_t allocations = 0;
int64_t live_bytes = 0;

// The size stands before what is handed out.
constexpr size_t kHeader = 16;

}  // namespace

void* operator new(size_t bytes) {
  auto* block = static_cast<char*>(std::malloc(bytes + kHeader));
  if (block == nullptr) throw std::bad_alloc();
  *reinterpret_cast<size_t*>(block) = bytes;
  ++allocations;
  live_bytes += static_cast<int64_t>(bytes);
  return block + kHeader;
}
void operator delete(void* at) noexcept {
  if (at == nullptr) return;
  char* block = static_cast<char*>(at) - kHeader;
  live_bytes -= static_cast<int64_t>(*reinterpret_cast<size_t*>(block));
  std::free(block);
}
void operator delete(void* at, size_t) noexcept { operator delete(at); }

namespace belfry {
namespace {

constexpr size_t kTargetBytesMax = 880;  // with its name and its places in the tables

TEST(AdmissionMemory, ATargetIsSmall) {
  EXPECT_LE(sizeof(Target), 712u);
  EXPECT_LE(sizeof(Breaker) + sizeof(Throttle) + sizeof(TargetStats), 400u);
  EXPECT_LE(sizeof(WaitingLine::Place), 32u);
}

// Allocations of staging, starting and ending one after another; timers made before.
size_t AllocationsOf(AdmissionRig& rig, const std::vector<std::string>& targets, int rounds,
                     const Outcome& outcome) {
  std::vector<TimerPtr> timers;
  for (int i = 0; i < rounds; ++i) {
    timers.push_back(rig.Make(static_cast<TimerId>(i + 1), targets[size_t(i) % targets.size()],
                              rig.now.ms, kLocalTenant));
  }
  Outcome end = outcome;
  const size_t before = allocations;
  for (TimerPtr& timer : timers) {
    rig.admission.Stage(std::move(timer), 100, 5000, Lane::kOnTime, rig.now);
    Admission::Started next = rig.admission.Next(rig.now);
    CHECK(next.timer != nullptr);
    end.id = next.timer->id;
    rig.admission.Ended(next.slot, end, rig.now);
  }
  return allocations - before;
}

TEST(AdmissionMemory, AStartOfAKnownTargetAllocatesNothing) {
  AdmissionOptions options = AdmissionRig::Limits(10, 10);
  options.target.breaker.min_attempts = 1'000'000;
  AdmissionRig rig(options);
  std::vector<std::string> targets;
  for (int i = 0; i < 50; ++i) targets.push_back("https://host-" + std::to_string(i) + ".example");
  AllocationsOf(rig, targets, 200, Answered(200));
  for (const int status : {200, 404, 503}) {
    EXPECT_EQ(AllocationsOf(rig, targets, 5000, Answered(status)), 0u) << status;
    rig.now = rig.now + kMinuteMs;
  }
}

TEST(AdmissionMemory, AMillionHostsTakeWhatIsKeptAndNoMore) {
  AdmissionRig rig(10, 10);
  const auto fire = [&rig](int first, int last) {
    for (int i = first; i < last; ++i) {
      const auto id = static_cast<TimerId>(i + 1);
      rig.Stage(id, "https://some-longer-host-" + std::to_string(i) + ".example.com:8443");
      ASSERT_EQ(rig.Start(), id);
      rig.End(id, i % 3 == 0 ? 503 : 200);
    }
  };
  const int64_t before = live_bytes;
  fire(0, 2 * static_cast<int>(kTargetsKept));
  const int64_t full = live_bytes;
  EXPECT_EQ(rig.admission.targets(), kTargetsKept);
  fire(2 * static_cast<int>(kTargetsKept), 1'000'000);
  EXPECT_EQ(rig.admission.targets(), kTargetsKept);
  EXPECT_LE(full - before, static_cast<int64_t>(kTargetsKept * kTargetBytesMax));
  EXPECT_LE(live_bytes - full, 64 * 1024);  // the order of names: how its nodes are filled
  std::printf("%.0f bytes a target, %zu of them in the Target\n",
              static_cast<double>(full - before) / kTargetsKept, sizeof(Target));
}

TEST(AdmissionMemory, AMillionDeadHostsDoToo) {
  AdmissionOptions options = AdmissionRig::Limits(10, 10);
  options.target.breaker.failures = 1;
  AdmissionRig rig(options);
  for (TimerId id = 1; id <= 200'000; ++id) {
    rig.Stage(id, "https://dead-" + std::to_string(id));
    ASSERT_EQ(rig.Start(), id);
    rig.Fail(id);
  }
  EXPECT_EQ(rig.admission.targets(), kTargetsKept);
}

TEST(AdmissionMemory, WhatWasOnlyStagedIsNotRemembered) {
  AdmissionRig rig(10, 10);
  for (TimerId id = 1; id <= 2 * kTargetsKept; ++id) rig.Stage(id, "http://" + std::to_string(id));
  EXPECT_EQ(rig.admission.targets(), 2 * kTargetsKept);
  rig.admission.DropIf(
      1, [](const Timer&) { return true; }, rig.now);
  EXPECT_EQ(rig.admission.targets(), 0u);
  EXPECT_FALSE(rig.admission.CanStart(rig.now));
}

TEST(AdmissionMemory, HealthyOnesAreForgottenFirstButForAQuarterAndLeastRecentlyUsedFirst) {
  AdmissionOptions options = AdmissionRig::Limits(10, 10);
  options.targets_kept = 4;
  options.target.breaker.failures = 1;
  AdmissionRig rig(options);
  TimerId id = 0;
  const auto use = [&](const std::string& target, bool fails) {
    rig.Stage(++id, "http://" + target);
    ASSERT_EQ(rig.Start(), id);
    fails ? rig.Fail(id) : rig.End(id);
  };
  const auto names = [&rig] {
    std::string all;
    for (const TargetView& view : rig.admission.Page("", 10, rig.now).targets) {
      all += view.name.substr(std::string_view("http://").size());
    }
    return all;
  };
  use("A", true);
  use("b", false);
  use("c", false);
  use("b", false);
  use("d", false);
  EXPECT_EQ(names(), "Abcd");
  use("e", false);
  EXPECT_EQ(names(), "Abde");
  for (const std::string target : {"F", "G", "H"}) use(target, true);
  EXPECT_EQ(names(), "FGHe");
  use("I", true);
  EXPECT_EQ(names(), "GHIe");
  use("j", false);
  EXPECT_EQ(names(), "GHIj");
  EXPECT_EQ(rig.View("http://G").state, BreakerState::kOpen);
}

TEST(AdmissionMemory, BusyOnesAreNeverForgotten) {
  AdmissionOptions options = AdmissionRig::Limits(100, 10);
  options.targets_kept = 2;
  AdmissionRig rig(options);
  for (TimerId id = 1; id <= 10; ++id) rig.Stage(id, "http://" + std::to_string(id));
  EXPECT_EQ(rig.StartAll().size(), 10u);
  for (TimerId id = 1; id <= 10; ++id) rig.End(id);
  EXPECT_EQ(rig.admission.targets(), 2u);
}

}  // namespace
}  // namespace belfry
