#include "bench/json_line.h"

#include <cmath>
#include <cstdio>

namespace belfry {
namespace {

std::string Number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.12g", value);
  return text;
}

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

void JsonLine::Name(std::string_view name) {
  if (!members_.empty()) members_ += ',';
  members_ += Quoted(name) + ':';
}

JsonLine& JsonLine::Add(std::string_view name, double value) {
  Name(name);
  members_ += Number(value);
  return *this;
}

JsonLine& JsonLine::Add(std::string_view name, uint64_t value) {
  Name(name);
  members_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::Add(std::string_view name, int64_t value) {
  Name(name);
  members_ += std::to_string(value);
  return *this;
}

JsonLine& JsonLine::Add(std::string_view name, std::string_view value) {
  Name(name);
  members_ += Quoted(value);
  return *this;
}

JsonLine& JsonLine::Add(std::string_view name, const std::map<std::string, uint64_t>& counts) {
  JsonLine inner;
  for (const auto& [what, count] : counts) inner.Add(what, count);
  Name(name);
  members_ += inner.text();
  return *this;
}

JsonLine& JsonLine::AddSpread(std::string_view name, const Histogram& ns) {
  Name(name);
  if (ns.count() == 0) {
    members_ += "null";
    return *this;
  }
  const auto ms = [](int64_t value_ns) { return static_cast<double>(value_ns) / 1e6; };
  JsonLine inner;
  inner.Add("p50_ms", ms(ns.Quantile(0.5))).Add("p99_ms", ms(ns.Quantile(0.99)));
  inner.Add("p999_ms", ms(ns.Quantile(0.999))).Add("max_ms", ms(ns.max()));
  members_ += inner.text();
  return *this;
}

void JsonLine::Print() const { std::printf("%s\n", text().c_str()); }

}  // namespace belfry
