// json_body.h - the body of a request as a JSON object, read strictly. Loop thread only.
//
// Refused as no JSON at all: trailing bytes, invalid UTF-8, a byte order mark, lone surrogates,
// more than kJsonDepthMax levels. Refused with a pointer: a key repeated in its object, at any
// depth. A number that neither 64 bits nor a double hold is given as the greatest that they do.
// Only files that read bodies include this one.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <variant>

#include "http/problem.h"

namespace belfry {

class JsonBody {
 public:
  JsonBody();

  // The members of `body`, valid until the next call. kBodyPaddingBytes can be read behind it.
  [[nodiscard]] std::variant<simdjson::dom::object, BodyError> Parse(std::string_view body);

  // The text of a member's value as it was sent. `body` was parsed and has that member.
  [[nodiscard]] std::string RawMember(std::string_view body, std::string_view name);

 private:
  simdjson::dom::parser parser_;  // keeps its memory from body to body
  simdjson::ondemand::parser raw_parser_;
};

// `parent` and one more reference token (RFC 6901), of a long key only the beginning.
[[nodiscard]] std::string PointerTo(std::string_view parent, std::string_view key);

}  // namespace belfry
