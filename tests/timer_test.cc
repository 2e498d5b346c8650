#include "base/timer.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/limits.h"

namespace belfry {
namespace {

Timer Good() {
  Timer t;
  t.id = 7;
  t.due = t.next_attempt = t.created_at = WallMs{1000};
  t.url = "http://r/x";
  return t;
}

TEST(Timer, TheTargetIsSchemeHostAndPort) {
  Timer t;
  t.url = "https://h:8443/p?x=1";
  EXPECT_EQ(TargetOf(t), "https://h:8443");
  t.url = "http://h?x";
  EXPECT_EQ(TargetOf(t), "http://h");
}

TEST(Timer, AValidTimerIsAccepted) { EXPECT_TRUE(Validate(Good()).ok()); }

using Cases = std::vector<std::pair<const char*, std::function<void(Timer&)>>>;

void ExpectNamed(const Cases& cases) {
  for (const auto& [member, breaks] : cases) {
    Timer t = Good();
    breaks(t);
    EXPECT_EQ(Validate(t).message(), member);
  }
}

TEST(Timer, EveryBrokenMemberIsNamed) {
  ExpectNamed({
      {"id", [](Timer& t) { t.id = 0; }},
      {"tenant", [](Timer& t) { t.tenant = 0; }},
      {"due", [](Timer& t) { t.due = {-1}; }},
      {"due", [](Timer& t) { t.due = kWallMax + 1; }},
      {"next_attempt", [](Timer& t) { t.next_attempt = {-1}; }},
      {"url", [](Timer& t) { t.url.clear(); }},
      {"url", [](Timer& t) { t.url.assign(kUrlBytesMax + 1, 'x'); }},
      {"body", [](Timer& t) { t.body.assign(kBodyBytesMax + 1, 'x'); }},
      {"headers", [](Timer& t) { t.headers.resize(kHeadersMax + 1); }},
      {"timeout", [](Timer& t) { t.timeout_ms = kTimeoutMsMax + 1; }},
      {"state",
       [](Timer& t) {
         t.state = TimerState::kFiring;
         t.finished = {1};
       }},
      {"finished", [](Timer& t) { t.finished = {1}; }},
      {"finished", [](Timer& t) { t.state = TimerState::kDelivered; }},
      {"reason",
       [](Timer& t) {
         t.state = TimerState::kDead;
         t.finished = {1};
       }},
      {"attempts", [](Timer& t) { t.attempts = 1; }},
      {"attempts", [](Timer& t) { t.state = TimerState::kRetrying; }},
      {"retry.max_attempts", [](Timer& t) { t.retry.emplace().max_attempts = 0; }},
      {"retry.jitter", [](Timer& t) { t.retry.emplace().jitter = 1.5; }},
      {"retry.factor", [](Timer& t) { t.retry.emplace().factor = 0.5; }},
      {"retry.min", [](Timer& t) { t.retry.emplace().min_ms = 5; }},
      {"retry.schedule", [](Timer& t) { t.retry.emplace().schedule_ms = {-1}; }},
      {"history", [](Timer& t) { t.history.resize(kHistoryMax + 1); }},
  });
}

TEST(Timer, EveryBrokenMemberOfEndsAndReplaysIsNamed) {
  ExpectNamed({
      {"reason",
       [](Timer& t) {
         t.state = TimerState::kCancelled;
         t.finished = {1};
         t.reason = DeadReason::kGone;
       }},
      {"attempts_base", [](Timer& t) { t.attempts_base = 1; }},
      {"attempts",
       [](Timer& t) {
         t.state = TimerState::kRetrying;
         t.attempts = t.attempts_base = 3;
         t.replayed_at = {1};
       }},
      {"attempts",
       [](Timer& t) {
         t.state = TimerState::kRetrying;
         t.attempts = kAttemptsMax + 1;
       }},
      {"replayed_at", [](Timer& t) { t.attempts = t.attempts_base = 3; }},
      {"replayed_at", [](Timer& t) { t.replayed_at = {-1}; }},
      {"max_lateness", [](Timer& t) { t.max_lateness_ms = -1; }},
      {"max_lateness", [](Timer& t) { t.max_lateness_ms = kMaxLatenessMsMax + 1; }},
      {"on_late", [](Timer& t) { t.on_late = OnLate::kDrop; }},
      {"on_late", [](Timer& t) { t.on_late = static_cast<OnLate>(3); }},
      {"callbacks", [](Timer& t) { t.callbacks.resize(1); }},
      {"callbacks",
       [](Timer& t) {
         t.callbacks = {{CallbackOn::kSuccess, std::string(kUrlBytesMax + 1, 'x')}};
       }},
      {"callbacks",
       [](Timer& t) {
         t.callbacks = {{static_cast<CallbackOn>(3), "http://a"}};
       }},
      {"callbacks",
       [](Timer& t) {
         t.callbacks = {{CallbackOn::kFailure, "http://a"}, {CallbackOn::kFailure, "http://b"}};
       }},
  });
}

TEST(Timer, AReplayedTimerIsPendingWithTheAttemptsOfBefore) {
  Timer t = Good();
  t.attempts = t.attempts_base = 2 * kAttemptsMax;
  t.replayed_at = {2000};
  EXPECT_TRUE(Validate(t).ok()) << Validate(t).message();
  t.attempts += 1;
  t.state = TimerState::kRetrying;
  EXPECT_TRUE(Validate(t).ok()) << Validate(t).message();
}

TEST(Timer, ACancelledTimerMayHaveExpired) {
  Timer t = Good();
  t.state = TimerState::kCancelled;
  t.reason = DeadReason::kExpired;
  t.finished = {1};
  EXPECT_TRUE(Validate(t).ok()) << Validate(t).message();
}

TEST(Timer, ACallbackIsFoundByTheEndItIsFor) {
  Timer t = Good();
  EXPECT_EQ(CallbackUrl(t, CallbackOn::kSuccess), "");
  t.callbacks = {{CallbackOn::kFailure, "http://f"}};
  EXPECT_EQ(CallbackUrl(t, CallbackOn::kSuccess), "");
  EXPECT_EQ(CallbackUrl(t, CallbackOn::kFailure), "http://f");
}

TEST(Timer, NamesAreReadBack) {
  for (const char* name : {"pending", "retrying", "delivered", "dead", "cancelled", "firing"}) {
    EXPECT_EQ(StateName(StateFromName(name).value()), name);
  }
  for (const char* name : {"POST", "PUT", "PATCH", "DELETE", "GET"}) {
    EXPECT_EQ(MethodName(MethodFromName(name).value()), name);
  }
  for (const char* name : {"fire", "drop", "deadletter"}) {
    EXPECT_EQ(OnLateName(OnLateFromName(name).value()), name);
  }
  EXPECT_EQ(OnLateFromName("dead"), std::nullopt);
  EXPECT_EQ(StateFromName("paused"), std::nullopt);
  EXPECT_EQ(MethodFromName("HEAD"), std::nullopt);
}

}  // namespace
}  // namespace belfry
