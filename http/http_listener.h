// http_listener.h - one listening socket.
//
// Loop thread only. Accepts by itself instead of through uv_listen: libuv answers a lack of
// descriptors by closing the newest clients, and may spin; here accepting rests for a moment.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "http/message.h"

namespace belfry {

// Of a Unix socket, unless told otherwise: its owner and group may connect.
constexpr unsigned kSocketMode = 0660;

class HttpListener {
 public:
  // Takes over a connected, non-blocking socket.
  using AcceptFn = std::function<void(int fd, const Peer& peer)>;

  // `host` is an IP address or `localhost`, which is 127.0.0.1; port 0 lets the system choose.
  [[nodiscard]] static Result<std::unique_ptr<HttpListener>> Tcp(uv_loop_t* loop,
                                                                 const std::string& host,
                                                                 uint16_t port, AcceptFn accept);
  // Removes a socket that nobody listens on, and nothing else. The socket has `mode` (permission
  // bits) from the first moment, whatever the umask. Waits up to a second while another process
  // does the same in that directory.
  [[nodiscard]] static Result<std::unique_ptr<HttpListener>> Unix(uv_loop_t* loop,
                                                                  const std::string& path,
                                                                  unsigned mode, AcceptFn accept);

  // Close, then run the loop until closed(), before this.
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  void Pause();
  void Resume();
  // Nobody can connect from here on; the path of a Unix socket is gone, unless it is somebody
  // else's by now.
  void Close();
  [[nodiscard]] bool closed() const { return open_handles_ == 0; }
  [[nodiscard]] uint16_t port() const { return port_; }  // 0: a Unix socket

 private:
  HttpListener(uv_loop_t* loop, int fd, AcceptFn accept);
  void AcceptSome();
  void Rest();
  void Update();

  AcceptFn accept_;
  uv_poll_t poll_;
  uv_timer_t retry_;
  const int fd_;
  int open_handles_ = 2;
  uint16_t port_ = 0;
  std::string path_;
  uint64_t device_ = 0;  // of the socket that was bound at path_
  uint64_t inode_ = 0;
  bool paused_ = false;   // by the owner
  bool resting_ = false;  // after running out of descriptors
  bool closing_ = false;
};

}  // namespace belfry
