#include "daemon/tokens_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "base/limits.h"
#include "daemon/token_command.h"
#include "http/token_hash.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

const std::string kHash1(64, '1');
const std::string kHash2(64, '2');
const std::string kCreated = "2026-11-21T08:00:00.000Z";

class FixedClock final : public Clock {
 public:
  [[nodiscard]] WallMs Wall() const override { return {1'795'248'000'000}; }
  [[nodiscard]] MonoMs Mono() const override { return {1}; }
};

class TokensFile : public testing::Test {
 protected:
  TokensFile() {
    char name[] = "/tmp/belfry-tokens-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/tokens";
  }
  ~TokensFile() override { fs::remove_all(directory_); }

  void Write(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path_) << text;
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
  }
  [[nodiscard]] std::string Text() const {
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }
  [[nodiscard]] mode_t Mode() const {
    struct stat info {};
    EXPECT_EQ(stat(path_.c_str(), &info), 0);
    return info.st_mode & 07777;
  }
  TokenCommand Command(TokenCommand::Kind kind, const std::string& user = "") const {
    TokenCommand command;
    command.kind = kind;
    command.file = path_;
    command.user = user;
    command.scopes = DefaultScopes();
    return command;
  }
  // The token.
  std::string Create(const std::string& user) const {
    const auto text = RunTokenCommand(Command(TokenCommand::Kind::kCreate, user), FixedClock());
    EXPECT_TRUE(text.ok()) << text.status().message();
    const std::string lines = text->substr(0, text->size() - 1);
    return lines.substr(lines.rfind('\n') + 1);
  }
  std::vector<TokenEntry> Entries() const {
    auto entries = ReadTokens(path_);
    EXPECT_TRUE(entries.ok()) << entries.status().message();
    return entries.ok() ? std::move(*entries) : std::vector<TokenEntry>();
  }

  std::string directory_;
  std::string path_;
};

std::string WhyNot(const std::string& text) {
  const auto entries = ParseTokens(text, "f");
  EXPECT_FALSE(entries.ok()) << text;
  EXPECT_EQ(entries.status().code(), StatusCode::kRefused);
  return entries.status().message();
}

std::string Line(const std::string& id, const std::string& hash) {
  return id + " alice timers:read " + kCreated + " never " + hash + "\n";
}

TEST(Tokens, ALineIsReadWithAllItsFields) {
  const auto entries = ParseTokens("# a comment\n\n  \t\na-1\talice  timers:read,admin " +
                                       kCreated + " " + "2027-01-01T01:00:00+01:00 " + kHash1 +
                                       "\r\nb2 b\xc3\xb6"
                                       "b streams " +
                                       kCreated + " never " + kHash2,
                                   "f");
  ASSERT_TRUE(entries.ok()) << entries.status().message();
  ASSERT_EQ(entries->size(), 2u);
  const TokenEntry& first = (*entries)[0];
  EXPECT_EQ(first.id, "a-1");
  EXPECT_EQ(first.user, "alice");
  EXPECT_EQ(FormatScopes(first.scopes), "timers:read,admin");
  EXPECT_EQ(first.created.ms, 1'795'248'000'000);
  EXPECT_EQ(first.expires->ms, 1'798'761'600'000);
  EXPECT_EQ(first.hash[31], 0x11);
  EXPECT_EQ((*entries)[1].user,
            "b\xc3\xb6"
            "b");
  EXPECT_FALSE((*entries)[1].expires);
}

TEST(Tokens, WhatIsWrittenReadsBackTheSame) {
  const auto entries = ParseTokens(Line("a", kHash1) + "b bob timers:write,stopwatches,streams " +
                                       kCreated + " 2027-01-01T00:00:00Z " + kHash2 + "\n",
                                   "f");
  ASSERT_TRUE(entries.ok());
  const std::string text = FormatTokens(*entries);
  const auto again = ParseTokens(text, "f");
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(FormatTokens(*again), text);
  EXPECT_EQ(again->size(), 2u);
}

