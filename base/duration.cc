#include "base/duration.h"

#include <array>

#include "base/time.h"

namespace belfry {
namespace {

constexpr int64_t kDurationMsMax = 10'000LL * 366 * kDayMs;

struct Unit {
  std::string_view name;
  int64_t ms;
};
constexpr std::array<Unit, 6> kShortUnits{{{"w", 7 * kDayMs},
                                           {"d", kDayMs},
                                           {"h", kHourMs},
                                           {"m", kMinuteMs},
                                           {"s", kSecondMs},
                                           {"ms", 1}}};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes leading digits off `text`. nullopt when there is none or the number is absurd.
std::optional<int64_t> TakeNumber(std::string_view& text) {
  int64_t value = 0;
  size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) {
    value = value * 10 + (text[digits] - '0');
    if (value > kDurationMsMax) return std::nullopt;
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool StartsFraction(std::string_view text) {
  return !text.empty() && (text[0] == '.' || text[0] == ',');
}

// Takes ".5" or ",250" off `text` as thousandths; finer than a millisecond is an error.
std::optional<int64_t> TakeFraction(std::string_view& text) {
  if (!StartsFraction(text)) return 0;
  text.remove_prefix(1);
  int64_t thousandths = 0;
  int64_t scale = 100;
  size_t digits = 0;
  while (digits < text.size() && IsDigit(text[digits])) {
    if (digits >= 3 && text[digits] != '0') return std::nullopt;
    thousandths += (text[digits] - '0') * scale;
    scale /= 10;
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return thousandths;
}

bool Add(int64_t& total, int64_t count, int64_t unit_ms) {
  if (count > (kDurationMsMax - total) / unit_ms) return false;
  total += count * unit_ms;
  return true;
}

std::optional<int64_t> ParseShort(std::string_view text) {
  int64_t total = 0;
  size_t next_unit = 0;
  while (!text.empty()) {
    const auto count = TakeNumber(text);
    if (!count) return std::nullopt;
    size_t letters = 0;
    while (letters < text.size() && !IsDigit(text[letters])) ++letters;
    const std::string_view name = text.substr(0, letters);
    text.remove_prefix(letters);
    while (next_unit < kShortUnits.size() && kShortUnits[next_unit].name != name) ++next_unit;
    if (next_unit == kShortUnits.size()) return std::nullopt;
    if (!Add(total, *count, kShortUnits[next_unit].ms)) return std::nullopt;
    ++next_unit;
  }
  return total;
}

// One half of the ISO form: `units` in order, each at most once; nothing follows a fraction.
bool ParseIsoPart(std::string_view text, std::string_view letters, const int64_t* units_ms,
                  int64_t& total, bool& fraction_seen) {
  size_t next = 0;
  while (!text.empty()) {
    if (fraction_seen) return false;
    const auto count = TakeNumber(text);
    fraction_seen = StartsFraction(text);
    const auto fraction = count ? TakeFraction(text) : std::nullopt;
    if (!fraction || text.empty()) return false;
    const size_t unit = letters.find(text[0], next);
    if (unit == std::string_view::npos) return false;
    text.remove_prefix(1);
    if (!Add(total, *count, units_ms[unit])) return false;
    total += *fraction * units_ms[unit] / 1000;
    next = unit + 1;
  }
  return true;
}

std::optional<int64_t> ParseIso(std::string_view text) {
  constexpr std::array<int64_t, 2> kDateUnits{7 * kDayMs, kDayMs};
  constexpr std::array<int64_t, 3> kTimeUnits{kHourMs, kMinuteMs, kSecondMs};
  text.remove_prefix(1);
  const size_t t = text.find('T');
  const std::string_view date = text.substr(0, t);
  int64_t total = 0;
  bool fraction_seen = false;
  if (!ParseIsoPart(date, "WD", kDateUnits.data(), total, fraction_seen)) return std::nullopt;
  if (t == std::string_view::npos) return date.empty() ? std::nullopt : std::optional(total);
  const std::string_view time = text.substr(t + 1);
  if (time.empty()) return std::nullopt;
  if (!ParseIsoPart(time, "HMS", kTimeUnits.data(), total, fraction_seen)) return std::nullopt;
  return total;
}

}  // namespace

std::optional<int64_t> ParseDuration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return text[0] == 'P' ? ParseIso(text) : ParseShort(text);
}

std::string FormatDuration(int64_t duration_ms) {
  if (duration_ms == 0) return "0s";
  std::string out;
  for (const Unit& unit : kShortUnits) {
    if (unit.name == "w") continue;
    if (duration_ms >= unit.ms) {
      out += std::to_string(duration_ms / unit.ms);
      out += unit.name;
      duration_ms %= unit.ms;
    }
  }
  return out;
}

}  // namespace belfry
