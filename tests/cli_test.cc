#include "daemon/cli.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace belfry {
namespace {

using Action = CommandLine::Action;

void ExpectUsage(const std::vector<std::string>& args, const std::string& mentions) {
  const CommandLine line = ParseCommandLine(args);
  EXPECT_EQ(line.action, Action::kPrint);
  EXPECT_EQ(line.exit_code, 2) << testing::PrintToString(args);
  EXPECT_NE(line.text.find(mentions), std::string::npos) << line.text;
}

class CliFile : public testing::Test {
 protected:
  std::string Write(const std::string& text) {
    path_ = testing::TempDir() + "cli_" + std::to_string(getpid()) + ".yaml";
    std::ofstream(path_) << text;
    return path_;
  }
  ~CliFile() override { unlink(path_.c_str()); }

 private:
  std::string path_;
};

TEST(Cli, ServeAloneIsTheDevelopmentProfile) {
  const CommandLine line = ParseCommandLine({"serve"});
  ASSERT_EQ(line.action, Action::kServe);
  EXPECT_FALSE(line.serve.accept_clock);
  EXPECT_FALSE(line.serve.accept_data_loss);
  const auto config = ConfigFor(line.serve);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(FormatConfig(config.value()), FormatConfig(DevelopmentConfig()));
}

TEST_F(CliFile, FlagsWinOverTheFile) {
  const std::string file = Write("listen: 127.0.0.1:1\ndata: /a\nretention: 1d\n");
  const CommandLine line =
      ParseCommandLine({"serve", "--config", file, "--data=/b", "--listen", "unix:/c",
                        "--clock=system", "--accept-clock", "--accept-data-loss"});
  ASSERT_EQ(line.action, Action::kServe);
  EXPECT_TRUE(line.serve.accept_clock);
  EXPECT_TRUE(line.serve.accept_data_loss);
  const auto config = ConfigFor(line.serve);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config.value().data, "/b");
  EXPECT_EQ(config.value().listen.path, "/c");
  EXPECT_EQ(config.value().retention_ms, kDayMs);
  EXPECT_EQ(config.value().delivery.targets.allow, std::vector<std::string>{"public"});
}

TEST_F(CliFile, AFlagRepairsWhatTheRulesRefuseInTheFile) {
  ServeFlags flags;
  flags.config_file = Write("listen: 0.0.0.0:80\n");
  EXPECT_EQ(ExitCodeFor(ConfigFor(flags).status()), 78);
  flags.listen = ListenAddress();
  EXPECT_TRUE(ConfigFor(flags).ok());
}

TEST(Cli, AnOpenListenerIsRefusedWhoeverAsks) {
  const CommandLine line = ParseCommandLine({"serve", "--listen", "0.0.0.0:8080"});
  ASSERT_EQ(line.action, Action::kServe);
  EXPECT_EQ(ExitCodeFor(ConfigFor(line.serve).status()), 78);
}

TEST(Cli, AMissingFileIsRefused) {
  ServeFlags flags;
  flags.config_file = "/nowhere";
  EXPECT_EQ(ExitCodeFor(ConfigFor(flags).status()), 78);
}

TEST(Cli, VersionAndHelpGoToStdout) {
  for (const char* arg : {"version", "--version"}) {
    const CommandLine line = ParseCommandLine({arg});
    EXPECT_EQ(line.text, "belfry " BELFRY_VERSION "\n");
    EXPECT_EQ(line.exit_code, 0);
  }
  EXPECT_EQ(ParseCommandLine({"--help"}).exit_code, 0);
  EXPECT_NE(ParseCommandLine({"--help"}).text.find("check-config"), std::string::npos);
  EXPECT_NE(ParseCommandLine({"serve", "--help"}).text.find("--accept-data-loss"),
            std::string::npos);
}

TEST(Cli, MistakesAreUsageErrors) {
  ExpectUsage({}, "subcommand");
  ExpectUsage({"bogus"}, "bogus");
  ExpectUsage({"token"}, "subcommand");
  ExpectUsage({"token", "create", "--user", "a"}, "--tokens-file");
  ExpectUsage({"token", "create", "--tokens-file", "f"}, "--user");
  ExpectUsage({"token", "create", "--tokens-file", "f", "--user", ""}, "--user");
  ExpectUsage({"token", "create", "--tokens-file", "f", "--user", "a b"}, "blanks");
  ExpectUsage({"token", "create", "--tokens-file", "f", "--user", "a\n"}, "control");
  ExpectUsage({"token", "create", "--tokens-file", "f", "--user", "a", "--scope", "all"}, "all");
  ExpectUsage({"token", "create", "--tokens-file", "f", "--user", "a", "--expires", "0s"}, "0s");
  ExpectUsage({"token", "create", "--tokens-file", "f", "--user", "a", "--expires", "90"}, "90");
  ExpectUsage({"token", "create", "--tokens-file", "f", "--user", "a", "--expires", ""},
              "duration");
  ExpectUsage({"token", "list"}, "--tokens-file");
  ExpectUsage({"token", "list", "--tokens-file", ""}, "--tokens-file");
  ExpectUsage({"token", "revoke", "--tokens-file", "f"}, "either");
  ExpectUsage({"token", "revoke", "--tokens-file", "f", "x", "--user", "a"}, "either");
  ExpectUsage({"token", "revoke", "--tokens-file", "f", "", "--user", "a"}, "either");
  ExpectUsage({"token", "revoke", "--tokens-file", "f", "--expired", "--user", "a"}, "either");
  ExpectUsage({"token", "revoke", "--tokens-file", "f", ""}, "ID");
  ExpectUsage({"serv"}, "serv");
  ExpectUsage({"serve", "extra"}, "extra");
  ExpectUsage({"serve", "--bogus"}, "--bogus");
  ExpectUsage({"serve", "--dat", "x"}, "--dat");
  ExpectUsage({"serve", "--data"}, "--data");
  ExpectUsage({"serve", "--data", ""}, "--data");
  ExpectUsage({"serve", "--data", "a", "--data", "b"}, "--data");
  ExpectUsage({"serve", "--listen", "8080"}, "--listen");
  ExpectUsage({"serve", "--listen", "example.com:80"}, "localhost");
  ExpectUsage({"serve", "--clock=virtual"}, "--clock=virtual is not built yet");
  ExpectUsage({"serve", "--clock=sundial"}, "--clock");
  ExpectUsage({"check-config"}, "FILE");
  ExpectUsage({"check-config", "a", "b"}, "b");
  ExpectUsage({"version", "x"}, "x");
  ExpectUsage({"serve", "version"}, "version");
}

