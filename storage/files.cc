#include "storage/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace belfry {
namespace {

constexpr size_t kSmallFileBytesMax = size_t{1} << 20;
constexpr size_t kCopyBytes = size_t{64} << 10;

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

Result<size_t> ReadSome(int fd, char* out, size_t size, const std::string& path) {
  for (;;) {
    const ssize_t n = read(fd, out, size);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) return SystemError("cannot read", path);
  }
}

Status Copy(int from, int to, const std::string& from_path, const std::string& to_path) {
  std::string buffer(kCopyBytes, '\0');
  for (int64_t offset = 0;;) {
    const Result<size_t> n = ReadSome(from, buffer.data(), buffer.size(), from_path);
    if (!n.ok()) return n.status();
    if (*n == 0) return {};
    Status s = WriteAt(to, std::string_view(buffer).substr(0, *n), offset, to_path);
    if (!s.ok()) return s;
    offset += static_cast<int64_t>(*n);
  }
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Status SystemError(std::string_view what, const std::string& path) {
  return IoError(std::string(what) + " " + path + ": " + std::strerror(errno));
}

Result<std::string> ReadSmallFile(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && errno == ENOENT) return Status(StatusCode::kNotFound, path + " is missing");
  if (!fd.valid()) return SystemError("cannot open", path);
  std::string bytes(kSmallFileBytesMax, '\0');
  size_t size = 0;
  while (size < bytes.size()) {
    const Result<size_t> n = ReadSome(fd.get(), bytes.data() + size, bytes.size() - size, path);
    if (!n.ok()) return n.status();
    if (*n == 0) {
      bytes.resize(size);
      return bytes;
    }
    size += *n;
  }
  return IoError(path + " is too large to be what it should be");
}

Status WriteAt(int fd, std::string_view bytes, int64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError("cannot write", path);
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += n;
  }
  return {};
}

Status WriteFileDurably(const std::string& path, std::string_view bytes) {
  const std::string aside = path + ".new";
  const Fd fd(open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.valid()) return SystemError("cannot create", aside);
  if (Status s = WriteAt(fd.get(), bytes, 0, aside); !s.ok()) return s;
  if (fsync(fd.get()) != 0) return SystemError("cannot sync", aside);
  if (rename(aside.c_str(), path.c_str()) != 0) return SystemError("cannot rename to", path);
  return SyncDirectory(ParentOf(path));
}

Status SyncDirectory(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return SystemError("cannot open", path);
  if (fsync(fd.get()) != 0) return SystemError("cannot sync", path);
  return {};
}

Status CopyFileDurably(const std::string& from, const std::string& to) {
  const Fd in(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.valid()) return SystemError("cannot open", from);
  const Fd out(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!out.valid()) return SystemError("cannot create", to);
  if (Status s = Copy(in.get(), out.get(), from, to); !s.ok()) return s;
  if (fsync(out.get()) != 0) return SystemError("cannot sync", to);
  return {};
}

Status MakeDirectories(const std::string& path) {
  struct stat found;
  if (stat(path.c_str(), &found) == 0) {
    if (S_ISDIR(found.st_mode)) return {};
    return IoError(path + " is not a directory");
  }
  const std::string parent = ParentOf(path);
  if (Status s = MakeDirectories(parent); !s.ok()) return s;
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return SystemError("cannot create", path);
  return SyncDirectory(parent);
}

}  // namespace belfry
