// token_hash.h - SHA-256 of tokens, and comparing such hashes. OpenSSL stops in token_hash.cc.
//
// A token is 256 random bits, so one round without salt is enough: nobody can go back from the hash
// or try all tokens. One thread for each TokenHasher.
#pragma once

#include <memory>
#include <string_view>

#include "http/caller.h"

struct evp_md_ctx_st;
struct evp_md_st;

namespace belfry {

class TokenHasher {
 public:
  TokenHasher();
  ~TokenHasher();
  TokenHasher(const TokenHasher&) = delete;
  TokenHasher& operator=(const TokenHasher&) = delete;

  [[nodiscard]] TokenHash Hash(std::string_view token);

 private:
  evp_md_st* const sha256_;  // fetched once: looking it up costs more than hashing a token
  evp_md_ctx_st* const context_;
};

// Take the same time wherever they differ.
[[nodiscard]] bool SameHash(const TokenHash& a, const TokenHash& b);
[[nodiscard]] bool SameBytes(std::string_view a, std::string_view b);  // of the same size

}  // namespace belfry
