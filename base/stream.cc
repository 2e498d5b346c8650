#include "base/stream.h"

#include "base/json_string.h"
#include "base/rfc3339.h"

namespace belfry {
namespace {

constexpr size_t kUuidChars = 36;

bool IsDash(size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

std::optional<uint8_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  if (lower >= 'a' && lower <= 'f') return static_cast<uint8_t>(lower - 'a' + 10);
  return std::nullopt;
}

}  // namespace

StreamId UuidV4(uint64_t high, uint64_t low) {
  StreamId id;
  for (size_t i = 0; i < 8; ++i) {
    id.bytes[i] = static_cast<uint8_t>(high >> (56 - 8 * i));
    id.bytes[8 + i] = static_cast<uint8_t>(low >> (56 - 8 * i));
  }
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::string FormatUuid(const StreamId& id) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(kUuidChars);
  for (const uint8_t byte : id.bytes) {
    if (IsDash(out.size())) out += '-';
    out += kHex[byte >> 4];
    out += kHex[byte & 0xf];
  }
  return out;
}

std::optional<StreamId> ParseUuid(std::string_view text) {
  if (text.size() != kUuidChars) return std::nullopt;
  StreamId id;
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsDash(i)) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const auto digit = HexDigit(text[i]);
    if (!digit) return std::nullopt;
    uint8_t& byte = id.bytes[digits++ / 2];
    byte = static_cast<uint8_t>(byte << 4 | *digit);
  }
  return id;
}

std::string ExpiryBody(std::string_view user, const StreamId& id, const Lease& lease) {
  std::string body = "{\"userId\":";
  AppendJsonString(body, user);
  body.append(",\"streamId\":\"").append(FormatUuid(id)).append("\",\"content\":");
  if (lease.content.empty()) {
    body += "null";
  } else {
    AppendJsonString(body, lease.content);
  }
  body += ",\"expiredAt\":\"";
  AppendRfc3339(lease.expires_at, &body);
  return body += "\"}";
}

}  // namespace belfry
