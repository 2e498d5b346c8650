// timer_json.h - the body of `POST /timers`, read strictly into a Timer.
//
// Loop thread only. Refused, each with a JSON pointer: unknown members, wrong types, numbers that
// are not integers, sums that leave now .. year 9999, and more or fewer than one way to say when;
// besides all that json_body.h refuses.
//
// Headers: none twice, and only what base/header.h allows.
//
// Retries: what `retry` leaves out is as configured; naming one of `min`, `max`, `factor` asks for
// a geometric row instead of a schedule, by default 5 s, 1 day, 2.
//
// `on_late` needs `max_lateness`. `on_success` and `on_failure` are objects with a `url` alone.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "base/timer.h"
#include "http/problem.h"

namespace belfry {

// Absolute http or https, as it will be sent, or why not (delivery/url.h).
using NormaliseUrlFn = std::function<Result<std::string>(std::string_view)>;

class JsonBody;

// What a client may give as a URL, normalised. The message follows the name of a member.
[[nodiscard]] Result<std::string> CheckUrl(std::string_view text,
                                           const NormaliseUrlFn& normalise_url);

class TimerReader {
 public:
  TimerReader(NormaliseUrlFn normalise_url, RetryPolicy default_retry);
  ~TimerReader();

  // kBodyPaddingBytes can be read behind `body`; "" is `{}`. The timer is the tenant's, has no id
  // and state kPending; `due` is at or after `now`.
  [[nodiscard]] std::variant<TimerPtr, BodyError> Read(std::string_view body, TenantId tenant,
                                                       WallMs now);

 private:
  const NormaliseUrlFn normalise_url_;
  const RetryPolicy default_retry_;
  const std::unique_ptr<JsonBody> json_;
};

}  // namespace belfry
