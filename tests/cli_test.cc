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
  ExpectUsage({"token", "create", "--user", "a"}, "token");
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
