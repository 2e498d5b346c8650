// json_writer.h - writes JSON into a string: commas and escapes, nothing else. Loop thread only.
//
// The caller opens and closes in the right order. Strings are valid UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_string.h"

namespace belfry {

class JsonWriter {
 public:
  // `out` must outlive this; what is in it stays.
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& Open(char bracket);   // '{' or '['
  JsonWriter& Close(char bracket);  // '}' or ']'
  JsonWriter& Key(std::string_view name);
  JsonWriter& String(std::string_view value);
  JsonWriter& Int(int64_t value);
  JsonWriter& Uint(uint64_t value);
  JsonWriter& Number(double value);  // finite; the shortest text that reads back the same
  JsonWriter& Bool(bool value);
  JsonWriter& Null();

 private:
  void Separate();

  std::string& out_;
  bool first_ = true;  // nothing before it in its container
  bool after_key_ = false;
};

}  // namespace belfry
