#include "scheduler/callback.h"

#include <algorithm>
#include <string>

#include "base/decimal.h"

namespace belfry {
namespace {

std::string_view UrlFor(const Timer& ended) {
  if (ended.state == TimerState::kDelivered) return CallbackUrl(ended, CallbackOn::kSuccess);
  const bool failed = ended.reason != DeadReason::kNone;
  return failed ? CallbackUrl(ended, CallbackOn::kFailure) : std::string_view();
}

// Numbers and words of ours: nothing needs an escape.
std::string BodyOf(const Timer& ended) {
  std::string body = "{\"timer\":";
  AppendDecimal(ended.id, &body);
  body.append(",\"state\":\"").append(StateName(ended.state)).append("\",\"reason\":");
  if (ended.reason == DeadReason::kNone) {
    body += "null";
  } else {
    body.append("\"").append(ReasonName(ended.reason)).append("\"");
  }
  body += ",\"attempts\":";
  AppendDecimal(ended.attempts, &body);
  return body += '}';
}

}  // namespace

TimerPtr CallbackOf(const Timer& ended, WallMs now) {
  if (ended.callbacks.empty()) return nullptr;
  const std::string_view url = UrlFor(ended);
  if (url.empty()) return nullptr;
  auto callback = std::make_unique<Timer>();
  callback->tenant = ended.tenant;
  callback->due = callback->next_attempt = callback->created_at = std::max(now, WallMs{});
  callback->url = url;
  callback->headers.emplace_back("Content-Type", "application/json");
  callback->body = BodyOf(ended);
  return callback;
}

}  // namespace belfry
