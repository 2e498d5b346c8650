// log.h - the log of the process: one line an event to a descriptor (stderr), key=value, UTC.
//
//   time=2026-11-21T08:00:00.000Z level=info event=listening address=127.0.0.1:8080
//
// Any thread. Never waits: a line that the descriptor does not take at once (a pipe nobody reads, a
// full disk) is dropped and counted, and the first line that gets through again is preceded by
// `event=log_lines_dropped lines=N`. A line has at most kLogLineBytesMax bytes: a long value is cut
// and ends in "...", fields that do not fit are left out and the line ends in cut=true.
// spdlog stops here.
#pragma once

#include <cstdint>
#include <memory>

#include "base/log.h"

namespace belfry {

constexpr size_t kLogLineBytesMax = 4096;  // PIPE_BUF: a pipe takes it whole or not at all
constexpr size_t kLogValueBytesMax = 1024;

class LogWriter final : public LogSink {
 public:
  // `fd` is borrowed for the life of the writer; its flags are not changed: others share them.
  LogWriter(int fd, LogLevel least);
  ~LogWriter() override;

  [[nodiscard]] bool Wants(LogLevel level) const override;
  void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) override;

  // Lines dropped since the start.
  [[nodiscard]] uint64_t dropped() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// `value` as it stands in a line: bare when it is plain ASCII without space, quote, backslash and
// '='; else quoted, with \" \\ \n \r \t and \xHH for everything else that is not printable ASCII.
[[nodiscard]] std::string LogValue(std::string_view value);

}  // namespace belfry
