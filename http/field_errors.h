// field_errors.h - what is wrong with the members of one body, gathered. Loop thread only.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "http/problem.h"

namespace belfry {

// The first kFieldErrorsMax are kept.
class FieldErrors {
 public:
  void Add(std::string pointer, std::string detail) {
    if (errors_.size() < kFieldErrorsMax) {
      errors_.push_back({std::move(pointer), std::move(detail)});
    }
  }
  // nullopt: it is none, which is added.
  std::optional<std::string_view> String(const std::string& pointer, simdjson::dom::element value) {
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) return text;
    Add(pointer, "must be a string");
    return std::nullopt;
  }
  [[nodiscard]] bool any() const { return !errors_.empty(); }
  // There are any.
  [[nodiscard]] BodyError Take() {
    BodyError error;
    const FieldError& first = errors_.front();
    error.detail = (first.pointer.empty() ? "the body" : first.pointer) + ' ' + first.detail;
    error.errors = std::move(errors_);
    return error;
  }

 private:
  std::vector<FieldError> errors_;
};

}  // namespace belfry
