// Files of certificates and keys, and which profile is for whom. curl_tls_test.cc has what becomes
// of them on the wire.
#include "delivery/tls_profile.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "delivery/tls_profiles.h"
#include "tests/support/receiver_tls.h"

namespace belfry {
namespace {

const SystemIssuers& System() {
  static const SystemIssuers system = SystemIssuers::Load();
  return system;
}

TestCertificate Named(const std::string& common_name) {
  CertificateOptions options;
  options.common_name = common_name;
  return MakeTestCertificate(options);
}

std::string Encrypted(const std::string& key_pem) {
  BIO* in = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
  BIO* out = BIO_new(BIO_s_mem());
  char passphrase[] = "secret";
  EXPECT_EQ(PEM_write_bio_PrivateKey(out, key, EVP_aes_256_cbc(), nullptr, 0, nullptr, passphrase),
            1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  std::string pem(bytes, static_cast<size_t>(size));
  BIO_free(out);
  EVP_PKEY_free(key);
  BIO_free(in);
  return pem;
}

TEST(TlsProfile, TakesFilesWithTextBetweenCertificates) {
  const TestCertificate one = Named("one");
  const std::string file =
      "# one\r\n" + one.certificate + "\n# two\n" + Named("two").certificate + "the end";
  TlsProfile profile(System());
  EXPECT_TRUE(profile.AddIssuers(file).ok());
  EXPECT_TRUE(profile.AddIssuers(file).ok());  // twice the same is no error
  EXPECT_TRUE(profile.SetCertificate(file).ok());
  EXPECT_TRUE(profile.SetKey(one.key).ok());
  // Certificate and key in one file, as many tools write them.
  EXPECT_TRUE(profile.SetCertificate(one.key + one.certificate).ok());
  EXPECT_TRUE(profile.SetKey(one.certificate + one.key).ok());
}

TEST(TlsProfile, SaysWhatIsWrongWithIssuers) {
  TlsProfile profile(System());
  for (const std::string& text : {std::string(), std::string("x"), Named("x").key}) {
    EXPECT_EQ(profile.AddIssuers(text).message(), "holds no certificate in PEM") << text;
  }
  std::string file = Named("x").certificate;
  const std::string cut = file + file.substr(0, file.size() / 2);
  EXPECT_TRUE(
      profile.AddIssuers(cut).message().starts_with("cannot be read after 1 certificates: "));
  file[file.size() / 2] = '!';
  EXPECT_TRUE(
      profile.AddIssuers(file).message().starts_with("cannot be read after 0 certificates: "));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(TlsProfile, SaysWhatIsWrongWithAKey) {
  const TestCertificate own = Named("own");
  TlsProfile profile(System());
  ASSERT_TRUE(profile.SetCertificate(own.certificate).ok());
  EXPECT_EQ(profile.SetKey("").message(), "holds no private key in PEM");
  EXPECT_EQ(profile.SetKey(own.certificate).message(), "holds no private key in PEM");
  EXPECT_EQ(profile.SetKey(own.key.substr(0, 100)).message(), "holds no private key in PEM");
  EXPECT_EQ(profile.SetKey(Named("own").key).message(), "is not the key of the certificate");
  EXPECT_EQ(profile.SetKey(Encrypted(own.key)).message(),
            "is encrypted; passphrases are not supported, decrypt it");
  EXPECT_EQ(ERR_peek_error(), 0u);
  EXPECT_TRUE(profile.SetKey(own.key).ok());
}

TEST(TlsProfile, ACertificateThatOpensslWouldNotUseIsRefused) {
  EVP_PKEY* weak = EVP_RSA_gen(1024);
  X509* certificate = X509_new();
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, weak);
  ASSERT_GT(X509_sign(certificate, weak, EVP_sha256()), 0);
  BIO* out = BIO_new(BIO_s_mem());
  ASSERT_EQ(PEM_write_bio_X509(out, certificate), 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  TlsProfile profile(System());
  EXPECT_EQ(profile.SetCertificate({bytes, static_cast<size_t>(size)}).message(),
            "is refused by OpenSSL: ee key too small");
  EXPECT_EQ(ERR_peek_error(), 0u);
  BIO_free(out);
  X509_free(certificate);
  EVP_PKEY_free(weak);
}

TEST(TlsProfile, FingerprintsDifferInWhatCurlDoesNotCompare) {
  const TestCertificate own = Named("own");
  const TestCertificate other = Named("other");
  const auto with = [&](const TestCertificate& shown, const std::string& more = "") {
    TlsProfile profile(System());
    EXPECT_TRUE(profile.SetCertificate(shown.certificate + more).ok());
    EXPECT_TRUE(profile.SetKey(shown.key).ok());
    return profile;
  };
  const std::string plain = TlsProfile(System()).Fingerprint();
  EXPECT_EQ(plain, TlsProfile(System()).Fingerprint());
  EXPECT_EQ(with(own).Fingerprint(), with(own).Fingerprint());
  TlsProfile trusting(System());
  ASSERT_TRUE(trusting.AddIssuers(own.certificate).ok());
  TlsProfile newer(System());
  newer.SetMinVersion(TlsVersion::k13);
  const std::vector<std::string> all{plain,
                                     with(own).Fingerprint(),
                                     with(other).Fingerprint(),
                                     with(own, other.certificate).Fingerprint(),
                                     trusting.Fingerprint(),
                                     newer.Fingerprint(),
                                     TlsProfile(SystemIssuers::Load("/dev/null")).Fingerprint()};
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(all[i], all[j]) << i << " " << j;
  }
}

bool Matches(const std::string& pattern, const std::string& url) {
  const auto target = TlsTarget::Parse(pattern);
  EXPECT_TRUE(target.ok()) << pattern;
  return target.ok() && target->Matches(TargetOfUrl(url));
}

TEST(TlsTarget, AnOriginIsOneHostAndPort) {
  EXPECT_TRUE(Matches("https://a.example", "https://a.example/x?y"));
  EXPECT_TRUE(Matches("HTTPS://A.Example:443/", "https://a.example/"));
  EXPECT_TRUE(Matches("https://a.example:8443", "https://a.example:8443/"));
  EXPECT_TRUE(Matches("https://[::1]:8443", "https://[::1]:8443/"));
  EXPECT_TRUE(Matches("https://127.1", "https://127.0.0.1/"));
  EXPECT_FALSE(Matches("https://a.example", "https://a.example:8443/"));
  EXPECT_FALSE(Matches("https://a.example:8443", "https://a.example/"));
  EXPECT_FALSE(Matches("https://a.example", "https://b.a.example/"));
  EXPECT_FALSE(Matches("https://a.example", "https://a.example.com/"));
}

TEST(TlsTarget, AStarStandsForWhateverIsBeforeADomain) {
  EXPECT_TRUE(Matches("*.example.com", "https://a.example.com/"));
  EXPECT_TRUE(Matches("*.Example.COM", "https://a.b.example.com:8443/"));
  EXPECT_TRUE(Matches("*.com", "https://example.com/"));
  EXPECT_FALSE(Matches("*.example.com", "https://example.com/"));
  EXPECT_FALSE(Matches("*.example.com", "https://aexample.com/"));
  EXPECT_FALSE(Matches("*.example.com", "https://a.example.com.evil.test/"));
}

TEST(TlsTarget, AnythingElseIsRefused) {
  for (const char* text : {"",
                           "*",
                           "*.",
                           "*..com",
                           "*.a/b",
                           "*.a:443",
                           "*.a#b",
                           "*.*.com",
                           "a.*.com",
                           "*.1.2.3.4",
                           "*.[::1]",
                           "example.com",
                           "http://a.example",
                           "https://",
                           "https://a/b",
                           "https://a?b",
                           "https://a#b",
                           "https://a/?b",
                           "https://u@a",
                           "https://a:0",
                           "https://*.example.com",
                           "https://a b"}) {
    EXPECT_EQ(TlsTarget::Parse(text).status().message(),
              "must be like https://host, https://host:port or *.example.com")
        << text;
  }
}

TEST(TlsProfiles, TheFirstThatMatchesIsTaken) {
  const auto profile = [](TlsVersion version) {
    TlsProfile made(System());
    made.SetMinVersion(version);
    return made;
  };
  TlsProfiles profiles(profile(TlsVersion::k12));
  profiles.Add(TlsTarget::Parse("https://a.example.com").value(), profile(TlsVersion::k12));
  profiles.Add(TlsTarget::Parse("*.example.com").value(), profile(TlsVersion::k13));
  profiles.Add(TlsTarget::Parse("https://b.example.com").value(), profile(TlsVersion::k12));
  const auto version = [&](const char* url) {
    return profiles.For(TargetOfUrl(url)).CurlMinVersion();
  };
  EXPECT_EQ(version("https://a.example.com/"), CURL_SSLVERSION_TLSv1_2);
  EXPECT_EQ(version("https://a.example.com:444/"), CURL_SSLVERSION_TLSv1_3);
  EXPECT_EQ(version("https://b.example.com/"), CURL_SSLVERSION_TLSv1_3);
  EXPECT_EQ(version("https://example.com/"), CURL_SSLVERSION_TLSv1_2);
}

}  // namespace
}  // namespace belfry
