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

TEST(Timer, EveryBrokenMemberIsNamed) {
  const std::vector<std::pair<const char*, std::function<void(Timer&)>>> cases{
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
  };
  for (const auto& [member, breaks] : cases) {
    Timer t = Good();
    breaks(t);
    EXPECT_EQ(Validate(t).message(), member);
  }
}

TEST(Timer, NamesAreReadBack) {
  for (const char* name : {"pending", "retrying", "delivered", "dead", "cancelled", "firing"}) {
    EXPECT_EQ(StateName(StateFromName(name).value()), name);
  }
  for (const char* name : {"POST", "PUT", "PATCH", "DELETE", "GET"}) {
    EXPECT_EQ(MethodName(MethodFromName(name).value()), name);
  }
  EXPECT_EQ(StateFromName("paused"), std::nullopt);
  EXPECT_EQ(MethodFromName("HEAD"), std::nullopt);
}

}  // namespace
}  // namespace belfry
