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

namespace belfry {

class HttpListener {
 public:
  // Takes over a connected, non-blocking socket.
  using AcceptFn = std::function<void(int fd, bool over_tcp)>;

  // `host` is an IP address or `localhost`, which is 127.0.0.1; port 0 lets the system choose.
  [[nodiscard]] static Result<std::unique_ptr<HttpListener>> Tcp(uv_loop_t* loop,
                                                                 const std::string& host,
                                                                 uint16_t port, AcceptFn accept);
  // Removes a socket nobody listens on; the umask decides who may connect.
  [[nodiscard]] static Result<std::unique_ptr<HttpListener>> Unix(uv_loop_t* loop,
                                                                  const std::string& path,
                                                                  AcceptFn accept);

  // Close, then run the loop until closed(), before this.
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  void Pause();
  void Resume();
  // Nobody can connect from here on; the path of a Unix socket is gone.
  void Close();
  [[nodiscard]] bool closed() const { return open_handles_ == 0; }
  [[nodiscard]] uint16_t port() const { return port_; }  // 0: a Unix socket

 private:
  HttpListener(uv_loop_t* loop, int fd, bool over_tcp, AcceptFn accept);
  void AcceptSome();
  void Rest();
  void Update();

  AcceptFn accept_;
  uv_poll_t poll_;
  uv_timer_t retry_;
  const int fd_;
  const bool over_tcp_;
  int open_handles_ = 2;
  uint16_t port_ = 0;
  std::string path_;
  bool paused_ = false;   // by the owner
  bool resting_ = false;  // after running out of descriptors
  bool closing_ = false;
};

}  // namespace belfry
