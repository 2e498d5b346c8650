#include "delivery/tls_profile.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <utility>

#include "base/check.h"

namespace belfry {
namespace {

using Certificate = std::unique_ptr<x509_st, TlsFree>;
using Issuers = std::unique_ptr<x509_store_st, TlsFree>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

Bio Over(std::string_view pem) {
  Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  CHECK(bio != nullptr);
  return bio;
}

// What OpenSSL says of the last failure; nothing may stay behind, curl reads the same queue.
std::string TakeOpensslError() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason == nullptr ? "no reason given" : reason;
  ERR_clear_error();
  return text;
}

// A folder of issuers, which OpenSSL looks into by name when it needs one.
const char* IssuersFolder() { return curl_version_info(CURLVERSION_NOW)->capath; }

Issuers EmptyStore() {
  Issuers store(X509_STORE_new());
  CHECK(store != nullptr);
  // As curl does: what is trusted ends a chain, also when it is no root.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);
  if (const char* folder = IssuersFolder()) X509_STORE_load_path(store.get(), folder);
  ERR_clear_error();
  return store;
}

template <typename Fn>
void ForEachIssuer(X509_STORE* store, Fn fn) {
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(store);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); ++i) {
    X509* issuer = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (issuer != nullptr) fn(issuer);
  }
}

Issuers CopyOf(X509_STORE* store) {
  Issuers copy = EmptyStore();
  ForEachIssuer(store, [&](X509* issuer) { CHECK(X509_STORE_add_cert(copy.get(), issuer) == 1); });
  return copy;
}

// Calls `fn` with each certificate; text between them is left out.
template <typename Fn>
Status ForEachCertificate(std::string_view pem, Fn fn) {
  const Bio bio = Over(pem);
  int count = 0;
  ERR_clear_error();
  while (Certificate certificate{PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)}) {
    fn(std::move(certificate));
    ++count;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = TakeOpensslError();
  if (!at_end)
    return Invalid("cannot be read after " + std::to_string(count) + " certificates: " + why);
  if (count == 0) return Invalid("holds no certificate in PEM");
  return {};
}

// Instead of a question at the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

void Add(EVP_MD_CTX* hash, const void* bytes, size_t size) {
  CHECK(EVP_DigestUpdate(hash, bytes, size) == 1);
}

void Add(EVP_MD_CTX* hash, const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  CHECK(X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1);
  Add(hash, digest.data(), size);
}

}  // namespace

void TlsFree::operator()(evp_pkey_st* key) const { EVP_PKEY_free(key); }
void TlsFree::operator()(stack_st_X509* chain) const { sk_X509_pop_free(chain, X509_free); }
void TlsFree::operator()(x509_st* certificate) const { X509_free(certificate); }
void TlsFree::operator()(x509_store_st* store) const { X509_STORE_free(store); }

SystemIssuers SystemIssuers::Load(const std::string& file) {
  SystemIssuers issuers;
  issuers.store_ = EmptyStore();
  const char* own = curl_version_info(CURLVERSION_NOW)->cainfo;
  const std::string path = file.empty() && own != nullptr ? own : file;
  issuers.empty_ = path.empty() ? IssuersFolder() == nullptr
                                : X509_STORE_load_file(issuers.store_.get(), path.c_str()) != 1;
  ERR_clear_error();
  return issuers;
}

TlsProfile::TlsProfile(const SystemIssuers& system)
    : issuers_(system.store_.get()), no_issuers_(system.empty_) {
  CHECK(X509_STORE_up_ref(issuers_.get()) == 1);
}

Status TlsProfile::AddIssuers(std::string_view pem) {
  issuers_ = CopyOf(issuers_.get());
  no_issuers_ = false;
  return ForEachCertificate(pem, [this](Certificate issuer) {
    CHECK(X509_STORE_add_cert(issuers_.get(), issuer.get()) == 1);
  });
}

Status TlsProfile::SetCertificate(std::string_view pem) {
  certificate_.reset();
  chain_.reset(sk_X509_new_null());
  CHECK(chain_ != nullptr);
  const Status read = ForEachCertificate(pem, [this](Certificate certificate) {
    if (certificate_ == nullptr) {
      certificate_ = std::move(certificate);
    } else {
      CHECK(sk_X509_push(chain_.get(), certificate.release()) > 0);
    }
  });
  if (!read.ok()) return read;
  // OpenSSL refuses weak ones, and would do so for each connection.
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> probe(SSL_CTX_new(TLS_client_method()),
                                                                &SSL_CTX_free);
  CHECK(probe != nullptr);
  if (SSL_CTX_use_certificate(probe.get(), certificate_.get()) == 1 &&
      SSL_CTX_set1_chain(probe.get(), chain_.get()) == 1) {
    return {};
  }
  return Invalid("is refused by OpenSSL: " + TakeOpensslError());
}

Status TlsProfile::SetKey(std::string_view pem) {
  CHECK(certificate_ != nullptr);
  const Bio bio = Over(pem);
  bool asked = false;
  key_.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, &asked));
  ERR_clear_error();
  if (asked) return Invalid("is encrypted; passphrases are not supported, decrypt it");
  if (key_ == nullptr) return Invalid("holds no private key in PEM");
  const bool matches = X509_check_private_key(certificate_.get(), key_.get()) == 1;
  ERR_clear_error();
  if (!matches) return Invalid("is not the key of the certificate");
  return {};
}

std::string TlsProfile::Fingerprint() const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(),
                                                                     &EVP_MD_CTX_free);
  CHECK(hash != nullptr && EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr) == 1);
  ForEachIssuer(issuers_.get(), [&](X509* issuer) { Add(hash.get(), issuer); });
  // The key is the certificate's, so it need not be in here.
  const int chain = certificate_ == nullptr ? -1 : sk_X509_num(chain_.get());
  Add(hash.get(), &chain, sizeof(chain));
  if (certificate_ != nullptr) Add(hash.get(), certificate_.get());
  for (int i = 0; i < chain; ++i) Add(hash.get(), sk_X509_value(chain_.get(), i));
  Add(hash.get(), &min_version_, sizeof(min_version_));
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(hash.get(), reinterpret_cast<unsigned char*>(digest.data()), &size) ==
        1);
  digest.resize(size);
  return digest;
}

long TlsProfile::CurlMinVersion() const {
  return min_version_ == TlsVersion::k13 ? CURL_SSLVERSION_TLSv1_3 : CURL_SSLVERSION_TLSv1_2;
}

CURLcode TlsProfile::Apply(SSL_CTX* context) const {
  if (no_issuers_) return CURLE_SSL_CACERT_BADFILE;
  SSL_CTX_set1_cert_store(context, issuers_.get());
  if (certificate_ == nullptr) {
    // Some receivers ask for a certificate that way; nobody else needs it.
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    return CURLE_OK;
  }
  const bool taken = SSL_CTX_use_certificate(context, certificate_.get()) == 1 &&
                     SSL_CTX_set1_chain(context, chain_.get()) == 1 &&
                     SSL_CTX_use_PrivateKey(context, key_.get()) == 1;
  ERR_clear_error();
  return taken ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

}  // namespace belfry
