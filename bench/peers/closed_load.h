// closed_load.h - many connections, one request under way on each, of any protocol.
//
// Loop thread only. Either for a time (warm-up, then measured), or until a number of requests is
// answered. Latency is from the send to the whole reply.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/endpoint.h"
#include "bench/event_loop.h"
#include "bench/histogram.h"
#include "bench/peers/reply_reader.h"
#include "bench/peers/request_template.h"

namespace belfry {

struct ClosedPlan {
  Endpoint endpoint;
  int connections = 64;
  int64_t warmup_ms = 0;
  int64_t duration_ms = 0;
  uint64_t count = 0;  // 0: for the time above; else so many requests, all measured
  int64_t due_ms = 0;  // UTC, since 1970: what {left_ms} counts to
  std::function<std::unique_ptr<ReplyReader>()> reader;
};

struct ClosedResult {
  double seconds = 0;
  Histogram latency_ns;  // of every reply, good or bad
  uint64_t bad = 0;
  std::string first_bad;  // what it said
  int64_t own_cpu_us = 0;
};

class ClosedLoad {
 public:
  // `loop` outlives this. `on_begin` is called when the measuring begins.
  ClosedLoad(EventLoop& loop, ClosedPlan plan, RequestTemplate request,
             std::function<void()> on_begin);
  ~ClosedLoad();

  // Once; runs the loop. An error when a connection cannot be made or ends, what it reads is not
  // the protocol, or nothing at all was answered for 10 s.
  [[nodiscard]] Result<ClosedResult> Run();

 private:
  class Connection;

  void OnUp();
  void OnReply(Connection& connection, bool good, uint64_t sent_ns);
  void SendNext(Connection& connection);
  void Begin();
  void End();
  void Watch();
  void Fail(const std::string& why);

  EventLoop& loop_;
  const ClosedPlan plan_;
  RequestTemplate request_;
  const std::function<void()> on_begin_;
  LoopTimer phase_timer_;
  LoopTimer watch_timer_;
  StopSignals stop_;
  std::vector<std::unique_ptr<Connection>> connections_;
  size_t up_ = 0;
  uint64_t sent_ = 0;
  uint64_t answered_ = 0;
  uint64_t watched_ = 0;  // answered_ at the last look
  bool measuring_ = false;
  uint64_t begun_ns_ = 0;
  ClosedResult result_;
  Status failed_;
};

}  // namespace belfry
