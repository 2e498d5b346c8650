#include "daemon/delivery_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/credential_file.h"
#include "tests/support/receiver_tls.h"

namespace belfry {
namespace {

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr const char* kSeed = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=";

class DeliveryFilesTest : public testing::Test {
 protected:
  DeliveryFilesTest() {
    std::string name = testing::TempDir() + "delivery-files-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~DeliveryFilesTest() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    std::string path = directory_ + "/" + name;
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }

  static Result<DeliveryFiles> Load(const std::vector<std::string>& secrets,
                                    const std::string& credentials = "") {
    Config::Delivery delivery;
    delivery.signing.secrets = secrets;
    return LoadDeliveryFiles(delivery, credentials);
  }

  static Result<DeliveryFiles> LoadTls(const Config::Delivery::Tls& tls,
                                       const std::string& credentials = "") {
    Config::Delivery delivery;
    delivery.tls = tls;
    return LoadDeliveryFiles(delivery, credentials);
  }

  // Why the secrets are refused. It never quotes them.
  static std::string WhyNot(const std::vector<std::string>& secrets,
                            const std::string& credentials = "") {
    const Status s = Load(secrets, credentials).status();
    EXPECT_EQ(s.code(), StatusCode::kRefused);
    EXPECT_EQ(s.message().find("MfKQ9r8G"), std::string::npos);
    return s.message();
  }

  // The same, behind the name of the file.
  static std::string WhyNotFile(const std::string& path) {
    const std::string start = "delivery.signing.secrets: " + path + " ";
    const std::string why = WhyNot({path});
    EXPECT_TRUE(why.starts_with(start)) << why;
    return why.substr(std::min(start.size(), why.size()));
  }

  std::string directory_;
};

TEST_F(DeliveryFilesTest, WithoutSecretsNothingIsSigned) {
  const auto files = Load({});
  ASSERT_TRUE(files.ok());
  EXPECT_TRUE(files->signer.empty());
}

TEST_F(DeliveryFilesTest, ReadsPathsAndCredentialsInTheirOrder) {
  Write("webhook", std::string(kSecret) + "\n");
  const auto files = Load({Write("new", kSeed), "webhook"}, directory_);
  ASSERT_TRUE(files.ok()) << files.status().message();
  std::string out;
  files->signer.AppendSignatures("a", "1", "", &out);
  EXPECT_TRUE(out.starts_with("v1a,"));
  EXPECT_NE(out.find(" v1,"), std::string::npos);
}

TEST_F(DeliveryFilesTest, SaysWhichFileIsWrongAndWhy) {
  EXPECT_EQ(WhyNotFile(directory_ + "/none"), "cannot be read: No such file or directory");
  EXPECT_EQ(WhyNotFile(directory_), "is not a file");
  EXPECT_EQ(WhyNotFile("/dev/null"), "is not a file");
  EXPECT_EQ(WhyNotFile("webhook"), "is no absolute path, and systemd gave no credentials");
  EXPECT_EQ(WhyNot({"webhook"}, directory_),
            "delivery.signing.secrets: webhook cannot be read: No such file or directory");
  EXPECT_EQ(WhyNotFile(Write("empty", "")), "is empty");
  EXPECT_EQ(WhyNotFile(Write("long", std::string(4097, 'A'))), "is too long");
  EXPECT_EQ(WhyNotFile(Write("short", "whsec_AAAA")), "must have 24 to 64 bytes");
  const std::string two = std::string(kSecret) + "\n" + kSecret;
  EXPECT_EQ(WhyNotFile(Write("two", two)), "is not base64 behind its prefix");
  // One wrong file of two spoils both.
  EXPECT_EQ(WhyNot({Write("good", kSecret), directory_}),
            "delivery.signing.secrets: " + directory_ + " is not a file");
}

TEST_F(DeliveryFilesTest, ASecretThatOthersCanReadOrChangeIsRefused) {
  for (const mode_t mode : {0644, 0604, 0602, 0601, 0620, 0660}) {
    EXPECT_EQ(WhyNotFile(Write("open", kSecret, mode)),
              "may be read or changed by others; chmod g-w,o= it")
        << mode;
  }
  for (const mode_t mode : {0600, 0400, 0440, 0640}) {
    EXPECT_TRUE(Load({Write("closed", kSecret, mode)}).ok()) << mode;
  }
}

TEST_F(DeliveryFilesTest, APublicFileIsRefusedOnlyWhenEverybodyCanChangeIt) {
  CredentialFile file{"k", Write("public", "x", 0644), Secrecy::kPublic, 1};
  const auto text = ReadCredentialFile(file, "");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, "x");
  file.name = Write("public", "x", 0666);
  EXPECT_EQ(ReadCredentialFile(file, "").status().message(),
            "k: " + file.name + " may be changed by everybody; chmod o-w it");
}

TEST_F(DeliveryFilesTest, ATrustedFileMayBeReadByAllAndChangedByItsOwnerAlone) {
  CredentialFile file{"k", Write("trusted", "", 0644), Secrecy::kTrusted, 1, true};
  const auto text = ReadCredentialFile(file, "");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, "") << "it may be empty";
  for (const mode_t mode : {0664, 0646, 0602, 0620}) {
    file.name = Write("trusted", "x", mode);
    EXPECT_EQ(ReadCredentialFile(file, "").status().message(),
              "k: " + file.name + " may be changed by others; chmod go-w it");
  }
}

