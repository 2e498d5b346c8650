// token_table.h - the tokens that let somebody in, by their hashes.
//
// Loop thread only. A value: made whole, then put in the place of the last one. Looking up costs
// the same whether the token is known or not; what that tells of a stored hash tells nothing of its
// token.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/time.h"
#include "http/caller.h"

namespace belfry {

struct Grant {
  TokenHash token{};
  TenantId tenant = 0;
  std::string user;
  Scopes scopes;
  std::optional<WallMs> expires;  // at this time it is over

  [[nodiscard]] bool IsOver(WallMs now) const { return expires && now >= *expires; }
};

class TokenTable {
 public:
  // False: a grant of this token is there.
  [[nodiscard]] bool Add(Grant grant);
  // Null: unknown. Borrowed until the next Add.
  [[nodiscard]] const Grant* Find(const TokenHash& token) const;
  [[nodiscard]] size_t size() const { return grants_.size(); }

 private:
  // Random already, for every token that was made here.
  struct FirstBytes {
    size_t operator()(const TokenHash& token) const;
  };
  std::vector<Grant> grants_;
  absl::flat_hash_map<TokenHash, uint32_t, FirstBytes> places_;
};

}  // namespace belfry
