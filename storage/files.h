// files.h - the few file operations whose durability matters, with every error told.
//
// Any thread. Messages name the path and what the system said.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace belfry {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// kIoError with the words for `errno`.
[[nodiscard]] Status SystemError(std::string_view what, const std::string& path);

// The whole file; kNotFound when there is none. Refuses files beyond 1 MiB.
[[nodiscard]] Result<std::string> ReadSmallFile(const std::string& path);

// The file is whole, old or new, whenever the machine stops: written aside, synced, renamed, and
// the directory synced.
[[nodiscard]] Status WriteFileDurably(const std::string& path, std::string_view bytes);

// All of `bytes` at `offset`.
[[nodiscard]] Status WriteAt(int fd, std::string_view bytes, int64_t offset,
                             const std::string& path);

// Names in a directory are durable after this.
[[nodiscard]] Status SyncDirectory(const std::string& path);

// Copies one file, synced.
[[nodiscard]] Status CopyFileDurably(const std::string& from, const std::string& to);

// The directory and its parents exist, owner only.
[[nodiscard]] Status MakeDirectories(const std::string& path);

}  // namespace belfry
