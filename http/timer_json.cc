#include "http/timer_json.h"

#include <algorithm>
#include <optional>

#include "base/duration.h"
#include "base/header.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "http/ascii.h"
#include "http/field_errors.h"
#include "http/json_body.h"

namespace belfry {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr int64_t kGeometricMinMs = 5 * kSecondMs;
constexpr int64_t kGeometricMaxMs = kDayMs;
constexpr double kGeometricFactor = 2.0;

bool HasControl(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u == 0x7f;
  });
}

// Reads the members of one body into one timer and gathers what is wrong with them.
class TimerBuilder {
 public:
  TimerBuilder(const NormaliseUrlFn& normalise_url, const RetryPolicy& default_retry, WallMs now)
      : normalise_url_(normalise_url), default_retry_(default_retry), now_(now) {}

  void ReadBody(simdjson::dom::object body) {
    for (const auto [key, value] : body) ReadMember(key, value);
  }
  // After ReadBody. `raw_json` is the text of the member `json`.
  void Finish(std::string raw_json);

  [[nodiscard]] bool has_json() const { return has_json_; }
  [[nodiscard]] bool failed() const { return errors_.any(); }
  [[nodiscard]] TimerPtr TakeTimer() { return std::move(timer_); }
  [[nodiscard]] BodyError TakeErrors() { return errors_.Take(); }

 private:
  void ReadMember(std::string_view key, element value);
  void ReadWish(std::string_view key, element value);
  std::optional<std::string> Url(const std::string& pointer, element value);
  void ReadCallback(std::string_view key, element value);
  void ReadOnLate(element value);
  void ReadAt(element value);
  void ReadMethod(element value);
  void ReadHeaders(element value);
  void ReadHeader(std::string_view name, element value);
  void ReadTimeout(element value);
  void ReadRetry(element value);
  void ReadRetryMember(std::string_view key, element value, RetryPolicy& retry);
  void ReadSchedule(element value, RetryPolicy& retry);
  void FinishWhen();
  void FinishLateness();

  void Fail(std::string pointer, std::string detail) {
    errors_.Add(std::move(pointer), std::move(detail));
  }
  std::optional<std::string_view> String(const std::string& pointer, element value) {
    return errors_.String(pointer, value);
  }
  std::optional<int64_t> Integer(const std::string& pointer, element value, int64_t min,
                                 int64_t max);
  std::optional<double> Number(const std::string& pointer, element value, double min, double max);
  std::optional<int64_t> Duration(const std::string& pointer, element value, int64_t min_ms,
                                  int64_t max_ms);
  void AddUnits(const std::string& pointer, element value, int64_t unit_ms);

  const NormaliseUrlFn& normalise_url_;
  const RetryPolicy& default_retry_;
  const WallMs now_;
  TimerPtr timer_ = std::make_unique<Timer>();
  FieldErrors errors_;

  bool has_units_ = false;  // hours, minutes or seconds
  bool has_delay_ = false;
  bool has_at_ = false;
  bool has_url_ = false;
  bool has_body_ = false;
  bool has_json_ = false;
  bool has_content_type_ = false;
  bool has_on_late_ = false;
  std::string when_pointer_;  // of the last member that said when
  int64_t delay_ms_ = 0;
  WallMs at_;
  size_t header_bytes_ = 0;
};

std::optional<int64_t> TimerBuilder::Integer(const std::string& pointer, element value, int64_t min,
                                             int64_t max) {
  int64_t number = 0;
  if (value.get(number) == simdjson::SUCCESS && number >= min && number <= max) return number;
  if (value.type() == element_type::INT64 || value.type() == element_type::UINT64) {
    Fail(pointer, "must be from " + std::to_string(min) + " to " + std::to_string(max));
  } else {
    Fail(pointer, "must be an integer");
  }
  return std::nullopt;
}

std::optional<double> TimerBuilder::Number(const std::string& pointer, element value, double min,
                                           double max) {
  double number = 0;
  if (value.get(number) == simdjson::SUCCESS && number >= min && number <= max) return number;
  Fail(pointer, "must be a number from " + std::to_string(static_cast<int>(min)) + " to " +
                    std::to_string(static_cast<int>(max)));
  return std::nullopt;
}

