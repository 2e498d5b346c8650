#include "http/timer_view.h"

#include <algorithm>

#include "base/check.h"
#include "base/duration.h"
#include "base/rfc3339.h"
#include "http/json_writer.h"

namespace belfry {
namespace {

int64_t TimeLeftSeconds(const TimerView& view, WallMs now) {
  const bool ended = !IsAlive(view.state) && view.state != TimerState::kFiring;
  const int64_t left_ms = view.due - now;
  return ended || left_ms <= 0 ? 0 : (left_ms + kSecondMs - 1) / kSecondMs;
}

void WriteTime(JsonWriter& json, std::string_view key, WallMs t) {
  json.Key(key).String(FormatRfc3339(t));
}

void WriteAttempts(JsonWriter& json, const Timer& timer) {
  json.Key("attempts").Open('[');
  for (const Attempt& attempt : timer.history) {
    json.Open('{');
    WriteTime(json, "at", attempt.at);
    json.Key("status");
    attempt.status == 0 ? json.Null() : json.Int(attempt.status);
    json.Key("error");
    attempt.error.empty() ? json.Null() : json.String(attempt.error);
    json.Key("duration_ms").Int(attempt.duration_ms).Close('}');
  }
  json.Close(']');
}

// Only what was asked for.
void WriteWishes(JsonWriter& json, const Timer& timer) {
  if (timer.max_lateness_ms != 0) {
    json.Key("max_lateness").String(FormatDuration(timer.max_lateness_ms));
    json.Key("on_late").String(OnLateName(timer.on_late));
  }
  for (const Callback& callback : timer.callbacks) {
    json.Key(callback.on == CallbackOn::kSuccess ? "on_success" : "on_failure");
    json.Open('{').Key("url").String(callback.url).Close('}');
  }
}

}  // namespace

void AppendShortView(std::string& out, const TimerView& view, WallMs now) {
  JsonWriter json(out);
  json.Open('{').Key("id").Uint(view.id);
  json.Key("time_left").Int(TimeLeftSeconds(view, now)).Close('}');
}

void AppendFullView(std::string& out, const TimerView& view, WallMs now) {
  CHECK(view.timer != nullptr);
  const Timer& timer = *view.timer;
  JsonWriter json(out);
  json.Open('{').Key("id").Uint(view.id);
  json.Key("time_left").Int(TimeLeftSeconds(view, now));
  json.Key("state").String(StateName(view.state));
  WriteTime(json, "due", view.due);
  WriteTime(json, "created_at", timer.created_at);
  json.Key("url").String(timer.url);
  json.Key("method").String(MethodName(timer.method));
  WriteAttempts(json, timer);
  json.Key("next_attempt");
  IsAlive(view.state) ? json.String(FormatRfc3339(timer.next_attempt)) : json.Null();
  json.Key("lateness_ms");
  timer.history.empty() ? json.Null()
                        : json.Int(std::max<int64_t>(0, timer.history[0].at - timer.due));
  json.Key("reason");
  timer.reason == DeadReason::kNone ? json.Null() : json.String(ReasonName(timer.reason));
  WriteWishes(json, timer);
  json.Close('}');
}

}  // namespace belfry
