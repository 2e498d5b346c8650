// receiver.h - an HTTP/1.1 server that answers 204 to everything: where webhooks go.
//
// Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

#include "bench/endpoint.h"
#include "bench/event_loop.h"

namespace belfry {

// UTC nanoseconds since 1970.
[[nodiscard]] int64_t WallNs();

class Receiver {
 public:
  // One complete request arrived. `arrived_wall_ns`: when its last bytes were read, UTC.
  using RequestFn = std::function<void(std::string_view target, int64_t arrived_wall_ns)>;

  // `loop` outlives this.
  [[nodiscard]] static Result<std::unique_ptr<Receiver>> Listen(EventLoop& loop,
                                                                const Endpoint& endpoint,
                                                                RequestFn on_request);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // "127.0.0.1:9000", with the port that was given when 0 was asked for.
  [[nodiscard]] std::string address() const;

 private:
  class Connection;

  Receiver(EventLoop& loop, RequestFn on_request);
  void Accept();

  EventLoop& loop_;
  RequestFn on_request_;
  UvPtr<uv_tcp_t> listener_;
  std::unordered_set<Connection*> connections_;  // each deletes itself when it ends
};

}  // namespace belfry
