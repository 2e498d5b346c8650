// config_schema.h - the one list of configuration keys with their types and bounds. Reading and
// printing are two visitors of it, so that neither can forget a key. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "daemon/config.h"

namespace belfry {

// Bounds are inclusive. A value given by reference is the present one; a reader replaces it.
class ConfigVisitor {
 public:
  using SetText = std::function<Status(const std::string&)>;

  virtual ~ConfigVisitor() = default;
  virtual void BeginSection(std::string_view key) = 0;
  virtual void EndSection() = 0;
  virtual void Count(std::string_view key, uint64_t& value, uint64_t min, uint64_t max) = 0;
  virtual void Bytes(std::string_view key, uint64_t& value, uint64_t min, uint64_t max) = 0;
  virtual void Duration(std::string_view key, int64_t& value_ms, int64_t min_ms,
                        int64_t max_ms) = 0;
  virtual void Durations(std::string_view key, std::vector<int64_t>& values_ms, size_t count_max,
                         int64_t min_ms, int64_t max_ms) = 0;
  virtual void Fraction(std::string_view key, double& value) = 0;  // 0..1
  virtual void Flag(std::string_view key, bool& value) = 0;
  // `set` checks and takes a new value; its message says what is wrong, without the key.
  virtual void Text(std::string_view key, const std::string& value, const SetText& set) = 0;
  // The same, and null stands for "".
  virtual void TextOrNull(std::string_view key, const std::string& value, const SetText& set) = 0;
  virtual void Texts(std::string_view key, std::vector<std::string>& values, size_t count_max,
                     const SetText& check) = 0;
  // A list of sections. `count` is how many there are at present; the result is how many BeginItem
  // and EndItem there must be before EndList. No list within a list.
  [[nodiscard]] virtual size_t BeginList(std::string_view key, size_t count, size_t count_max) = 0;
  virtual void BeginItem() = 0;
  virtual void EndItem() = 0;
  virtual void EndList() = 0;
};

// Visits every key of `config` in the order of the documentation.
void VisitConfig(ConfigVisitor& visitor, Config& config);

}  // namespace belfry
