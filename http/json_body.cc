#include "http/json_body.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/limits.h"
#include "http/message.h"

namespace belfry {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

static_assert(kBodyPaddingBytes >= simdjson::SIMDJSON_PADDING);

bool IsContainer(element value) {
  return value.type() == element_type::OBJECT || value.type() == element_type::ARRAY;
}

// The first repeated key at any depth, as a pointer. Depth is bounded by the parser.
std::optional<std::string> FindRepeatedKey(element value, const std::string& pointer) {
  if (value.type() == element_type::ARRAY) {
    size_t index = 0;
    for (const element item : simdjson::dom::array(value)) {
      const size_t position = index++;
      if (!IsContainer(item)) continue;
      if (auto found = FindRepeatedKey(item, pointer + "/" + std::to_string(position))) {
        return found;
      }
    }
  }
  if (value.type() != element_type::OBJECT) return std::nullopt;
  std::vector<std::string_view> keys;
  for (const auto [key, member] : simdjson::dom::object(value)) {
    keys.push_back(key);
    if (!IsContainer(member)) continue;
    if (auto found = FindRepeatedKey(member, PointerTo(pointer, key))) return found;
  }
  std::sort(keys.begin(), keys.end());
  const auto repeated = std::adjacent_find(keys.begin(), keys.end());
  if (repeated == keys.end()) return std::nullopt;
  return PointerTo(pointer, *repeated);
}

std::string WhyInvalid(simdjson::error_code error) {
  switch (error) {
    case simdjson::DEPTH_ERROR:
      return "the JSON is nested too deeply";
    case simdjson::UTF8_ERROR:
      return "the body is not UTF-8";
    case simdjson::NUMBER_ERROR:
      return "a number is malformed or out of range";
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
  for (const char c : key) {
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
  const auto error = parser_.parse(body.data(), body.size(), false).get(root);
  if (error != simdjson::SUCCESS) {
    return BodyError{ProblemKind::kInvalidJson, WhyInvalid(error), {}};
  }
  simdjson::dom::object members;
  if (root.get(members) != simdjson::SUCCESS) {
    return BodyError{ProblemKind::kInvalidBody, "the body must be a JSON object", {}};
  }
  if (auto repeated = FindRepeatedKey(root, "")) {
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