std::optional<int64_t> TimerBuilder::Duration(const std::string& pointer, element value,
                                              int64_t min_ms, int64_t max_ms) {
  const auto text = String(pointer, value);
  if (!text) return std::nullopt;
  const auto duration_ms = ParseDuration(*text);
  if (!duration_ms) {
    Fail(pointer, "must be a duration such as `90s`, `4h1s` or `PT4H1S`");
  } else if (*duration_ms < min_ms || *duration_ms > max_ms) {
    Fail(pointer, "must be from " + FormatDuration(min_ms) + " to " + FormatDuration(max_ms));
  } else {
    return duration_ms;
  }
  return std::nullopt;
}

void TimerBuilder::AddUnits(const std::string& pointer, element value, int64_t unit_ms) {
  has_units_ = true;
  when_pointer_ = pointer;
  if (const auto count = Integer(pointer, value, 0, kWallMax.ms / unit_ms)) {
    delay_ms_ += *count * unit_ms;
  }
}

void TimerBuilder::ReadMember(std::string_view key, element value) {
  if (key == "hours") {
    AddUnits("/hours", value, kHourMs);
  } else if (key == "minutes") {
    AddUnits("/minutes", value, kMinuteMs);
  } else if (key == "seconds") {
    AddUnits("/seconds", value, kSecondMs);
  } else if (key == "url") {
    has_url_ = true;
    timer_->url = Url("/url", value).value_or("");
  } else if (key == "delay") {
    has_delay_ = true;
    when_pointer_ = "/delay";
    delay_ms_ += Duration("/delay", value, 0, kWallMax.ms).value_or(0);
  } else if (key == "at") {
    ReadAt(value);
  } else if (key == "method") {
    ReadMethod(value);
  } else if (key == "headers") {
    ReadHeaders(value);
  } else if (key == "body") {
    has_body_ = true;
    if (const auto text = String("/body", value)) timer_->body = *text;
  } else if (key == "json") {
    has_json_ = true;
  } else if (key == "append_id") {
    if (value.get(timer_->append_id) != simdjson::SUCCESS) Fail("/append_id", "must be a boolean");
  } else if (key == "timeout") {
    ReadTimeout(value);
  } else if (key == "retry") {
    ReadRetry(value);
  } else {
    ReadWish(key, value);
  }
}

void TimerBuilder::ReadWish(std::string_view key, element value) {
  if (key == "max_lateness") {
    timer_->max_lateness_ms = Duration("/max_lateness", value, 1, kMaxLatenessMsMax).value_or(1);
  } else if (key == "on_late") {
    ReadOnLate(value);
  } else if (key == "on_success" || key == "on_failure") {
    ReadCallback(key, value);
  } else {
    Fail(PointerTo("", key), "there is no such member");
  }
}

std::optional<std::string> TimerBuilder::Url(const std::string& pointer, element value) {
  const auto text = String(pointer, value);
  if (!text) return std::nullopt;
  Result<std::string> url = CheckUrl(*text, normalise_url_);
  if (url.ok()) return std::move(*url);
  Fail(pointer, url.status().message());
  return std::nullopt;
}

void TimerBuilder::ReadOnLate(element value) {
  has_on_late_ = true;
  const auto text = String("/on_late", value);
  if (!text) return;
  const auto on_late = OnLateFromName(*text);
  if (!on_late) {
    Fail("/on_late", "must be fire, drop or deadletter");
  } else {
    timer_->on_late = *on_late;
  }
}

void TimerBuilder::ReadCallback(std::string_view key, element value) {
  const std::string pointer = "/" + std::string(key);
  simdjson::dom::object members;
  if (value.get(members) != simdjson::SUCCESS) {
    Fail(pointer, "must be an object with a `url`");
    return;
  }
  bool has_url = false;
  for (const auto [name, member] : members) {
    if (name != "url") {
      Fail(PointerTo(pointer, name), "there is no such member");
      continue;
    }
    has_url = true;
    if (auto url = Url(pointer + "/url", member)) {
      const bool success = key == "on_success";
      timer_->callbacks.push_back(
          {success ? CallbackOn::kSuccess : CallbackOn::kFailure, std::move(*url)});
    }
  }
  if (!has_url) Fail(pointer + "/url", "is needed");
}

