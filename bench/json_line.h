// json_line.h - one JSON object as one line, members in the order they are added. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "bench/histogram.h"

namespace belfry {

class JsonLine {
 public:
  JsonLine& Add(std::string_view name, double value);  // what is not finite becomes null
  JsonLine& Add(std::string_view name, uint64_t value);
  JsonLine& Add(std::string_view name, int64_t value);
  JsonLine& Add(std::string_view name, std::string_view value);
  JsonLine& Add(std::string_view name, const std::map<std::string, uint64_t>& counts);
  // p50, p99, p99.9 and max in milliseconds of nanoseconds; null when nothing was recorded.
  JsonLine& AddSpread(std::string_view name, const Histogram& ns);

  [[nodiscard]] std::string text() const { return "{" + members_ + "}"; }
  void Print() const;  // on stdout, with a line break

 private:
  void Name(std::string_view name);

  std::string members_;
};

}  // namespace belfry
