// listeners.h - very many clients of the event stream of one stopwatch, and how fast a reset
// reaches all of them.
//
// Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bench/client_connection.h"
#include "bench/endpoint.h"
#include "bench/event_loop.h"
#include "bench/histogram.h"

namespace belfry {

struct ListenPlan {
  Endpoint endpoint;
  uint64_t clients = 10'000;
  uint64_t resets = 20;
  int64_t limit_ms = 0;   // for all clients to be there, and for one reset to reach them
  int64_t settle_ms = 0;  // when all are there, before the first reset
};

struct ListenResult {
  Histogram heard_ns;  // from sending the reset to each client
  Histogram all_ns;    // to the last
  uint64_t missed = 0;
};

class Listeners final : private ClientEvents {
 public:
  // `loop` outlives this.
  Listeners(EventLoop& loop, const ListenPlan& plan);
  ~Listeners() override;

  // Once; runs the loop. Says on stderr when all are there.
  [[nodiscard]] Result<ListenResult> Run();

 private:
  struct Client {
    Listeners* owner = nullptr;
    UvPtr<uv_tcp_t> tcp;
    uv_connect_t connect{};
    uv_write_t write{};
    std::string tail;    // the end of what came, in which a word may begin
    bool there = false;  // it has its snapshot
    uint64_t heard = 0;  // resets
  };

  void ConnectMore();
  void Took(Client& client, std::string_view bytes);
  void Gone(const std::string& why);
  void AllThere();
  void Reset();
  void OnLimit();
  void OnUp(ClientConnection& connection) override;
  void OnAnswer(ClientConnection& connection, uint64_t tag, int status,
                std::string_view body) override;
  void OnDown(ClientConnection& connection, bool was_up, size_t unanswered,
              const std::string& why) override;

  EventLoop& loop_;
  const ListenPlan plan_;
  const std::string request_;
  const std::string reset_;
  std::deque<Client> clients_;
  ClientConnection control_;
  LoopTimer limit_;
  LoopTimer next_;
  ListenResult result_;
  Status failed_;
  uint64_t connecting_ = 0;
  uint64_t there_ = 0;
  uint64_t resets_ = 0;
  uint64_t heard_ = 0;  // the last reset, so many clients
  uint64_t sent_ns_ = 0;
};

}  // namespace belfry
