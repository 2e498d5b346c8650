// The keys that say who may call.

#include <gtest/gtest.h>

#include <string>

#include "daemon/config.h"

namespace belfry {
namespace {

Config Parsed(const std::string& text) {
  auto config = ParseConfig(text, "f.yaml");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return config.ok() ? config.value() : Config();
}

std::string WhyRefused(const std::string& text) {
  const auto config = ParseConfig(text, "f.yaml");
  EXPECT_FALSE(config.ok()) << text;
  return config.status().message();
}

TEST(ConfigAuth, OnlyModesThatAreBuiltAreTaken) {
  EXPECT_EQ(WhyRefused("auth: {mode: jwt}"), "f.yaml:1: auth.mode: jwt: must be none or token");
  EXPECT_EQ(WhyRefused("auth: {jwt: {issuer: x}}"), "f.yaml:1: auth.jwt: unknown key");
  EXPECT_EQ(WhyRefused("auth: {tokens_file: ./tokens}"),
            "f.yaml:1: auth.tokens_file: ./tokens: must be an absolute path, or the name of a "
            "systemd credential");
}

TEST(ConfigAuth, ATokenInThePlaceOfItsFileIsNotShown) {
  const std::string why = WhyRefused("auth: {tokens_file: blf_abcdef}");
  EXPECT_NE(why.find("auth.tokens_file: (not shown): must name a file"), std::string::npos) << why;
}

TEST(ConfigAuth, ModeAndTokensFileBelongTogether) {
  EXPECT_TRUE(CheckConfig(Parsed("auth: {mode: token, tokens_file: /t}")).ok());
  EXPECT_TRUE(CheckConfig(Parsed("auth: {mode: token, tokens_file: tokens}")).ok());
  EXPECT_EQ(CheckConfig(Parsed("auth: {mode: token}")).message().rfind("auth.tokens_file: ", 0),
            0u);
  EXPECT_EQ(CheckConfig(Parsed("auth: {tokens_file: /t}")).message().rfind("auth.tokens_file: ", 0),
            0u);
}

TEST(ConfigAuth, WithTokensAnyAddressMayBeListenedOn) {
  for (const char* open : {"0.0.0.0:8080", "'[::]:8080'", "10.0.0.1:80"}) {
    const std::string listen = "listen: " + std::string(open) + "\n";
    EXPECT_TRUE(CheckConfig(Parsed(listen + "auth: {mode: token, tokens_file: /t}")).ok()) << open;
    const Status refused = CheckConfig(Parsed(listen));
    EXPECT_EQ(refused.code(), StatusCode::kRefused) << open;
    EXPECT_NE(refused.message().find("auth: {mode: token, tokens_file: FILE}"), std::string::npos);
  }
}

TEST(ConfigAuth, TheModeOfASocketIsFourOctalDigits) {
  EXPECT_EQ(Parsed("").http.socket_mode, 0660u);
  EXPECT_EQ(Parsed("http: {socket_mode: 0600}").http.socket_mode, 0600u);
  EXPECT_EQ(Parsed("http: {socket_mode: '0777'}").http.socket_mode, 0777u);
  for (const char* wrong : {"660", "0888", "1777", "0o660", "00660", "rw", "''"}) {
    EXPECT_NE(WhyRefused("http: {socket_mode: " + std::string(wrong) + "}").find("socket_mode"),
              std::string::npos)
        << wrong;
  }
}

}  // namespace
}  // namespace belfry
