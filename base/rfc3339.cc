#include "base/rfc3339.h"

#include <chrono>

namespace belfry {
namespace {

// Exactly `count` digits at `at`; -1 otherwise.
int Digits(std::string_view text, size_t at, size_t count) {
  if (at + count > text.size()) return -1;
  int value = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

bool InRange(int value, int low, int high) { return value >= low && value <= high; }

// The offset at the end of `text` in minutes; nullopt when it is not one.
std::optional<int> ParseOffset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int hours = Digits(text, 1, 2);
  const int minutes = Digits(text, 4, 2);
  if (!InRange(hours, 0, 23) || !InRange(minutes, 0, 59)) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

// Reads ".123456" at `at` and moves `at` behind it; milliseconds, 1000 included, or -1.
int ParseFraction(std::string_view text, size_t& at) {
  if (at >= text.size() || text[at] != '.') return 0;
  int ms = 0;
  int scale = 100;
  bool finer = false;
  const size_t first = ++at;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    ms += (text[at] - '0') * scale;
    finer = finer || (scale == 0 && text[at] != '0');
    scale /= 10;
    ++at;
  }
  if (at == first) return -1;
  // Up: a timer must not fire before the instant that was asked for.
  return finer ? ms + 1 : ms;
}

void PutDigits(char* out, int count, uint64_t value) {
  while (count-- > 0) {
    out[count] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

std::string FormatRfc3339(WallMs t) {
  std::string out;
  AppendRfc3339(t, &out);
  return out;
}

void AppendRfc3339(WallMs t, std::string* out) {
  using namespace std::chrono;
  const sys_time<milliseconds> point{milliseconds{t.ms}};
  const auto day = floor<days>(point);
  const year_month_day date{day};
  const auto ms = static_cast<unsigned>((point - day).count());
  char text[] = "0000-00-00T00:00:00.000Z";
  PutDigits(text, 4, static_cast<unsigned>(int(date.year())));
  PutDigits(text + 5, 2, unsigned(date.month()));
  PutDigits(text + 8, 2, unsigned(date.day()));
  PutDigits(text + 11, 2, ms / kHourMs);
  PutDigits(text + 14, 2, ms / kMinuteMs % 60);
  PutDigits(text + 17, 2, ms / kSecondMs % 60);
  PutDigits(text + 20, 3, ms % kSecondMs);
  out->append(text, sizeof text - 1);
}

std::optional<WallMs> ParseRfc3339(std::string_view text) {
  using namespace std::chrono;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  if (text[10] != 'T' && text[10] != 't') return std::nullopt;
  const int hour = Digits(text, 11, 2);
  const int minute = Digits(text, 14, 2);
  const int second = Digits(text, 17, 2);
  const int y = Digits(text, 0, 4);
  const int m = Digits(text, 5, 2);
  const int d = Digits(text, 8, 2);
  if (y < 0 || m < 0 || d < 0) return std::nullopt;
  const year_month_day date{year{y}, month{unsigned(m)}, day{unsigned(d)}};
  if (!date.ok() || !InRange(hour, 0, 23) || !InRange(minute, 0, 59) || !InRange(second, 0, 60)) {
    return std::nullopt;
  }
  size_t at = 19;
  const int ms = ParseFraction(text, at);
  if (ms < 0) return std::nullopt;
  const auto offset = ParseOffset(text.substr(at));
  if (!offset) return std::nullopt;
  // Leap seconds are put in at the end of a day, UTC.
  const int64_t minutes = int64_t{hour} * 60 + minute - *offset;
  constexpr int64_t kDayMinutes = kDayMs / kMinuteMs;
  if (second == 60 && (minutes + kDayMinutes) % kDayMinutes != kDayMinutes - 1) return std::nullopt;
  const int64_t days_ms = sys_days{date}.time_since_epoch().count() * kDayMs;
  return WallMs{days_ms + minutes * kMinuteMs + second * kSecondMs + ms};
}

}  // namespace belfry
