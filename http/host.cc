#include "http/host.h"

#include <arpa/inet.h>

#include <cstdint>
#include <string>

#include "http/ascii.h"

namespace belfry {
namespace {

bool ValidPort(std::string_view port) {
  uint32_t value = 0;
  if (port.size() > 5) return false;
  for (const char c : port) {
    if (!IsAsciiDigit(c)) return false;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  return value <= 65535;
}

bool IsAddress(int family, std::string_view text) {
  unsigned char address[16];
  return inet_pton(family, std::string(text).c_str(), address) == 1;
}

bool ValidName(std::string_view name) {
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '%') {
      if (i + 2 >= name.size() || HexValue(name[i + 1]) < 0 || HexValue(name[i + 2]) < 0) {
        return false;
      }
    } else if (!IsAsciiDigit(c) && !IsAsciiAlpha(c) &&
               std::string_view("-._~!$&'()*+,;=").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !name.empty();
}

}  // namespace

HostKind ClassifyHost(std::string_view host) {
  const bool bracketed = !host.empty() && host[0] == '[';
  size_t name_end = host.find(bracketed ? ']' : ':');
  if (bracketed && name_end == std::string_view::npos) return HostKind::kInvalid;
  if (bracketed) ++name_end;
  const std::string_view name = host.substr(0, name_end);
  const std::string_view rest = host.substr(name.size());
  if (!rest.empty() && (rest[0] != ':' || !ValidPort(rest.substr(1)))) return HostKind::kInvalid;
  if (bracketed) {
    const bool address = IsAddress(AF_INET6, name.substr(1, name.size() - 2));
    return address ? HostKind::kLocal : HostKind::kInvalid;
  }
  if (!ValidName(name)) return HostKind::kInvalid;
  const bool local = EqualsIgnoringCase(name, "localhost") || IsAddress(AF_INET, name);
  return local ? HostKind::kLocal : HostKind::kName;
}

}  // namespace belfry
