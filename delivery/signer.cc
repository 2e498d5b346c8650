#include "delivery/signer.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/check.h"

namespace belfry {
namespace {

constexpr std::string_view kHmacPrefix = "whsec_";
constexpr std::string_view kEd25519Prefix = "whsk_";
constexpr size_t kHmacBytesMin = 24;
constexpr size_t kHmacBytesMax = 64;
constexpr size_t kSeedBytes = 32;
constexpr size_t kSeedAndPublicBytes = 64;
constexpr size_t kHashBytes = 32;
constexpr size_t kSignatureBytes = 64;

using Bytes = std::vector<unsigned char>;

void Wipe(Bytes* bytes) { OPENSSL_cleanse(bytes->data(), bytes->size()); }

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r\n";
  const size_t first = text.find_first_not_of(kWhite);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kWhite) - first + 1);
}

// EVP_DecodeBlock takes '=' anywhere and leaves out white space and '-' at the ends, so the form is
// checked before.
std::optional<Bytes> DecodeBase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string_view digits = text.substr(0, text.size() - padding);
  if (digits.find_first_not_of(kAlphabet) != digits.npos) return std::nullopt;
  Bytes bytes(text.size() / 4 * 3);
  const int length =
      EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  CHECK(length == static_cast<int>(bytes.size()));  // padding counted
  for (size_t i = 0; i < padding; ++i) bytes.pop_back();
  return bytes;
}

void AppendBase64(const unsigned char* bytes, size_t size, std::string* out) {
  std::array<unsigned char, kSignatureBytes / 3 * 4 + 8> text;
  const int length = EVP_EncodeBlock(text.data(), bytes, static_cast<int>(size));
  out->append(reinterpret_cast<const char*>(text.data()), static_cast<size_t>(length));
}

}  // namespace

class Signer::Key {
 public:
  virtual ~Key() = default;
  virtual void Append(std::string_view message, std::string* out) const = 0;
};

// Hashing the key is half the work of a short message, so it is done once and copied.
class Signer::HmacKey final : public Key {
 public:
  explicit HmacKey(const Bytes& secret)
      : mac_(EVP_MAC_fetch(nullptr, "HMAC", nullptr)), keyed_(EVP_MAC_CTX_new(mac_)) {
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                     OSSL_PARAM_construct_end()};
    CHECK(keyed_ != nullptr && EVP_MAC_init(keyed_, secret.data(), secret.size(), parameters) == 1);
  }
  ~HmacKey() override {
    EVP_MAC_CTX_free(keyed_);
    EVP_MAC_free(mac_);
  }

  void Append(std::string_view message, std::string* out) const override {
    EVP_MAC_CTX* context = EVP_MAC_CTX_dup(keyed_);
    std::array<unsigned char, kHashBytes> hash;
    size_t size = 0;
    CHECK(context != nullptr &&
          EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(message.data()),
                         message.size()) == 1 &&
          EVP_MAC_final(context, hash.data(), &size, hash.size()) == 1 && size == hash.size());
    EVP_MAC_CTX_free(context);
    out->append("v1,");
    AppendBase64(hash.data(), hash.size(), out);
  }

 private:
  EVP_MAC* mac_;
  EVP_MAC_CTX* keyed_;
};

class Signer::Ed25519Key final : public Key {
 public:
  explicit Ed25519Key(EVP_PKEY* key) : key_(key) {}
  ~Ed25519Key() override { EVP_PKEY_free(key_); }

  void Append(std::string_view message, std::string* out) const override {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    std::array<unsigned char, kSignatureBytes> signature;
    size_t size = signature.size();
    CHECK(context != nullptr && EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_) == 1 &&
          EVP_DigestSign(context, signature.data(), &size,
                         reinterpret_cast<const unsigned char*>(message.data()),
                         message.size()) == 1);
    EVP_MD_CTX_free(context);
    out->append("v1a,");
    AppendBase64(signature.data(), size, out);
  }

 private:
  EVP_PKEY* key_;
};

Signer::Signer() = default;
Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

Status Signer::Add(std::string_view text) {
  text = Trim(text);
  const bool ed25519 = text.starts_with(kEd25519Prefix);
  if (ed25519) {
    text.remove_prefix(kEd25519Prefix.size());
  } else if (text.starts_with(kHmacPrefix)) {
    text.remove_prefix(kHmacPrefix.size());
  } else if (text.starts_with("whpk_")) {
    return Invalid("is a public key, whpk_; Belfry signs with the private one, whsk_");
  }
  std::optional<Bytes> secret = DecodeBase64(text);
  if (!secret) return Invalid("is not base64 behind its prefix");
  const Status status = ed25519 ? AddEd25519(*secret) : AddHmac(*secret);
  Wipe(&*secret);
  return status;
}

Status Signer::AddHmac(const std::vector<unsigned char>& secret) {
  if (secret.size() < kHmacBytesMin || secret.size() > kHmacBytesMax) {
    return Invalid("must have 24 to 64 bytes");
  }
  keys_.push_back(std::make_unique<HmacKey>(secret));
  return {};
}

Status Signer::AddEd25519(const std::vector<unsigned char>& secret) {
  if (secret.size() != kSeedBytes && secret.size() != kSeedAndPublicBytes) {
    return Invalid("must have the 32 bytes of an ed25519 seed, or those and the public key's");
  }
  EVP_PKEY* key =
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), kSeedBytes);
  CHECK(key != nullptr);
  auto owner = std::make_unique<Ed25519Key>(key);
  std::array<unsigned char, kSeedAndPublicBytes - kSeedBytes> public_key;
  size_t size = public_key.size();
  CHECK(EVP_PKEY_get_raw_public_key(key, public_key.data(), &size) == 1);
  if (secret.size() == kSeedAndPublicBytes &&
      !std::equal(public_key.begin(), public_key.end(), secret.begin() + kSeedBytes)) {
    return Invalid("ends with a public key that is not the seed's");
  }
  keys_.push_back(std::move(owner));
  return {};
}

void Signer::AppendSignatures(std::string_view id, std::string_view timestamp,
                              std::string_view body, std::string* out) const {
  CHECK(!keys_.empty());
  std::string message;
  message.reserve(id.size() + timestamp.size() + body.size() + 2);
  message.append(id).append(".").append(timestamp).append(".").append(body);
  for (const auto& key : keys_) {
    if (key != keys_.front()) *out += ' ';
    key->Append(message, out);
  }
}

}  // namespace belfry
