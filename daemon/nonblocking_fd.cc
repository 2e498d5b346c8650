#include "daemon/nonblocking_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace belfry {

NonBlockingFd::NonBlockingFd(int fd) : fd_(fd), kind_(Kind::kPolled) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return;
  if (S_ISSOCK(info.st_mode)) {
    kind_ = Kind::kSocket;
    return;
  }
  // A regular file must not be opened again: the offset would start over.
  if (!S_ISFIFO(info.st_mode) && !S_ISCHR(info.st_mode)) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int own = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (own < 0) return;
  fd_ = own;
  kind_ = Kind::kOwn;
}

NonBlockingFd::~NonBlockingFd() {
  if (kind_ == Kind::kOwn) close(fd_);
}

ssize_t NonBlockingFd::Write(std::string_view text) {
  for (;;) {
    if (kind_ == Kind::kPolled) {
      // A pipe is writable when PIPE_BUF bytes fit.
      pollfd ready{fd_, POLLOUT, 0};
      if (poll(&ready, 1, 0) == 0) return 0;
    }
    const ssize_t sent = kind_ == Kind::kSocket
                             ? send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                             : write(fd_, text.data(), text.size());
    if (sent >= 0) return sent;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
  }
}

}  // namespace belfry
