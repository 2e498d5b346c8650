// receiver.h - an HTTP/1.1 server that answers 204 to everything: where webhooks go.
//
// Loop thread only. Told to, it closes connections that wait for their next request at random
// moments, as servers do: it ends its side, and reads on until the client ends the other. So a
// request that was on its way then is seen, though nobody answers it.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "bench/endpoint.h"
#include "bench/event_loop.h"

namespace belfry {

// UTC nanoseconds since 1970.
[[nodiscard]] int64_t WallNs();

class Receiver {
 public:
  // One complete request arrived. `arrived_wall_ns`: when its last bytes were read, UTC.
  using RequestFn = std::function<void(std::string_view target, int64_t arrived_wall_ns)>;

  struct IdleClose {
    int64_t within_ms = 0;  // after each answer, a random time up to this; 0: never
    RequestFn on_unanswered;
    uint64_t seed = 1;
  };

  // `loop` outlives this.
  [[nodiscard]] static Result<std::unique_ptr<Receiver>> Listen(EventLoop& loop,
                                                                const Endpoint& endpoint,
                                                                RequestFn on_request,
                                                                IdleClose idle_close);
  [[nodiscard]] static Result<std::unique_ptr<Receiver>> Listen(EventLoop& loop,
                                                                const Endpoint& endpoint,
                                                                RequestFn on_request) {
    return Listen(loop, endpoint, std::move(on_request), IdleClose{});
  }
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // "127.0.0.1:9000", with the port that was given when 0 was asked for.
  [[nodiscard]] std::string address() const;
  // Ends every connection.
  void EndAll();
  // How many connections it closed while they were idle.
  [[nodiscard]] uint64_t closed_idle() const { return closed_idle_; }

 private:
  class Connection;

  Receiver(EventLoop& loop, RequestFn on_request, IdleClose idle_close);
  void Accept();
  void CloseIdle();
  [[nodiscard]] uint64_t DrawIdleNs();

  EventLoop& loop_;
  RequestFn on_request_;
  const IdleClose idle_close_;
  std::mt19937_64 random_;
  LoopTimer sweep_;
  uint64_t closed_idle_ = 0;
  UvPtr<uv_tcp_t> listener_;
  std::unordered_set<Connection*> connections_;  // each deletes itself when it ends
};

}  // namespace belfry
