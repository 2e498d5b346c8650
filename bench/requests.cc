#include "bench/requests.h"

#include "base/duration.h"

namespace belfry {

std::string AuthorizationLine(const std::string& token) {
  return token.empty() ? "" : "Authorization: Bearer " + token + "\r\n";
}

Result<SetRequests> SetRequests::Make(const std::string& host_port, int64_t delay_ms,
                                      const std::string& target, const std::string& token) {
  for (const char c : target) {
    if (c <= ' ' || c == '"' || c == '\\' || c == '\x7f') {
      return Invalid("\"" + target + "\" is not a URL");
    }
  }
  const std::string body =
      "{\"delay\":\"" + FormatDuration(delay_ms) + "\",\"url\":\"" + target + "\"}";
  return SetRequests(
      "POST /timers HTTP/1.1\r\nHost: " + host_port + "\r\n" + AuthorizationLine(token) +
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body);
}

GetRequests::GetRequests(const std::string& host_port, uint64_t first, uint64_t last, bool full,
                         bool in_order, const std::string& token)
    : tail_(std::string(full ? "?view=full" : "") + " HTTP/1.1\r\nHost: " + host_port + "\r\n" +
            AuthorizationLine(token) + "\r\n"),
      ids_(first, last),
      first_(first),
      last_(last),
      in_order_(in_order),
      next_(first) {}

std::string_view GetRequests::Next() {
  uint64_t id = next_;
  if (in_order_) {
    next_ = next_ == last_ ? first_ : next_ + 1;
  } else {
    id = ids_(random_);
  }
  request_ = "GET /timers/";
  request_ += std::to_string(id);
  request_ += tail_;
  return request_;
}

}  // namespace belfry
