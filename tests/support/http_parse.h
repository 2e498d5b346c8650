// http_parse.h - feeds bytes to a RequestParser in pieces, each in memory of its own that is gone
// afterwards, and writes down what came out. For tests of the parser.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/request_parser.h"

namespace belfry {

struct Parsed {
  std::vector<std::string> requests;  // "POST /path?query host=h [name=value]... body=<body>"
  int error_status = 0;               // 0: no error
  std::string error;
  RequestParser::Phase phase = RequestParser::Phase::kIdle;
  bool operator==(const Parsed&) const = default;
};

inline std::string Describe(const Request& request) {
  std::string out(VerbName(request.verb));
  out.append(" ").append(request.path).append("?").append(request.query);
  out.append(" host=").append(request.host);
  out.append(request.http_1_1 ? " 1.1" : " 1.0").append(request.keep_alive ? " keep" : " close");
  for (const HeaderField& field : request.headers) {
    out.append(" [").append(field.name).append("=").append(field.value).append("]");
  }
  out.append(" body=").append(request.body);
  return out;
}

// `cuts` are ascending offsets into `bytes`.
inline Parsed ParseInPieces(std::string_view bytes, const std::vector<size_t>& cuts,
                            ParserLimits limits = {}) {
  Parsed parsed;
  RequestParser parser(limits);
  size_t begin = 0;
  for (size_t i = 0; i <= cuts.size(); ++i) {
    const size_t end = i < cuts.size() ? cuts[i] : bytes.size();
    const auto memory = std::make_unique<char[]>(end - begin + kBodyPaddingBytes);
    std::memcpy(memory.get(), bytes.data() + begin, end - begin);
    std::string_view input(memory.get(), end - begin);
    begin = end;
    while (true) {
      const RequestParser::Event event = parser.Next(input);
      parsed.phase = parser.phase();
      if (event == RequestParser::Event::kNeedMore) break;
      if (event == RequestParser::Event::kError) {
        parsed.error_status = ProblemStatus(parser.error().kind);
        parsed.error = parser.error().detail;
        return parsed;
      }
      parsed.requests.push_back(Describe(parser.request()));
      if (input.empty()) break;
    }
  }
  return parsed;
}

}  // namespace belfry
