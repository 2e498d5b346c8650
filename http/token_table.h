// token_table.h - the tokens that let somebody in, by their hashes.
//
// Loop thread only. A value: made whole, then put in the place of the last one. Looking up costs
// the same whether the token is known or not; what that tells of a stored hash tells nothing of its
// token.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/id.h"
#include "base/time.h"
#include "http/caller.h"
#include "http/token_hash.h"

namespace belfry {

struct Grant {
  TokenHash token{};
  TenantId tenant = 0;
  Scopes scopes;
  std::optional<WallMs> expires;  // at this time it is over
};

class TokenTable {
 public:
  // False: a grant of this token is there.
  [[nodiscard]] bool Add(Grant grant);
  // Null: unknown. Borrowed until the next Add.
  [[nodiscard]] const Grant* Find(const TokenHash& token) const;
  [[nodiscard]] size_t size() const { return grants_.size(); }

 private:
  // A hash is as good as random wherever it is cut; one that was written by hand need not be, and
  // two of those may begin alike.
  struct FirstBytes {
    size_t operator()(const TokenHash& token) const {
      size_t first;
      std::memcpy(&first, token.data(), sizeof first);
      return first;
    }
  };
  struct Same {
    bool operator()(const TokenHash& a, const TokenHash& b) const { return SameHash(a, b); }
  };

  std::vector<Grant> grants_;
  absl::flat_hash_map<TokenHash, uint32_t, FirstBytes, Same> places_;
};

}  // namespace belfry
