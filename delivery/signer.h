// signer.h - signs webhooks by Standard Webhooks 1.0: v1 (HMAC-SHA256) and v1a (ed25519).
//
// Signed are `id.timestamp.body`, the timestamp in Unix seconds; receivers find it in
// webhook-timestamp and refuse what is more than some minutes old, so each attempt is signed anew.
// With several secrets each signs, in their order, separated by spaces: receivers accept any one of
// them, which is what makes rotation possible.
//
// Any thread; const members may run at once. Secrets are wiped from memory when a Signer ends, and
// appear in no message.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace belfry {

class Signer {
 public:
  Signer();  // without secrets: nothing is signed
  ~Signer();
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;

  // Adds the secret written in `text`: `whsec_` and base64 of 24 to 64 bytes (the prefix may be
  // missing) signs with v1; `whsk_` and base64 of a 32-byte ed25519 seed, or of the 64-byte key
  // that begins with it and ends with its public key, signs with v1a. White space around it is
  // ignored. kInvalid says what is wrong, without any of the text.
  [[nodiscard]] Status Add(std::string_view text);

  [[nodiscard]] bool empty() const { return keys_.empty(); }
  [[nodiscard]] size_t size() const { return keys_.size(); }

  // Appends the value of webhook-signature. The id has no dot. There is a secret.
  void AppendSignatures(std::string_view id, std::string_view timestamp, std::string_view body,
                        std::string* out) const;

 private:
  class Key;
  class HmacKey;
  class Ed25519Key;

  [[nodiscard]] Status AddHmac(const std::vector<unsigned char>& secret);
  [[nodiscard]] Status AddEd25519(const std::vector<unsigned char>& secret);

  std::vector<std::unique_ptr<Key>> keys_;
};

}  // namespace belfry
