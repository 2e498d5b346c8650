// admission_rig.h - an Admission with its clock, and the short way to stage, start and end.
#pragma once

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/admission.h"
#include "tests/support/outcomes.h"

namespace belfry {

class AdmissionRig {
 public:
  static AdmissionOptions Limits(size_t max_in_flight, uint32_t per_target) {
    AdmissionOptions options;
    options.max_in_flight = max_in_flight;
    options.target.throttle.limit_max = per_target;
    return options;
  }

  AdmissionRig(size_t max_in_flight, uint32_t per_target)
      : AdmissionRig(Limits(max_in_flight, per_target)) {}
  explicit AdmissionRig(const AdmissionOptions& options) : admission(options) {}

  static TimerPtr Make(TimerId id, const std::string& target, int64_t at_ms, TenantId tenant) {
    auto timer = std::make_unique<Timer>();
    timer->id = id;
    timer->tenant = tenant;
    timer->next_attempt = {at_ms};
    timer->url = target + "/hook";
    return timer;
  }

  // `at_ms` from the start of the rig.
  void Stage(TimerId id, const std::string& target, int64_t at_ms = 0,
             TenantId tenant = kLocalTenant, int64_t open_wait_ms = 5000,
             Lane lane = Lane::kOnTime) {
    TimerPtr timer = Make(id, target, kStart.ms + at_ms, tenant);
    const size_t timer_bytes = MemoryBytes(*timer);
    bytes += timer_bytes;
    admission.Stage(std::move(timer), timer_bytes, open_wait_ms, lane, now);
  }

  // 0: nothing may start.
  TimerId Start() {
    const Timer* const peeked = admission.PeekNext(now);
    Admission::Started next = admission.Next(now);
    CHECK(next.timer.get() == peeked);
    if (!next.timer) return 0;
    const TimerId id = next.timer->id;
    started.emplace_back(id, next.slot);
    return id;
  }
  std::vector<TimerId> StartAll() {
    std::vector<TimerId> ids;
    while (const TimerId id = Start()) ids.push_back(id);
    return ids;
  }

  void End(Outcome outcome) {
    for (auto it = started.begin(); it != started.end(); ++it) {
      if (it->first != outcome.id) continue;
      const Admission::Slot slot = it->second;
      started.erase(it);
      if (looking_up.erase(outcome.id) > 0) admission.EndLookup(slot, now);
      outcome.started = now;
      return admission.Ended(slot, outcome, now);
    }
    CHECK(false);
  }
  // One that was started waits for the addresses of its target.
  void LookUp(TimerId id) {
    CHECK(looking_up.insert(id).second);
    admission.BeginLookup(SlotOf(id), now);
  }
  // It has one; false: and no slot.
  bool Connect(TimerId id) {
    CHECK(looking_up.contains(id));
    const Admission::Slot slot = SlotOf(id);
    if (!admission.HasSlotFor(slot)) return false;
    looking_up.erase(id);
    admission.EndLookup(slot, now);
    return true;
  }
  Admission::Slot SlotOf(TimerId id) const {
    const auto is_it = [id](const auto& one) { return one.first == id; };
    const auto found = std::find_if(started.begin(), started.end(), is_it);
    CHECK(found != started.end());
    return found->second;
  }
  void End(TimerId id, int32_t status = 200) { End(Answered(status, id)); }
  void Fail(TimerId id) { End(Unanswered(OutcomeKind::kFailed, id)); }

  // An idle target has answered at once: from now on it is prompt.
  void MakePrompt(const std::string& target) {
    constexpr TimerId kId = 2'000'000;
    Stage(kId, target);
    CHECK(Start() == kId);
    End(kId);
  }

  // Opens the breaker of an idle target by five attempts that fail.
  void Break(const std::string& target) {
    constexpr TimerId kFirst = 1'000'000;
    for (TimerId id = kFirst; id < kFirst + 5; ++id) {
      Stage(id, target);
      CHECK(Start() == id);
      Fail(id);
    }
  }

  // Lets the clock go on, as Tick does; the ids of those that have waited long enough.
  std::vector<TimerId> Pass(int64_t ms, size_t charges_max = 1000) {
    now = now + ms;
    std::vector<Admission::Waited> waited;
    admission.Advance(now, charges_max, &waited);
    std::vector<TimerId> ids;
    for (const Admission::Waited& one : waited) ids.push_back(one.timer->id);
    return ids;
  }
  // To the next moment that Advance is to be called at.
  std::vector<TimerId> PassToNext() { return Pass(*admission.NextUnblockAt() - now); }

  TargetView View(const std::string& target) {
    for (TargetView& view : admission.Page("", 1000, now).targets) {
      if (view.name == target) return std::move(view);
    }
    return {};
  }

  static constexpr WallMs kStart{1'000'000'000'000};
  WallMs now = kStart;
  Admission admission;
  std::vector<std::pair<TimerId, Admission::Slot>> started;
  std::set<TimerId> looking_up;  // of those
  size_t bytes = 0;              // of all that was staged
};

}  // namespace belfry
