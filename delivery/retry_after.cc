#include "delivery/retry_after.h"

#include <curl/curl.h>

#include <algorithm>
#include <string>

#include "base/limits.h"

namespace belfry {
namespace {

constexpr size_t kHttpDateBytesMin = 24;  // "Sun Nov  6 08:49:37 1994", the shortest of three forms
constexpr size_t kHttpDateBytesMax = 40;

std::string_view Trim(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(" \t\r\n") - start + 1);
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

int64_t SecondsToMs(std::string_view digits) {
  int64_t ms = 0;
  for (const char c : digits) {
    ms = ms * 10 + (c - '0') * kSecondMs;
    if (ms >= kRetryAfterMsMax) return kRetryAfterMsMax;
  }
  return ms;
}

}  // namespace

std::optional<int64_t> ParseRetryAfter(std::string_view value, WallMs now) {
  value = Trim(value);
  if (value.empty()) return std::nullopt;
  if (std::all_of(value.begin(), value.end(), IsDigit)) return SecondsToMs(value);
  if (value.size() < kHttpDateBytesMin || value.size() > kHttpDateBytesMax) return std::nullopt;
  const time_t seconds = curl_getdate(std::string(value).c_str(), nullptr);
  if (seconds == -1) return std::nullopt;
  const int64_t wait_ms = WallMs{int64_t{seconds} * kSecondMs} - now;
  return std::clamp<int64_t>(wait_ms, 0, kRetryAfterMsMax);
}

}  // namespace belfry