TEST_F(DeliveryFilesTest, TheOwnerOfATrustedFileIsRootOrWe) {
  EXPECT_TRUE(IsTrustedOwner(0, 1000));
  EXPECT_TRUE(IsTrustedOwner(1000, 1000));
  EXPECT_FALSE(IsTrustedOwner(1001, 1000));
  EXPECT_FALSE(IsTrustedOwner(1000, 0));
  // Only root can give a file away.
  CredentialFile file{"k", Write("trusted", "x", 0644), Secrecy::kTrusted, 1};
  EXPECT_TRUE(ReadCredentialFile(file, "").ok());
  if (geteuid() != 0) return;
  ASSERT_EQ(chown(file.name.c_str(), 1001, static_cast<gid_t>(-1)), 0);
  EXPECT_EQ(
      ReadCredentialFile(file, "").status().message(),
      "k: " + file.name + " is owned by another user; chown it to root, or to who runs belfry");
  file.any_owner = true;
  EXPECT_TRUE(ReadCredentialFile(file, "").ok());
}

using Tls = Config::Delivery::Tls;

TEST_F(DeliveryFilesTest, TlsFilesAreReadByPathAndAsCredentials) {
  const TestCertificate own = MakeTestCertificate();
  Tls by_path;
  by_path.others.ca = by_path.others.cert = Write("cert.pem", own.certificate, 0644);
  by_path.others.key = Write("key.pem", own.key);
  Tls by_name;
  by_name.others = {"cert.pem", "cert.pem", "key.pem", "1.2"};
  const auto one = LoadTls(by_path);
  const auto two = LoadTls(by_name, directory_);
  const auto neither = LoadTls(Tls());
  ASSERT_TRUE(one.ok() && two.ok() && neither.ok());
  EXPECT_TRUE(one->tls->SameAs(*two->tls));
  EXPECT_FALSE(one->tls->SameAs(*neither->tls));
}

TEST_F(DeliveryFilesTest, AProfileHasFilesOfItsOwnAndTheLeastVersionOfAll) {
  const TestCertificate own = MakeTestCertificate();
  Tls tls;
  tls.others.ca = Write("ca.pem", own.certificate);
  tls.others.min_version = "1.3";
  tls.profiles = {{"https://a.example", {}}, {"https://b.example", {"", "", "", "1.2"}}};
  const auto files = LoadTls(tls);
  ASSERT_TRUE(files.ok()) << files.status().message();
  const auto profile = [&](const char* url) -> const TlsProfile& {
    return files->tls->For(TargetOfUrl(url));
  };
  EXPECT_EQ(profile("https://a.example/").CurlMinVersion(), CURL_SSLVERSION_TLSv1_3);
  EXPECT_EQ(profile("https://b.example/").CurlMinVersion(), CURL_SSLVERSION_TLSv1_2);
  EXPECT_EQ(profile("https://c.example/").CurlMinVersion(), CURL_SSLVERSION_TLSv1_3);
  TlsProfile nothing_more(SystemIssuers::Load());
  EXPECT_EQ(profile("https://b.example/").Fingerprint(), nothing_more.Fingerprint());
  EXPECT_NE(profile("https://c.example/").Fingerprint(),
            profile("https://a.example/").Fingerprint());
}

TEST_F(DeliveryFilesTest, SaysWhichTlsFileIsWrongAndWhy) {
  const TestCertificate own = MakeTestCertificate();
  const std::string cert = Write("cert.pem", own.certificate);
  const std::string open_key = Write("open.pem", own.key, 0644);
  Tls tls;
  tls.profiles = {{"*.a.example", {}}, {"*.b.example", {"", cert, open_key, ""}}};
  EXPECT_EQ(LoadTls(tls).status().message(),
            "delivery.tls.profiles[1].key: " + open_key +
                " may be read or changed by others; chmod g-w,o= it");
  tls.profiles[1].settings.key = Write("another.pem", MakeTestCertificate().key);
  EXPECT_EQ(LoadTls(tls).status().message(), "delivery.tls.profiles[1].key: " + directory_ +
                                                 "/another.pem is not the key of the certificate");
  tls.others.ca = Write("ca.pem", own.certificate, 0666);
  EXPECT_EQ(LoadTls(tls).status().message(),
            "delivery.tls.ca: " + tls.others.ca + " may be changed by everybody; chmod o-w it");
  EXPECT_EQ(LoadTls(tls).status().code(), StatusCode::kRefused);
}

}  // namespace
}  // namespace belfry
