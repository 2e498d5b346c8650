#include "base/header.h"

#include <algorithm>
#include <array>
#include <string>

namespace belfry {
namespace {

constexpr std::array<std::string_view, 10> kReserved{
    "connection", "content-length",    "expect",  "host",      "keep-alive", "te",
    "trailer",    "transfer-encoding", "upgrade", "user-agent"};

bool IsTokenChar(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsControl(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

Status CheckHeader(std::string_view name, std::string_view value) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsTokenChar)) {
    return Invalid("the header name is not a token");
  }
  if (std::any_of(value.begin(), value.end(), IsControl)) {
    return Invalid("the header value contains a control character");
  }
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  if (lower.starts_with("webhook-") || lower.starts_with("proxy-") ||
      std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end()) {
    return Invalid("the header is set by Belfry itself");
  }
  return {};
}

}  // namespace belfry