TEST(Tokens, WhatIsWrongIsToldByItsLine) {
  const std::string good = Line("a", kHash1);
  EXPECT_EQ(WhyNot(good + Line("a", kHash2)), "f:2: an id that an earlier line has");
  EXPECT_EQ(WhyNot(good + "#\n" + Line("b", kHash1)), "f:3: the token of an earlier line");
  EXPECT_EQ(WhyNot("\n" + good + "short\n").rfind("f:3: must have six fields", 0), 0u);
  EXPECT_EQ(WhyNot("x " + good).rfind("f:1: must have six fields", 0), 0u);
  const std::string rest = " " + kCreated + " never " + kHash1;
  EXPECT_NE(WhyNot("A alice admin" + rest).find("the id"), std::string::npos);
  EXPECT_NE(WhyNot("a \xff admin" + rest).find("the user"), std::string::npos);
  for (const char* scopes : {"all", "admin,", ",admin", "admin,,streams", "Admin", ","}) {
    EXPECT_NE(WhyNot("a alice " + std::string(scopes) + rest).find("the scopes"), std::string::npos)
        << scopes;
  }
  EXPECT_NE(WhyNot("a alice admin yesterday never " + kHash1).find("`created`"), std::string::npos);
  EXPECT_NE(WhyNot("a alice admin " + kCreated + " soon " + kHash1).find("`expires`"),
            std::string::npos);
  for (const std::string& hash : {kHash1.substr(1), kHash1 + "1", std::string(64, 'A')}) {
    EXPECT_NE(WhyNot("a alice admin " + kCreated + " never " + hash).find("SHA-256"),
              std::string::npos);
  }
}

TEST(Tokens, WhatStandsInAWrongLineIsNotRepeated) {
  const std::string token = "blf_secretsecret";
  EXPECT_EQ(WhyNot(token).find(token), std::string::npos);
  EXPECT_EQ(WhyNot("a alice admin " + kCreated + " never " + token).find(token), std::string::npos);
}

TEST_F(TokensFile, ATokenIsShownOnceAndItsHashKept) {
  const std::string token = Create("alice");
  EXPECT_EQ(token.rfind("blf_", 0), 0u);
  EXPECT_EQ(token.size(), 4u + 43u) << "256 bits as base64url";
  EXPECT_EQ(Mode(), 0600u);
  EXPECT_EQ(Text().find(token.substr(4)), std::string::npos);
  const auto entries = Entries();
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0].user, "alice");
  EXPECT_EQ(entries[0].hash, TokenHasher().Hash(token));
  EXPECT_EQ(entries[0].created.ms, FixedClock().Wall().ms);
  EXPECT_EQ(entries[0].scopes, DefaultScopes());
  EXPECT_NE(Create("alice"), token);
  EXPECT_EQ(Entries().size(), 2u);
}

TEST_F(TokensFile, TheModeOfTheFileStays) {
  Write(Line("a", kHash1), 0644);
  Create("bob");
  EXPECT_EQ(Mode(), 0644u);
  EXPECT_EQ(Entries()[0].id, "a");
  EXPECT_FALSE(fs::exists(path_ + ".new"));
}

TEST_F(TokensFile, ASymbolicLinkStaysOne) {
  Write("", 0600);
  const std::string link = directory_ + "/link";
  fs::create_symlink("tokens", link);
  TokenCommand command = Command(TokenCommand::Kind::kCreate, "alice");
  command.file = link;
  ASSERT_TRUE(RunTokenCommand(command, FixedClock()).ok());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(Entries().size(), 1u);
}

