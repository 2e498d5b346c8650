#include "http/json_body.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "http/ascii.h"
#include "http/message.h"

namespace belfry {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

static_assert(kBodyPaddingBytes >= simdjson::SIMDJSON_PADDING);

bool IsContainer(element value) {
  return value.type() == element_type::OBJECT || value.type() == element_type::ARRAY;
}

// The first repeated key at any depth, as a pointer. Depth is bounded by the parser. The pointer is
// put together on the way back: made on the way down, a long key with many containers below it
// would be copied for each of them.
std::optional<std::string> FindRepeatedKey(element value) {
  if (value.type() == element_type::ARRAY) {
    size_t index = 0;
    for (const element item : simdjson::dom::array(value)) {
      const size_t position = index++;
      if (!IsContainer(item)) continue;
      if (const auto below = FindRepeatedKey(item)) {
        return PointerTo("", std::to_string(position)) + *below;
      }
    }
  }
  if (value.type() != element_type::OBJECT) return std::nullopt;
  std::vector<std::string_view> keys;
  for (const auto [key, member] : simdjson::dom::object(value)) {
    keys.push_back(key);
    if (!IsContainer(member)) continue;
    if (const auto below = FindRepeatedKey(member)) return PointerTo("", key) + *below;
  }
  std::sort(keys.begin(), keys.end());
  const auto repeated = std::adjacent_find(keys.begin(), keys.end());
  if (repeated == keys.end()) return std::nullopt;
  return PointerTo("", *repeated);
}

size_t DigitsAt(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && IsAsciiDigit(text[end])) ++end;
  return end - at;
}

enum class NumberKind { kNone, kInteger, kReal };

// What `text` is by the grammar of JSON, whatever its value.
NumberKind KindOfNumber(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  size_t digits = DigitsAt(text, at);
  if (digits == 0 || (digits > 1 && text[at] == '0')) return NumberKind::kNone;
  at += digits;
  if (at == text.size()) return NumberKind::kInteger;
  if (text[at] == '.') {
    digits = DigitsAt(text, ++at);
    if (digits == 0) return NumberKind::kNone;
    at += digits;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    digits = DigitsAt(text, at);
    if (digits == 0) return NumberKind::kNone;
    at += digits;
  }
  return at == text.size() ? NumberKind::kReal : NumberKind::kNone;
}

// What simdjson can hold and no member allows, of the sign of `number`; never longer than it. ""
// when `number` can be held, or is none.
std::string_view StandIn(const std::string& number) {
  const bool negative = number[0] == '-';
  switch (KindOfNumber(number)) {
    case NumberKind::kNone:
      return "";
    case NumberKind::kInteger: {
      uint64_t value = 0;
      const char* digits = number.c_str() + (negative ? 1 : 0);
      const char* end = number.c_str() + number.size();
      const bool held = std::from_chars(digits, end, value).ec == std::errc();
      if (held && (!negative || value <= uint64_t{1} << 63)) return "";
      return negative ? "-9223372036854775808" : "18446744073709551615";
    }
    case NumberKind::kReal:
      if (std::isfinite(std::strtod(number.c_str(), nullptr))) return "";
      return negative ? "-1e308" : "1e308";
  }
  CHECK(false);
}

// simdjson refuses a body for a number it cannot hold without saying where. With a stand-in the
// member is refused by its name, and within `json` the number is passed on as it was written.
void ReplaceHugeNumbers(std::string& body) {
  size_t at = 0;
  while ((at = body.find_first_of("\"-0123456789", at)) != std::string::npos) {
    if (body[at] == '"') {
      for (++at; at < body.size() && body[at] != '"'; ++at) {
        if (body[at] == '\\') ++at;
      }
      ++at;
      continue;
    }
    const size_t end = std::min(body.find_first_not_of("+-.eE0123456789", at), body.size());
    std::string stand_in(StandIn(body.substr(at, end - at)));
    if (!stand_in.empty()) {
      CHECK(stand_in.size() <= end - at);
      stand_in.resize(end - at, ' ');
      body.replace(at, end - at, stand_in);
    }
    at = end;
  }
}

std::string WhyInvalid(simdjson::error_code error) {
  switch (error) {
    case simdjson::DEPTH_ERROR:
      return "the JSON is nested too deeply";
    case simdjson::UTF8_ERROR:
      return "the body is not UTF-8";
    case simdjson::NUMBER_ERROR:
      return "a number is malformed";
    case simdjson::STRING_ERROR:
    case simdjson::UNESCAPED_CHARS:
      return "a string is malformed";
    case simdjson::UNCLOSED_STRING:
      return "a string is not closed";
    default:
      return "the body is not JSON";
  }
}

}  // namespace

std::string PointerTo(std::string_view parent, std::string_view key) {
  std::string out(parent);
  out += '/';
  for (const char c : Shortened(key)) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

JsonBody::JsonBody() {
  CHECK(parser_.allocate(kRequestBodyBytesMax, kJsonDepthMax) == simdjson::SUCCESS);
}

std::variant<simdjson::dom::object, BodyError> JsonBody::Parse(std::string_view body) {
  element root;
  auto error = parser_.parse(body.data(), body.size(), false).get(root);
  if (error == simdjson::NUMBER_ERROR) {
    std::string replaced;
    replaced.reserve(body.size() + kBodyPaddingBytes);
    replaced = body;
    ReplaceHugeNumbers(replaced);
    error = parser_.parse(replaced.data(), replaced.size(), false).get(root);
  }
  if (error != simdjson::SUCCESS) {
    return BodyError{ProblemKind::kInvalidJson, WhyInvalid(error), {}};
  }
  simdjson::dom::object members;
  if (root.get(members) != simdjson::SUCCESS) {
    return BodyError{ProblemKind::kInvalidBody,
                     "the body must be a JSON object",
                     {{"", "must be a JSON object"}}};
  }
  if (auto repeated = FindRepeatedKey(root)) {
    return BodyError{ProblemKind::kInvalidBody, "a key is repeated", {{*repeated, "is repeated"}}};
  }
  return members;
}

std::string JsonBody::RawMember(std::string_view body, std::string_view name) {
  simdjson::ondemand::document document;
  const simdjson::padded_string_view padded(body, body.size() + kBodyPaddingBytes);
  CHECK(raw_parser_.iterate(padded).get(document) == simdjson::SUCCESS);
  for (auto field : document.get_object()) {
    std::string_view key;
    CHECK(field.unescaped_key().get(key) == simdjson::SUCCESS);
    if (key != name) continue;
    simdjson::ondemand::value value;
    CHECK(field.value().get(value) == simdjson::SUCCESS);
    simdjson::ondemand::json_type type;
    CHECK(value.type().get(type) == simdjson::SUCCESS);
    std::string_view text;
    if (type == simdjson::ondemand::json_type::object) {
      simdjson::ondemand::object object;
      CHECK(value.get_object().get(object) == simdjson::SUCCESS);
      CHECK(object.raw_json().get(text) == simdjson::SUCCESS);
    } else if (type == simdjson::ondemand::json_type::array) {
      simdjson::ondemand::array array;
      CHECK(value.get_array().get(array) == simdjson::SUCCESS);
      CHECK(array.raw_json().get(text) == simdjson::SUCCESS);
    } else {
      text = value.raw_json_token();
    }
    while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.remove_suffix(1);
    return std::string(text);
  }
  CHECK(false);
}

}  // namespace belfry
