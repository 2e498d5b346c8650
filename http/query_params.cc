#include "http/query_params.h"

#include <algorithm>

#include "http/ascii.h"
#include "http/problem.h"

namespace belfry {

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexValue(text[i + 1]);
    const int low = HexValue(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string PercentEncode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (IsAsciiAlpha(c) || IsAsciiDigit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kHex[(c >> 4) & 0xf];
      out += kHex[c & 0xf];
    }
  }
  return out;
}

Result<QueryParams> QueryParams::Parse(std::string_view query,
                                       const std::vector<std::string_view>& allowed,
                                       const std::vector<std::string_view>& repeated) {
  QueryParams params;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const bool cut_short = end != std::string_view::npos && query.empty();
    const size_t equals = pair.find('=');
    if (cut_short || equals == std::string_view::npos || equals == 0) {
      return Invalid("the query is not a row of `name=value` joined by `&`");
    }
    auto name = PercentDecode(pair.substr(0, equals));
    auto value = PercentDecode(pair.substr(equals + 1));
    if (!name || !value) return Invalid("the query has a `%` without two hexadecimal digits");
    if (std::find(allowed.begin(), allowed.end(), *name) == allowed.end()) {
      return Invalid("there is no query parameter `" + Shortened(pair.substr(0, equals)) +
                     "` here");
    }
    const bool may_repeat = std::find(repeated.begin(), repeated.end(), *name) != repeated.end();
    if (!may_repeat && params.Get(*name))
      return Invalid("the query parameter `" + *name + "` is repeated");
    params.values_.emplace_back(std::move(*name), std::move(*value));
  }
  return params;
}

std::vector<std::string> QueryParams::All(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : values_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::optional<std::string_view> QueryParams::Get(std::string_view name) const {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

}  // namespace belfry