TEST(Cli, ATokenIsMadeAsAsked) {
  const CommandLine line =
      ParseCommandLine({"token", "create", "--user", "alice", "--scope", "timers:read", "--scope",
                        "admin", "--expires", "90d", "--tokens-file", "/t"});
  ASSERT_EQ(line.action, Action::kToken) << line.text;
  EXPECT_EQ(line.token.kind, TokenCommand::Kind::kCreate);
  EXPECT_EQ(line.token.user, "alice");
  EXPECT_EQ(line.token.file, "/t");
  EXPECT_EQ(line.token.expires_ms, 90 * kDayMs);
  EXPECT_TRUE(line.token.scopes.Has(Scope::kTimersRead));
  EXPECT_TRUE(line.token.scopes.Has(Scope::kAdmin));
  EXPECT_FALSE(line.token.scopes.Has(Scope::kTimersWrite));
}

TEST(Cli, WithoutScopesATokenMayDoAllButAdmin) {
  const CommandLine line =
      ParseCommandLine({"token", "create", "--user=alice", "--tokens-file=/t"});
  ASSERT_EQ(line.action, Action::kToken) << line.text;
  EXPECT_EQ(line.token.scopes, DefaultScopes());
  EXPECT_TRUE(line.token.scopes.Has(Scope::kStreams));
  EXPECT_FALSE(line.token.scopes.Has(Scope::kAdmin));
  EXPECT_EQ(line.token.expires_ms, std::nullopt);
}

TEST(Cli, WhatIsRevokedIsOneOrAUsersOrWhatIsOver) {
  const auto revoke = [](const std::string& what, const std::string& more = "") {
    std::vector<std::string> args = {"token", "revoke", "--tokens-file", "f", what};
    if (!more.empty()) args.push_back(more);
    const CommandLine line = ParseCommandLine(args);
    EXPECT_EQ(line.action, Action::kToken) << line.text;
    return line.token;
  };
  EXPECT_EQ(revoke("x").id, "x");
  EXPECT_EQ(revoke("--user", "a").user, "a");
  EXPECT_FALSE(revoke("x").expired);
  EXPECT_TRUE(revoke("--expired").expired);
}

TEST(Cli, ATokensFileThatIsNotThereIsAnError) {
  TokenCommand command;
  command.file = "/nowhere/tokens";
  EXPECT_NE(DoToken(command).exit_code, 0);
  command.kind = TokenCommand::Kind::kCreate;
  EXPECT_EQ(DoToken(command).exit_code, 1);
}

TEST_F(CliFile, CheckConfigPrintsWhatHolds) {
  const CommandLine line = ParseCommandLine({"check-config", Write("retention: 2d\n")});
  ASSERT_EQ(line.action, Action::kCheckConfig);
  const CommandLine answer = CheckConfigFile(line.config_file);
  EXPECT_EQ(answer.exit_code, 0);
  EXPECT_NE(answer.text.find("retention: 2d\n"), std::string::npos);
}

TEST_F(CliFile, CheckConfigSaysWhatIsWrong) {
  const std::string file = Write("retention: soon\n");
  CommandLine answer = CheckConfigFile(file);
  EXPECT_EQ(answer.exit_code, 78);
  EXPECT_EQ(answer.text, file + ":1: retention: must be a duration like 15s, 1s to 3650d\n");

  answer = CheckConfigFile(Write("listen: 0.0.0.0:80\n"));
  EXPECT_EQ(answer.exit_code, 78);
  EXPECT_EQ(answer.text.rfind(file + ": listen: ", 0), 0u) << answer.text;
}

TEST(Cli, ExitCodesFollowSysexits) {
  EXPECT_EQ(ExitCodeFor(Status()), 0);
  EXPECT_EQ(ExitCodeFor(IoError("x")), 1);
  EXPECT_EQ(ExitCodeFor({StatusCode::kInUse, "x"}), 75);
  EXPECT_EQ(ExitCodeFor(Refused("x")), 78);
}

}  // namespace
}  // namespace belfry
