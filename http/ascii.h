// ascii.h - letters and digits of protocols, whatever the locale. Any thread.
#pragma once

#include <string_view>

namespace belfry {

constexpr bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsAsciiAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool IsAsciiVisible(char c) { return c > 0x20 && c < 0x7f; }
constexpr char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// -1 when `c` is no hexadecimal digit.
constexpr int HexValue(char c) {
  if (IsAsciiDigit(c)) return c - '0';
  const char l = AsciiLower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

// `lower` is in lower case.
constexpr bool EqualsIgnoringCase(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (AsciiLower(text[i]) != lower[i]) return false;
  }
  return true;
}

// A character of an HTTP token (RFC 9110, 5.6.2).
constexpr bool IsTokenChar(char c) {
  return IsAsciiDigit(c) || IsAsciiAlpha(c) ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
constexpr bool IsToken(std::string_view text) {
  for (const char c : text) {
    if (!IsTokenChar(c)) return false;
  }
  return !text.empty();
}

// Without spaces and tabs at both ends.
constexpr std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace belfry