TEST_F(TokensFile, AFileThatOthersMayChangeIsRefusedAndLeftAsItIs) {
  for (const mode_t mode : {0620, 0602, 0666}) {
    Write(Line("a", kHash1), mode);
    const auto made = RunTokenCommand(Command(TokenCommand::Kind::kCreate, "bob"), FixedClock());
    EXPECT_EQ(made.status().code(), StatusCode::kRefused) << mode;
    EXPECT_EQ(LoadTokens(path_, "").status().message(),
              "auth.tokens_file: " + path_ + " may be changed by others; chmod go-w it");
    EXPECT_EQ(Text(), Line("a", kHash1));
  }
}

TEST_F(TokensFile, ADamagedFileIsRefusedAndLeftAsItIs) {
  Write("damaged\n");
  const auto made = RunTokenCommand(Command(TokenCommand::Kind::kCreate, "bob"), FixedClock());
  EXPECT_EQ(made.status().code(), StatusCode::kRefused);
  EXPECT_EQ(made.status().message().rfind(path_ + ":1: ", 0), 0u) << made.status().message();
  EXPECT_EQ(Text(), "damaged\n");
}

TEST_F(TokensFile, RevokingRemovesByIdOrUser) {
  Create("alice");
  Create("bob");
  Create("bob");
  TokenCommand revoke = Command(TokenCommand::Kind::kRevoke);
  revoke.id = Entries()[0].id;
  ASSERT_TRUE(RunTokenCommand(revoke, FixedClock()).ok());
  EXPECT_EQ(Entries().size(), 2u);
  EXPECT_EQ(RunTokenCommand(revoke, FixedClock()).status().code(), StatusCode::kNotFound);
  const auto both = RunTokenCommand(Command(TokenCommand::Kind::kRevoke, "bob"), FixedClock());
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(both->rfind("2 tokens revoked", 0), 0u) << *both;
  EXPECT_TRUE(Entries().empty());
}

TEST_F(TokensFile, ListingShowsNoHashAndSaysWhatIsOver) {
  Write(Line("a", kHash1) + "b bob admin " + kCreated + " " + kCreated + " " + kHash2 + "\n", 0444);
  const auto text = RunTokenCommand(Command(TokenCommand::Kind::kList), FixedClock());
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, "id user scopes created expires\na alice timers:read " + kCreated +
                       " never\nb bob admin " + kCreated + " " + kCreated + " (expired)\n");
}

TEST_F(TokensFile, AFullOneTakesNoMoreUntilWhatIsOverIsRemoved) {
  const auto hash = [](size_t n) {
    const std::string digits = std::to_string(n);
    return std::string(64 - digits.size(), '0') + digits;
  };
  std::string text = "over bob admin " + kCreated + " " + kCreated + " " + kHash2 + "\n";
  for (size_t n = 1; n < kTokensMax; ++n) text += Line("t" + std::to_string(n), hash(n));
  Write(text);
  const auto full = RunTokenCommand(Command(TokenCommand::Kind::kCreate, "ann"), FixedClock());
  EXPECT_EQ(full.status().code(), StatusCode::kRefused);
  EXPECT_NE(full.status().message().find("revoke --expired"), std::string::npos);
  EXPECT_EQ(Text(), text);
  TokenCommand revoke = Command(TokenCommand::Kind::kRevoke);
  revoke.expired = true;
  const auto removed = RunTokenCommand(revoke, FixedClock());
  ASSERT_TRUE(removed.ok()) << removed.status().message();
  EXPECT_EQ(removed->rfind("1 token revoked", 0), 0u) << *removed;
  Create("ann");
  EXPECT_EQ(Entries().size(), kTokensMax);
  EXPECT_EQ(RunTokenCommand(revoke, FixedClock())->rfind("0 tokens revoked", 0), 0u);
}

TEST_F(TokensFile, ChangesAtOnceAllHappen) {
  constexpr int kThreads = 4;
  constexpr int kEach = 10;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this, i] {
      for (int n = 0; n < kEach; ++n) Create("user" + std::to_string(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Entries().size(), static_cast<size_t>(kThreads * kEach));
}

}  // namespace
}  // namespace belfry
