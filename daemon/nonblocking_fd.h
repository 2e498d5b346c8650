// nonblocking_fd.h - writes to a descriptor that others share, without waiting and without changing
// its flags (O_NONBLOCK on stderr would also strike the shell that started us). One thread.
#pragma once

#include <sys/types.h>

#include <string_view>

namespace belfry {

class NonBlockingFd {
 public:
  // `fd` is borrowed.
  explicit NonBlockingFd(int fd);
  ~NonBlockingFd();
  NonBlockingFd(const NonBlockingFd&) = delete;
  NonBlockingFd& operator=(const NonBlockingFd&) = delete;

  // Bytes taken, 0 when the descriptor would make us wait, -1 when it failed (errno is set). Text
  // of at most PIPE_BUF bytes goes into a pipe whole or not at all.
  ssize_t Write(std::string_view text);

 private:
  enum class Kind {
    kSocket,  // send() can refuse to wait
    kOwn,     // a pipe or terminal, opened again with O_NONBLOCK of its own
    kPolled,  // the rest: asked before each write
  };
  int fd_;
  Kind kind_;
};

}  // namespace belfry
