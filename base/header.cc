#include "base/header.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace belfry {
namespace {

constexpr std::array<std::string_view, 10> kReserved{
    "connection", "content-length",    "expect",  "host",      "keep-alive", "te",
    "trailer",    "transfer-encoding", "upgrade", "user-agent"};

constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> chars{};
  for (char c = '0'; c <= '9'; ++c) chars[static_cast<size_t>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) chars[static_cast<size_t>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) chars[static_cast<size_t>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) chars[static_cast<size_t>(c)] = true;
  return chars;
}();

bool IsTokenChar(char c) { return kTokenChars[static_cast<unsigned char>(c)]; }

bool IsControl(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool StartsWith(std::string_view name, std::string_view lower) {
  return name.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), name.begin(),
                    [](char wanted, char c) { return wanted == Lower(c); });
}

bool IsReserved(std::string_view name) {
  if (StartsWith(name, "webhook-") || StartsWith(name, "proxy-")) return true;
  return std::any_of(kReserved.begin(), kReserved.end(), [name](std::string_view reserved) {
    return name.size() == reserved.size() && StartsWith(name, reserved);
  });
}

}  // namespace

Status CheckHeader(std::string_view name, std::string_view value) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), IsTokenChar)) {
    return Invalid("the header name is not a token");
  }
  if (std::any_of(value.begin(), value.end(), IsControl)) {
    return Invalid("the header value contains a control character");
  }
  if (IsReserved(name)) {
    return Invalid("the header is set by Belfry itself");
  }
  return {};
}

}  // namespace belfry