void TimerBuilder::ReadAt(element value) {
  has_at_ = true;
  when_pointer_ = "/at";
  const auto text = String("/at", value);
  if (!text) return;
  const auto at = ParseRfc3339(*text);
  if (!at) {
    Fail("/at", "must be a time such as `2026-11-21T08:00:00.000Z`, with an offset");
  } else {
    at_ = *at;
  }
}

void TimerBuilder::ReadMethod(element value) {
  const auto text = String("/method", value);
  if (!text) return;
  const auto method = MethodFromName(*text);
  if (!method) {
    Fail("/method", "must be POST, PUT, PATCH, DELETE or GET");
  } else {
    timer_->method = *method;
  }
}

void TimerBuilder::ReadHeaders(element value) {
  simdjson::dom::object headers;
  if (value.get(headers) != simdjson::SUCCESS) {
    Fail("/headers", "must be an object of strings");
    return;
  }
  for (const auto [name, text] : headers) ReadHeader(name, text);
}

void TimerBuilder::ReadHeader(std::string_view name, element value) {
  const std::string pointer = PointerTo("/headers", name);
  const auto text = String(pointer, value);
  if (!text) return;
  if (const Status s = CheckHeader(name, *text); !s.ok()) {
    Fail(pointer, s.message());
    return;
  }
  const std::string wanted(name);
  for (const auto& [other, unused] : timer_->headers) {
    if (std::equal(other.begin(), other.end(), name.begin(), name.end(),
                   [](char a, char b) { return AsciiLower(a) == AsciiLower(b); })) {
      Fail(pointer, "is there twice, in different cases");
      return;
    }
  }
  if (EqualsIgnoringCase(name, "content-type")) has_content_type_ = true;
  header_bytes_ += name.size() + text->size();
  // Not beyond the limits, so that a long list is not compared with itself.
  if (timer_->headers.size() <= kHeadersMax)
    timer_->headers.emplace_back(wanted, TrimBlanks(*text));
}

void TimerBuilder::ReadTimeout(element value) {
  if (const auto ms = Duration("/timeout", value, kTimeoutMsMin, kTimeoutMsMax)) {
    timer_->timeout_ms = *ms;
  }
}

void TimerBuilder::ReadRetry(element value) {
  simdjson::dom::object members;
  if (value.get(members) != simdjson::SUCCESS) {
    Fail("/retry", "must be an object");
    return;
  }
  RetryPolicy retry = default_retry_;
  bool scheduled = false;
  bool geometric = false;
  for (const auto [key, unused] : members) {
    if (key == "schedule") scheduled = true;
    if (key == "min" || key == "max" || key == "factor") geometric = true;
  }
  if (scheduled && geometric) {
    Fail("/retry", "has either `schedule` or `min`, `max` and `factor`");
    return;
  }
  if (geometric) {
    retry.schedule_ms.clear();
    retry.min_ms = kGeometricMinMs;
    retry.max_ms = kGeometricMaxMs;
    retry.factor = kGeometricFactor;
  }
  for (const auto [key, member] : members) ReadRetryMember(key, member, retry);
  if (geometric && retry.min_ms > retry.max_ms) Fail("/retry/min", "must not be more than `max`");
  if (members.size() > 0) timer_->retry = std::move(retry);
}

void TimerBuilder::ReadRetryMember(std::string_view key, element value, RetryPolicy& retry) {
  const std::string pointer = PointerTo("/retry", key);
  if (key == "max_attempts") {
    if (const auto n = Integer(pointer, value, 1, kAttemptsMax)) {
      retry.max_attempts = static_cast<uint32_t>(*n);
    }
  } else if (key == "schedule") {
    ReadSchedule(value, retry);
  } else if (key == "min") {
    retry.min_ms = Duration(pointer, value, 1, kRetryDelayMsMax).value_or(retry.min_ms);
  } else if (key == "max") {
    retry.max_ms = Duration(pointer, value, 1, kRetryDelayMsMax).value_or(retry.max_ms);
  } else if (key == "factor") {
    retry.factor = Number(pointer, value, 1, 100).value_or(retry.factor);
  } else if (key == "jitter") {
    retry.jitter = Number(pointer, value, 0, 1).value_or(retry.jitter);
  } else {
    Fail(pointer, "there is no such member");
  }
}

