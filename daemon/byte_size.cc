#include "daemon/byte_size.h"

#include <array>
#include <charconv>
#include <limits>

namespace belfry {
namespace {

struct Unit {
  std::string_view name;
  uint64_t bytes;
};
constexpr std::array<Unit, 5> kUnits{{{"TiB", uint64_t{1} << 40},
                                      {"GiB", uint64_t{1} << 30},
                                      {"MiB", uint64_t{1} << 20},
                                      {"KiB", uint64_t{1} << 10},
                                      {"B", 1}}};

}  // namespace

std::optional<uint64_t> ParseByteSize(std::string_view text) {
  uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc()) return std::nullopt;
  const std::string_view name(rest, static_cast<size_t>(end - rest));
  if (name.empty()) return count;
  for (const Unit& unit : kUnits) {
    if (unit.name != name) continue;
    if (count > std::numeric_limits<uint64_t>::max() / unit.bytes) return std::nullopt;
    return count * unit.bytes;
  }
  return std::nullopt;
}

std::string FormatByteSize(uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (bytes >= unit.bytes && bytes % unit.bytes == 0) {
      return std::to_string(bytes / unit.bytes) + std::string(unit.name);
    }
  }
  return "0B";
}

}  // namespace belfry
