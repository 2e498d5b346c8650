// The vectors are those of Standard Webhooks' own tests, but for the two marked as ours.
#include "delivery/signer.h"

#include <gtest/gtest.h>

namespace belfry {
namespace {

constexpr std::string_view kId = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::string_view kTimestamp = "1614265330";
constexpr std::string_view kBody = R"({"test": 2432232314})";
constexpr std::string_view kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view kSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
constexpr std::string_view kSeed = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=";
constexpr std::string_view kSeedSignature =
    "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==";
// Ours: the bytes 0 to 31.
constexpr std::string_view kOtherSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
constexpr std::string_view kOtherSignature = "v1,O4Gjv1HqPqsMrjmczoggs/sWA8gZD0VyHG+fLh4+ktI=";

std::string Signed(const std::vector<std::string_view>& secrets) {
  Signer signer;
  for (const std::string_view secret : secrets) {
    const Status s = signer.Add(secret);
    EXPECT_TRUE(s.ok()) << s.message();
  }
  std::string out;
  signer.AppendSignatures(kId, kTimestamp, kBody, &out);
  return out;
}

TEST(Signer, SignsWithHmacLikeTheReference) { EXPECT_EQ(Signed({kSecret}), kSignature); }

TEST(Signer, SignsWithEd25519LikeTheReference) { EXPECT_EQ(Signed({kSeed}), kSeedSignature); }

TEST(Signer, TakesSecretsWithoutPrefixAndWithWhiteSpaceAround) {
  EXPECT_EQ(Signed({kSecret.substr(6)}), kSignature);
  EXPECT_EQ(Signed({" \twhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\r\n"}), kSignature);
}

TEST(Signer, TakesASeedWithItsPublicKeyBehindIt) {
  EXPECT_EQ(Signed({"whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTllmU3h6Dt1JKqLSahf2"
                    "FBSTeius6i4rdBVBKUlrbjxz+A=="}),
            kSeedSignature);
}

TEST(Signer, ASeedWithAnotherPublicKeyBehindItIsRefused) {
  Signer signer;
  const Status s = signer.Add(
      "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTllmU3h6Dt1JKqLSahf2FBSTeius6i4rdBVBKUlrbjxz+Q="
      "=");
  EXPECT_EQ(s.message(), "ends with a public key that is not the seed's");
  EXPECT_TRUE(signer.empty());
}

TEST(Signer, SignsWithEachSecretInTheirOrder) {
  EXPECT_EQ(Signed({kSecret, kOtherSecret}),
            std::string(kSignature) + " " + std::string(kOtherSignature));
  EXPECT_EQ(Signed({kOtherSecret, kSeed, kSecret}), std::string(kOtherSignature) + " " +
                                                        std::string(kSeedSignature) + " " +
                                                        std::string(kSignature));
}

TEST(Signer, AppendsBehindWhatIsThere) {
  Signer signer;
  ASSERT_TRUE(signer.Add(kSecret).ok());
  std::string out = "webhook-signature: ";
  signer.AppendSignatures(kId, kTimestamp, kBody, &out);
  EXPECT_EQ(out, "webhook-signature: " + std::string(kSignature));
}

TEST(Signer, SignsEveryMessageAnew) {
  Signer signer;
  ASSERT_TRUE(signer.Add(kSecret).ok());
  for (const std::string_view body : {"", "a", "b"}) {
    std::string out;
    signer.AppendSignatures(kId, kTimestamp, body, &out);
    EXPECT_NE(out, kSignature);
  }
  std::string out;
  signer.AppendSignatures(kId, kTimestamp, kBody, &out);
  EXPECT_EQ(out, kSignature);
}

TEST(Signer, RefusesWhatIsNoSecretAndDoesNotSayIt) {
  for (const std::string_view wrong :
       {"", "whsec_", "whsk_", "whsec_not base64!", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa=w", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw----",
        "whsec_MfKQ9r8GKYqrTwjU PD8ILPZIo2LaLaS", "whsec_====",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La====", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw?A==",
        "whsec_AAAA",                                         // too short
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==",             // 22 bytes
        "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",              // 24 bytes
        "whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g=",  // the public half
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}) {
    Signer signer;
    const Status s = signer.Add(wrong);
    EXPECT_FALSE(s.ok()) << wrong;
    EXPECT_TRUE(signer.empty());
    EXPECT_EQ(s.message().find("MfKQ"), std::string::npos);
    EXPECT_EQ(s.message().find("ZlN4"), std::string::npos);
  }
  Signer signer;
  std::string long_secret = "whsec_";
  for (int i = 0; i < 22; ++i) long_secret += "AAAA";  // 66 bytes
  EXPECT_FALSE(signer.Add(long_secret).ok());
}

}  // namespace
}  // namespace belfry
