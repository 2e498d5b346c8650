// tls_profile.h - what a connection to an HTTPS target trusts and shows: issuers, our certificate,
// the least version.
//
// The receiver's certificate is always verified, chain and host name; nothing here turns that off,
// asks for less than TLS 1.2 or writes keys anywhere. Filled by one thread, then only read, by the
// loop thread. The key is wiped from memory when the profile ends, and appears in no message.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

// As OpenSSL names them, whose headers are left to the .cc.
struct evp_pkey_st;
struct ssl_ctx_st;
struct stack_st_X509;
struct x509_st;
struct x509_store_st;

namespace belfry {

enum class TlsVersion { k12, k13 };

struct TlsFree {
  void operator()(evp_pkey_st* key) const;
  void operator()(stack_st_X509* chain) const;
  void operator()(x509_st* certificate) const;
  void operator()(x509_store_st* store) const;
};

// The issuers that the system trusts, read once for all profiles. curl would read them for each
// connection.
class SystemIssuers {
 public:
  // `file` is PEM; "": where curl was built to look. Blocks, some milliseconds.
  [[nodiscard]] static SystemIssuers Load(const std::string& file = "");

  // There are none: nobody can be verified.
  [[nodiscard]] bool empty() const { return empty_; }

 private:
  friend class TlsProfile;
  SystemIssuers() = default;

  std::unique_ptr<x509_store_st, TlsFree> store_;
  bool empty_ = false;
};

class TlsProfile {
 public:
  // Trusts the system's issuers, shows no certificate, asks for TLS 1.2.
  explicit TlsProfile(const SystemIssuers& system);

  // PEM files, as text. kInvalid says what is wrong, to be read after the name of the file, and
  // nothing of what is in it. The profile is then of no use.
  [[nodiscard]] Status AddIssuers(std::string_view pem);      // trusted besides the system's
  [[nodiscard]] Status SetCertificate(std::string_view pem);  // ours, then what links it to a root
  [[nodiscard]] Status SetKey(std::string_view pem);          // of that certificate; not encrypted
  void SetMinVersion(TlsVersion version) { min_version_ = version; }

  // Equal for profiles that trust, show and ask for the same.
  [[nodiscard]] std::string Fingerprint() const;

  // For CURLOPT_SSLVERSION.
  [[nodiscard]] long CurlMinVersion() const;
  // From CURLOPT_SSL_CTX_FUNCTION. CURLE_SSL_CACERT_BADFILE: there are no issuers at all.
  [[nodiscard]] CURLcode Apply(ssl_ctx_st* context) const;

 private:
  std::unique_ptr<x509_store_st, TlsFree> issuers_;
  bool no_issuers_;
  std::unique_ptr<x509_st, TlsFree> certificate_;
  std::unique_ptr<stack_st_X509, TlsFree> chain_;
  std::unique_ptr<evp_pkey_st, TlsFree> key_;
  TlsVersion min_version_ = TlsVersion::k12;
};

}  // namespace belfry
