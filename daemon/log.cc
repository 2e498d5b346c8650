#include "daemon/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <array>
#include <atomic>
#include <mutex>

#include "daemon/nonblocking_fd.h"

namespace belfry {
namespace {

constexpr std::string_view kLogger = "belfry";
constexpr std::string_view kEllipsis = "...";
constexpr std::string_view kCut = " cut=true";
constexpr size_t kTimeBytes = 32;  // "time=2026-11-21T08:00:00.000Z " and the end of the line

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

bool IsPlain(char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '='; }

void AppendEscaped(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (c >= ' ' && c < 0x7f) {
    out += c;
    return;
  }
  const auto byte = static_cast<unsigned char>(c);
  out += "\\x";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

// Writes whole lines. base_sink's mutex is held for one write that does not wait.
class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(int fd) : fd_(fd) {}

  [[nodiscard]] uint64_t dropped() const { return dropped_; }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (unreported_ > 0 && !Report(message.time)) return Drop();
    if (!Put(message)) Drop();
  }
  void flush_() override {}

  void Drop() {
    ++unreported_;
    ++dropped_;
  }

  bool Report(spdlog::log_clock::time_point time) {
    const std::string text =
        "level=warn event=log_lines_dropped lines=" + std::to_string(unreported_);
    if (!Put({time, {}, kLogger.data(), spdlog::level::warn, text})) return false;
    unreported_ = 0;
    return true;
  }

  bool Put(const spdlog::details::log_msg& message) {
    if (!rest_.empty() && !FinishLine()) return false;
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    const std::string_view text(line.data(), line.size());
    const ssize_t taken = fd_.Write(text);
    if (taken <= 0) return false;
    // A socket or terminal may take a part; the rest goes out before anything else does.
    rest_ = text.substr(static_cast<size_t>(taken));
    return true;
  }

  bool FinishLine() {
    const ssize_t taken = fd_.Write(rest_);
    if (taken > 0) rest_.erase(0, static_cast<size_t>(taken));
    return rest_.empty();
  }

  NonBlockingFd fd_;
  std::string rest_;  // at most one line
  uint64_t unreported_ = 0;
  std::atomic<uint64_t> dropped_ = 0;
};

}  // namespace

struct LogWriter::Impl {
  Impl(int fd, LogLevel least_level)
      : least(least_level),
        sink(std::make_shared<LineSink>(fd)),
        logger(std::string(kLogger), sink) {
    logger.set_level(spdlog::level::trace);
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "time=%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc, "\n"));
  }

  const LogLevel least;
  std::shared_ptr<LineSink> sink;
  spdlog::logger logger;
};

LogWriter::LogWriter(int fd, LogLevel least) : impl_(std::make_unique<Impl>(fd, least)) {}

LogWriter::~LogWriter() = default;

bool LogWriter::Wants(LogLevel level) const { return level >= impl_->least; }

void LogWriter::Log(LogLevel level, std::string_view event,
                    std::initializer_list<LogField> fields) {
  if (!Wants(level)) return;
  std::string line = "level=";
  line += LevelName(level);
  line += " event=";
  line += event;
  for (const LogField& field : fields) {
    std::string text = " ";
    text += field.key;
    text += '=';
    text += LogValue(field.value);
    if (kTimeBytes + line.size() + text.size() + kCut.size() > kLogLineBytesMax) {
      line += kCut;
      break;
    }
    line += text;
  }
  // A string_view is taken as it is: braces in it are not a format.
  impl_->logger.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

uint64_t LogWriter::dropped() const { return impl_->sink->dropped(); }

std::string LogValue(std::string_view value) {
  bool plain = !value.empty() && value.size() <= kLogValueBytesMax;
  for (size_t i = 0; plain && i < value.size(); ++i) plain = IsPlain(value[i]);
  if (plain) return std::string(value);
  std::string out = "\"";
  for (const char c : value) {
    // The longest escape has four bytes.
    if (out.size() + 4 + kEllipsis.size() > kLogValueBytesMax) {
      out += kEllipsis;
      break;
    }
    AppendEscaped(out, c);
  }
  out += '"';
  return out;
}

}  // namespace belfry
