// ceiling.h - the most webhooks this machine's libcurl sends: one curl multi handle on one libuv
// loop that does nothing but POSTs with an empty body, as many under way as asked for. What firing
// is compared with.
//
// Loop thread only. Easy handles, connections and the header list are reused; a zero time-out of
// libcurl is acted on in the same loop turn. The requests carry the headers of a webhook, all with
// the same values, and count up the last part of the path from 1 as the ids of timers do.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "bench/event_loop.h"
#include "bench/histogram.h"
#include "bench/progress.h"

namespace belfry {

struct CeilingPlan {
  std::string url;  // "/<number>" is appended
  uint64_t count = 0;
  int in_flight = 64;
};

struct CeilingResult {
  double seconds = 0;  // from the first POST to the last answer
  uint64_t answered = 0;
  std::map<std::string, uint64_t> failed;  // by status or reason
  int64_t own_cpu_us = 0;
  Histogram latency_ns;
};

class Ceiling {
 public:
  // `loop` outlives this.
  Ceiling(EventLoop& loop, CeilingPlan plan);
  ~Ceiling();
  Ceiling(const Ceiling&) = delete;
  Ceiling& operator=(const Ceiling&) = delete;

  // Once; runs the loop until all are answered. An error when it was interrupted, or when nothing
  // but failures came back.
  [[nodiscard]] Result<CeilingResult> Run();

 private:
  struct Poll;
  struct Post {
    CURL* easy = nullptr;
    uint64_t sent_ns = 0;
    std::string url;
  };

  static int OnSocket(CURL* easy, curl_socket_t fd, int what, void* self, void* data);
  static int OnClose(void* self, curl_socket_t fd);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);
  static void OnPoll(uv_poll_t* handle, int status, int events);
  void Open(Post& post);
  void Send(Post& post);
  void Act(curl_socket_t fd, int flags);
  void ActAtOnce();
  void Collect();
  void Done(CURL* easy, CURLcode code);
  void Look();

  EventLoop& loop_;
  const CeilingPlan plan_;
  CURLM* multi_;
  curl_slist* headers_ = nullptr;
  std::vector<Post> posts_;
  std::unordered_map<curl_socket_t, std::unique_ptr<Poll>> polls_;
  LoopTimer timer_;
  UvPtr<uv_check_t> after_poll_;
  UvPtr<uv_idle_t> no_wait_;  // while at_once_: the loop does not sleep
  LoopTimer look_timer_;
  StopSignals stop_;
  Progress progress_;
  CeilingResult result_;
  Status failed_;
  uint64_t sent_ = 0;
  uint64_t done_ = 0;
  uint64_t begun_ns_ = 0;
  uint64_t look_ns_ = 0;  // of the last Look
  uint64_t look_count_ = 0;
  bool at_once_ = false;  // libcurl asked for a zero time-out
};

}  // namespace belfry
