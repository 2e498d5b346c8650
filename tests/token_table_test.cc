#include "http/token_table.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

TokenHash HashOf(uint8_t first, uint8_t last) {
  TokenHash hash{};
  hash.front() = first;
  hash.back() = last;
  return hash;
}

Grant GrantOf(const TokenHash& token, TenantId tenant) {
  Grant grant;
  grant.token = token;
  grant.tenant = tenant;
  return grant;
}

TEST(TokenTable, FindsWhatWasAddedAndNothingElse) {
  TokenTable table;
  EXPECT_EQ(table.Find(HashOf(1, 1)), nullptr);
  EXPECT_TRUE(table.Add(GrantOf(HashOf(1, 1), 2)));
  EXPECT_FALSE(table.Add(GrantOf(HashOf(1, 1), 3)));
  ASSERT_NE(table.Find(HashOf(1, 1)), nullptr);
  EXPECT_EQ(table.Find(HashOf(1, 1))->tenant, 2u);
  EXPECT_EQ(table.Find(HashOf(2, 1)), nullptr);
  EXPECT_EQ(table.Find({}), nullptr);
}

// Nobody finds tokens with such hashes, but a file may have lines that somebody made up.
TEST(TokenTable, HashesThatBeginAlikeAreTwo) {
  TokenTable table;
  EXPECT_TRUE(table.Add(GrantOf(HashOf(1, 1), 2)));
  EXPECT_TRUE(table.Add(GrantOf(HashOf(1, 2), 3)));
  EXPECT_EQ(table.size(), 2u);
  EXPECT_EQ(table.Find(HashOf(1, 1))->tenant, 2u);
  EXPECT_EQ(table.Find(HashOf(1, 2))->tenant, 3u);
  EXPECT_EQ(table.Find(HashOf(1, 3)), nullptr);
}

}  // namespace
}  // namespace belfry
