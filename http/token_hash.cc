#include "http/token_hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace belfry {

TokenHasher::TokenHasher()
    : sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
  CHECK(sha256_ != nullptr && context_ != nullptr);
}

TokenHasher::~TokenHasher() {
  EVP_MD_CTX_free(context_);
  EVP_MD_free(sha256_);
}

TokenHash TokenHasher::Hash(std::string_view token) {
  TokenHash hash;
  unsigned length = 0;
  CHECK(EVP_DigestInit_ex2(context_, sha256_, nullptr) == 1);
  CHECK(EVP_DigestUpdate(context_, token.data(), token.size()) == 1);
  CHECK(EVP_DigestFinal_ex(context_, hash.data(), &length) == 1 && length == hash.size());
  return hash;
}

bool SameHash(const TokenHash& a, const TokenHash& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool SameBytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace belfry
