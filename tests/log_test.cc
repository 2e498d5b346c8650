#include "daemon/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

namespace belfry {
namespace {

// Two connected descriptors; [0] is read, [1] is written.
class Pair {
 public:
  explicit Pair(bool socket) {
    const int result = socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_.data())
                              : pipe2(fds_.data(), O_CLOEXEC);
    EXPECT_EQ(result, 0);
  }
  ~Pair() {
    CloseReader();
    close(fds_[1]);
  }
  [[nodiscard]] int writer() const { return fds_[1]; }
  void CloseReader() {
    if (fds_[0] >= 0) close(fds_[0]);
    fds_[0] = -1;
  }
  // Everything that is there now.
  std::string Drain() {
    fcntl(fds_[0], F_SETFL, O_NONBLOCK);
    std::string text;
    std::array<char, 65536> buffer{};
    for (ssize_t got = 0; (got = read(fds_[0], buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<size_t>(got));
    }
    return text;
  }

 private:
  std::array<int, 2> fds_{-1, -1};
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  size_t start = 0;
  for (size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    lines.push_back(text.substr(start, end - start));
  }
  EXPECT_EQ(start, text.size()) << "the last line is whole";
  return lines;
}

// Without the time.
std::string Body(const std::string& line) { return line.substr(line.find(' ') + 1); }

TEST(Log, ALineIsTimeLevelEventAndFields) {
  Pair pipe(false);
  LogWriter log(pipe.writer(), LogLevel::kInfo);
  log.Info("listening", {{"address", "127.0.0.1:80"}, {"fds", 7}, {"ready", true}});
  const auto lines = Lines(pipe.Drain());
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(Body(lines[0]), "level=info event=listening address=127.0.0.1:80 fds=7 ready=true");
  // time=2026-11-21T08:00:00.000Z
  const std::string time = lines[0].substr(0, lines[0].find(' '));
  ASSERT_EQ(time.size(), 29u) << time;
  EXPECT_EQ(time.substr(0, 7), "time=20");
  EXPECT_EQ(time[15], 'T');
  EXPECT_EQ(time[24], '.');
  EXPECT_EQ(time[28], 'Z');
}

TEST(Log, LevelsBelowTheLeastAreNotWritten) {
  Pair pipe(false);
  LogWriter log(pipe.writer(), LogLevel::kWarn);
  log.Debug("a");
  log.Info("b");
  log.Warn("c");
  log.Error("d");
  const auto lines = Lines(pipe.Drain());
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(Body(lines[0]), "level=warn event=c");
  EXPECT_EQ(Body(lines[1]), "level=error event=d");
  EXPECT_EQ(log.dropped(), 0u);
}

TEST(Log, ValuesCannotForgeALineOrAField) {
  EXPECT_EQ(LogValue("plain/value:1"), "plain/value:1");
  EXPECT_EQ(LogValue(""), "\"\"");
  EXPECT_EQ(LogValue("two words"), "\"two words\"");
  EXPECT_EQ(LogValue("a=b"), "\"a=b\"");
  EXPECT_EQ(LogValue("say \"hi\"\\"), "\"say \\\"hi\\\"\\\\\"");
  EXPECT_EQ(LogValue("a\nb\r\tc"), "\"a\\nb\\r\\tc\"");
  EXPECT_EQ(LogValue(std::string("\0\x1b\x7f\xc3\xa9", 5)), "\"\\x00\\x1b\\x7f\\xc3\\xa9\"");
  EXPECT_EQ(LogValue("{} %s {0}"), "\"{} %s {0}\"");
}

TEST(Log, BracesAreNotAFormat) {
  Pair pipe(false);
  LogWriter log(pipe.writer(), LogLevel::kInfo);
  log.Info("e", {{"v", "{}{0}%v"}});
  EXPECT_EQ(Body(Lines(pipe.Drain()).at(0)), "level=info event=e v={}{0}%v");
}

TEST(Log, LongValuesAndLinesAreCut) {
  const std::string cut = LogValue(std::string(5000, 'x'));
  EXPECT_LE(cut.size(), kLogValueBytesMax + 1);
  EXPECT_EQ(cut.substr(cut.size() - 5), "x...\"");

  Pair pipe(false);
  LogWriter log(pipe.writer(), LogLevel::kInfo);
  const std::string value(1000, 'y');
  log.Info("e", {{"a", value}, {"b", value}, {"c", value}, {"d", value}, {"e", value}});
  const std::string text = pipe.Drain();
  EXPECT_LE(text.size(), kLogLineBytesMax);
  EXPECT_EQ(text.substr(text.size() - 10), " cut=true\n");
}

class LogDrops : public testing::TestWithParam<bool> {};

TEST_P(LogDrops, AReaderThatStallsCostsLinesAndNeverTime) {
  Pair pair(GetParam());
  LogWriter log(pair.writer(), LogLevel::kInfo);
  const std::string value(900, 'v');
  constexpr int kLines =
      10'000;  // far more than a pipe or socket holds; a blocking write would hang
  for (uint64_t i = 0; i < kLines; ++i) log.Info("e", {{"i", i}, {"v", value}});
  EXPECT_GT(log.dropped(), 0u);

  std::string text = pair.Drain();
  log.Info("after");
  text += pair.Drain();
  // What got through is whole and in order, and the reports account for what did not.
  const std::string report = "level=warn event=log_lines_dropped lines=";
  uint64_t next = 0;
  uint64_t reported = 0;
  const auto lines = Lines(text);
  for (const std::string& line : lines) {
    const std::string body = Body(line);
    if (body.rfind(report, 0) == 0) {
      const uint64_t lost = std::stoull(body.substr(report.size()));
      reported += lost;
      next += lost;
    } else if (&line != &lines.back()) {
      ASSERT_EQ(body, "level=info event=e i=" + std::to_string(next++) + " v=" + value);
    }
  }
  EXPECT_EQ(Body(lines.back()), "level=info event=after");
  EXPECT_EQ(next, kLines);
  EXPECT_EQ(reported, log.dropped());
}

TEST_P(LogDrops, AReaderThatIsGoneCostsLinesOnly) {
  std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
  Pair pair(GetParam());
  LogWriter log(pair.writer(), LogLevel::kInfo);
  pair.CloseReader();
  log.Info("e");
  log.Info("e");
  EXPECT_EQ(log.dropped(), 2u);
}

TEST_P(LogDrops, TheFlagsOfTheDescriptorStay) {
  Pair pair(GetParam());
  const int before = fcntl(pair.writer(), F_GETFL);
  LogWriter log(pair.writer(), LogLevel::kInfo);
  log.Info("e");
  EXPECT_EQ(fcntl(pair.writer(), F_GETFL), before);
}

INSTANTIATE_TEST_SUITE_P(PipeAndSocket, LogDrops, testing::Bool(),
                         [](const auto& info) { return info.param ? "Socket" : "Pipe"; });

TEST(Log, AFileThatIsFullCostsLinesOnly) {
  std::string path = testing::TempDir() + "log_XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{100, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  {
    LogWriter log(fd, LogLevel::kInfo);
    for (int i = 0; i < 5; ++i) log.Info("something", {{"value", "which is long enough"}});
    EXPECT_GT(log.dropped(), 0u);
  }
  setrlimit(RLIMIT_FSIZE, &before);
  close(fd);
  unlink(path.c_str());
}

TEST(Log, WantsWhatItWouldWrite) {
  Pair pipe(false);
  LogWriter log(pipe.writer(), LogLevel::kInfo);
  EXPECT_FALSE(log.Wants(LogLevel::kDebug));
  EXPECT_TRUE(log.Wants(LogLevel::kInfo));
  EXPECT_TRUE(log.Wants(LogLevel::kError));
  log.Debug("unwanted");
  EXPECT_TRUE(Lines(pipe.Drain()).empty());
}

TEST(LogThreads, LinesOfManyThreadsStayWhole) {
  Pair pipe(false);
  LogWriter log(pipe.writer(), LogLevel::kInfo);
  constexpr int kThreads = 4;
  constexpr int kEach = 100;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < kEach; ++i) log.Info("e", {{"t", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto lines = Lines(pipe.Drain());
  EXPECT_EQ(lines.size() + log.dropped(), static_cast<size_t>(kThreads * kEach));
  for (const std::string& line : lines) EXPECT_EQ(Body(line).rfind("level=info event=e t=", 0), 0u);
}

}  // namespace
}  // namespace belfry
