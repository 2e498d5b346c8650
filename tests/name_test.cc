#include "base/name.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace belfry {
namespace {

std::string Repeat(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(Name, PrintableTextOfAnyScriptIsOne) {
  for (const char* name :
       {"a", "johndoe", "a b", "#1", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\xab\x96", "\xc2\xa0",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsName(name)) << name;
  }
}

TEST(Name, ControlCharactersAreNotPartOfOne) {
  for (int c = 0; c < 0x20; ++c) EXPECT_FALSE(IsName(std::string("a") + static_cast<char>(c))) << c;
  EXPECT_FALSE(IsName("a\x7f"));
  EXPECT_FALSE(IsName("\xc2\x80"));
  EXPECT_FALSE(IsName("\xc2\x9f"));
}

TEST(Name, WhatIsNotUtf8IsNone) {
  for (const char* text :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe2\x82", "\xe0\x80\x80", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x9f\xab", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff", "\xc3\x28", "a\xe2\x28\xa1"}) {
    EXPECT_FALSE(IsName(text)) << testing::PrintToString(std::string(text));
  }
}

TEST(Name, ItsLengthIsCountedInCharacters) {
  EXPECT_FALSE(IsName(""));
  for (const char* character : {"a", "\xc3\xa4", "\xf0\x9f\xab\x96"}) {
    EXPECT_TRUE(IsName(Repeat(character, kUserNameCharsMax)));
    EXPECT_FALSE(IsName(Repeat(character, kUserNameCharsMax + 1)));
  }
}

}  // namespace
}  // namespace belfry
