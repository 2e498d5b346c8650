#include "base/header.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

TEST(Header, NamesMustBeTokens) {
  for (const char* name :
       {"", "a b", "a:", "a\r\nb", "\xc3\xa4", "(a)", "a\"", "a/b", "a\x7f", "a\xff", "a\x80"}) {
    EXPECT_FALSE(CheckHeader(name, "v").ok()) << name;
  }
  EXPECT_FALSE(CheckHeader(std::string_view("a\0b", 3), "v").ok());
  EXPECT_TRUE(CheckHeader("X-a_1.2!#$%&'*+^`|~", "v").ok());
}

TEST(Header, ValuesMustNotBreakTheLine) {
  for (const char* value : {"a\r\nb", "a\nb", "a\rb", "\x01", "\x7f", "\x1b[0m"}) {
    EXPECT_FALSE(CheckHeader("X", value).ok());
  }
  EXPECT_FALSE(CheckHeader("X", std::string_view("a\0b", 3)).ok());
  for (const char* value : {"", "a\tb", "k\xc3\xa4se", "a: b; c=\"d\""}) {
    EXPECT_TRUE(CheckHeader("X", value).ok());
  }
}

TEST(Header, WhatBelfrySetsCannotBeSet) {
  for (const char* name :
       {"Host", "content-LENGTH", "Transfer-Encoding", "Connection", "Expect", "TE", "Trailer",
        "Upgrade", "Keep-Alive", "webhook-id", "Webhook-Due", "User-Agent", "Proxy-Authorization",
        "webhook-timestamp", "webhook-attempt", "webhook-signature"}) {
    const Status status = CheckHeader(name, "v");
    EXPECT_FALSE(status.ok()) << name;
  }
  EXPECT_TRUE(CheckHeader("Authorization", "Bearer x").ok());
}

}  // namespace
}  // namespace belfry
