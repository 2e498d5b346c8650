// load.h - asks the same kind of request over many connections for a while, and measures.
//
// Loop thread only. Closed loop: each connection keeps `pipeline` requests under way and sends the
// next one when an answer came; latency counts from the send. Open loop (`rate` > 0): requests are
// meant to leave at a fixed rate whatever the answers do, and latency counts from that moment, so
// that time spent waiting for a free connection is not left out. None leaves early; those that
// become due within 0.2 ms may leave together, at the end of it, and that wait counts too.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/client_connection.h"
#include "bench/endpoint.h"
#include "bench/event_loop.h"
#include "bench/histogram.h"
#include "bench/progress.h"

namespace belfry {

struct LoadPlan {
  Endpoint endpoint;
  std::string token;  // "": none is sent
  int connections = 64;
  int pipeline = 1;       // requests under way on one connection
  int64_t warmup_ms = 0;  // not measured
  int64_t duration_ms = 0;
  double rate = 0;  // requests per second, all connections together; 0: closed loop
  int pid = 0;      // of the daemon; 0: its processor time is not asked for
};

struct LoadResult {
  double seconds = 0;    // that were measured
  Histogram latency_ns;  // of every answer
  std::map<int, uint64_t> by_status;
  std::map<std::string, uint64_t> broken;  // requests without an answer, by reason
  uint64_t unsent = 0;                     // open loop: meant to leave, but no connection was free
  int64_t own_cpu_us = 0;
  std::optional<int64_t> daemon_cpu_us;

  [[nodiscard]] uint64_t answered() const { return latency_ns.count(); }
  [[nodiscard]] uint64_t errors() const;  // broken, or answered anything but 2xx
};

class RequestSource {
 public:
  virtual ~RequestSource() = default;
  virtual std::string_view Next() = 0;  // one whole request; borrowed until the next call
};

class Load final : private ClientEvents {
 public:
  // Both references outlive this.
  Load(EventLoop& loop, LoadPlan plan, RequestSource& source);

  // Once; runs the loop. An error when the daemon cannot be reached, at the start or for five
  // seconds later on. SIGINT and SIGTERM end it early.
  [[nodiscard]] Result<LoadResult> Run();

 private:
  enum class Phase { kConnecting, kWarmup, kMeasuring, kDraining };

  void OnUp(ClientConnection& connection) override;
  void OnAnswer(ClientConnection& connection, uint64_t tag, int status,
                std::string_view body) override;
  void OnDown(ClientConnection& connection, bool was_up, size_t unanswered,
              const std::string& why) override;
  void NextPhase();
  void BeginMeasuring();
  void EndMeasuring();
  void Look();
  void Fill(ClientConnection& connection);
  void SendDue();
  void Fail(const std::string& why);
  [[nodiscard]] bool sending() const {
    return phase_ == Phase::kWarmup || phase_ == Phase::kMeasuring;
  }

  EventLoop& loop_;
  const LoadPlan plan_;
  RequestSource& source_;
  LoopTimer phase_timer_;
  LoopTimer look_timer_;
  PreciseTimer due_timer_;
  StopSignals stop_;
  Progress progress_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  std::deque<ClientConnection*> free_;  // open loop: one entry for each request that may be sent
  Phase phase_ = Phase::kConnecting;
  Status failed_;
  LoadResult result_;
  uint64_t begun_ns_ = 0;     // of the measuring
  uint64_t interval_ns_ = 0;  // open loop
  uint64_t next_due_ns_ = 0;  // open loop
  uint64_t look_ns_ = 0;      // of the last Look
  uint64_t look_answers_ = 0;
  uint64_t answers_ = 0;     // warm-up included
  uint64_t errors_ = 0;      // warm-up included
  uint64_t last_up_ns_ = 0;  // when any connection was last seen up
  uint64_t ends_ns_ = 0;     // when the phase is over
};

}  // namespace belfry