void TimerBuilder::ReadSchedule(element value, RetryPolicy& retry) {
  simdjson::dom::array delays;
  if (value.get(delays) != simdjson::SUCCESS || delays.size() == 0 ||
      delays.size() > kScheduleMax) {
    Fail("/retry/schedule",
         "must be an array of 1 to " + std::to_string(kScheduleMax) + " durations");
    return;
  }
  retry.schedule_ms.clear();
  for (const element delay : delays) {
    const std::string pointer = "/retry/schedule/" + std::to_string(retry.schedule_ms.size());
    retry.schedule_ms.push_back(Duration(pointer, delay, 0, kRetryDelayMsMax).value_or(0));
  }
}

void TimerBuilder::FinishWhen() {
  const int ways = int{has_units_} + int{has_delay_} + int{has_at_};
  if (ways != 1) {
    Fail(ways == 0 ? "" : when_pointer_,
         "needs exactly one way to say when: `hours`/`minutes`/`seconds`, `delay` or `at`");
    return;
  }
  // A time in the past means now.
  timer_->due = has_at_ ? std::max(at_, now_) : now_ + delay_ms_;
  if (timer_->due > kWallMax) Fail(when_pointer_, "is after the year 9999");
}

void TimerBuilder::FinishLateness() {
  if (has_on_late_ && timer_->max_lateness_ms == 0) Fail("/on_late", "needs `max_lateness`");
}

void TimerBuilder::Finish(std::string raw_json) {
  FinishWhen();
  FinishLateness();
  if (!has_url_) Fail("/url", "is needed");
  if (has_body_ && has_json_) Fail("/json", "cannot be together with `body`");
  if (has_json_) {
    timer_->body = std::move(raw_json);
    if (!has_content_type_) timer_->headers.emplace_back("Content-Type", "application/json");
  }
  if (timer_->headers.size() > kHeadersMax || header_bytes_ > kHeaderBytesMax) {
    Fail("/headers", "must be at most " + std::to_string(kHeadersMax) + ", of together " +
                         std::to_string(kHeaderBytesMax) + " bytes");
  }
  timer_->next_attempt = timer_->due;
}

}  // namespace

Result<std::string> CheckUrl(std::string_view text, const NormaliseUrlFn& normalise_url) {
  const std::string too_long = "must be at most " + std::to_string(kUrlBytesMax) + " bytes long";
  if (text.size() > kUrlBytesMax) return Invalid(too_long);
  if (HasControl(text) || text.find(' ') != std::string_view::npos) {
    return Invalid("must not contain white space or control characters");
  }
  Result<std::string> url = normalise_url(text);
  if (url.ok() && url->size() > kUrlBytesMax) return Invalid(too_long);
  return url;
}

TimerReader::TimerReader(NormaliseUrlFn normalise_url, RetryPolicy default_retry)
    : normalise_url_(std::move(normalise_url)),
      default_retry_(std::move(default_retry)),
      json_(std::make_unique<JsonBody>()) {}

TimerReader::~TimerReader() = default;

std::variant<TimerPtr, BodyError> TimerReader::Read(std::string_view body, TenantId tenant,
                                                    WallMs now) {
  TimerBuilder builder(normalise_url_, default_retry_, now);
  std::string raw_json;
  if (!body.empty()) {
    auto parsed = json_->Parse(body);
    if (auto* error = std::get_if<BodyError>(&parsed)) return std::move(*error);
    builder.ReadBody(std::get<simdjson::dom::object>(parsed));
    if (builder.has_json()) raw_json = json_->RawMember(body, "json");
  }
  builder.Finish(std::move(raw_json));
  if (builder.failed()) return builder.TakeErrors();
  TimerPtr timer = builder.TakeTimer();
  timer->tenant = tenant;
  return timer;
}

}  // namespace belfry
