// decimal.h - a number in digits behind what a string holds, without a string of its own. Any
// thread.
#pragma once

#include <charconv>
#include <concepts>
#include <string>

namespace belfry {

template <std::integral Number>
void AppendDecimal(Number number, std::string* out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out->append(digits, static_cast<size_t>(end - digits));
}

}  // namespace belfry
