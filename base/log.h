// log.h - how any folder writes to the log without knowing where it goes. One line an event.
//
// Log() may be called on any thread, never blocks and never fails: a line that cannot be written at
// once is dropped and counted. A sink outlives everything that was given a reference to it.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

namespace belfry {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// One key=value. Keys are plain words (a-z, 0-9, _); values are quoted by the sink where needed.
struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
  template <typename T>
  requires(std::integral<T> && !std::same_as<T, bool>) LogField(std::string_view k, T v)
      : key(k), value(std::to_string(v)) {}
};

class LogSink {
 public:
  virtual ~LogSink() = default;
  // False: such a line would go nowhere, so its fields need not be made.
  [[nodiscard]] virtual bool Wants(LogLevel) const { return true; }
  // `event` is a plain word that names what happened; every event has one name.
  virtual void Log(LogLevel level, std::string_view event,
                   std::initializer_list<LogField> fields) = 0;

  void Debug(std::string_view event, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kDebug, event, fields);
  }
  void Info(std::string_view event, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kInfo, event, fields);
  }
  void Warn(std::string_view event, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kWarn, event, fields);
  }
  void Error(std::string_view event, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kError, event, fields);
  }
};

// For tests and tools that want no log.
class NullLog final : public LogSink {
 public:
  [[nodiscard]] bool Wants(LogLevel) const override { return false; }
  void Log(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

}  // namespace belfry
