// status.h - errors are values. A foreign error (uv code, CURLcode, rocksdb::Status, yaml
// exception) becomes a Status in the folder that owns the library.
//
// Status     ok, or a code and a message for a person. Cheap when ok.
// Result<T>  a T or a Status that is not ok; value() of an error aborts.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "base/check.h"

namespace belfry {

enum class StatusCode {
  kOk,
  kInvalid,      // what the caller gave is wrong
  kNotFound,     // it does not exist
  kIoError,      // the disk or the network failed; the outcome may be unknown
  kNoSpace,      // the disk is full; nothing was stored
  kCorruption,   // stored bytes are not what was written
  kRefused,      // the store or the configuration may not be used (exit 78)
  kInUse,        // another process has the data directory (exit 75)
  kUnavailable,  // it was not done: the process is stopping
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  [[nodiscard]] bool ok() const { return code_ == StatusCode::kOk; }
  [[nodiscard]] StatusCode code() const { return code_; }
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status Invalid(std::string message) { return {StatusCode::kInvalid, std::move(message)}; }
inline Status IoError(std::string message) { return {StatusCode::kIoError, std::move(message)}; }
inline Status Corruption(std::string m) { return {StatusCode::kCorruption, std::move(m)}; }
inline Status Refused(std::string message) { return {StatusCode::kRefused, std::move(message)}; }

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                 // NOLINT: implicit
  Result(Status status) : status_(std::move(status)) { CHECK(!status_.ok()); }  // NOLINT: implicit

  [[nodiscard]] bool ok() const { return value_.has_value(); }
  [[nodiscard]] const Status& status() const { return status_; }
  T& value() {
    CHECK(ok());
    return *value_;
  }
  const T& value() const {
    CHECK(ok());
    return *value_;
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace belfry
