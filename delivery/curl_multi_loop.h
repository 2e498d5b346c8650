// curl_multi_loop.h - one curl multi handle on the libuv loop: sockets, time-outs, completions.
//
// Loop thread only. Rules:
// (1) curl is never entered from within one of its own callbacks: a time-out of zero and whatever
//     must be undone wait for the Immediate of this turn.
// (2) curl_multi_info_read is drained after every socket action; an easy handle is out of the multi
//     before its DoneFn runs.
// (3) A socket is polled by one uv_poll_t from its first use until curl closes it (CloseSocket, or,
//     if no connection came about, without a word).
//     Between requests it stays polled: whatever an idle connection says, a farewell or an answer
//     nobody asked for, makes it unfit for the next request, so it is shut down at once.
// (4) A socket callback belongs to one generation of a file descriptor; a late removal of an older
//     generation is ignored.
// (5) curl 7.88 closes a socket that has not connected (out of time, or the other family of
//     addresses was faster) without CloseSocket, and says so afterwards. libuv aborts when it is to
//     poll a closed descriptor. So the removal of a socket that curl never waited to read from ends
//     its poll.
#pragma once

#include <curl/curl.h>
#include <uv.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "delivery/immediate.h"
#include "delivery/uv_handle.h"

namespace belfry {

class CurlMultiLoop {
 public:
  // Not called from within Add or Remove. It may call both.
  using DoneFn = std::function<void(CURL* easy, CURLcode result)>;

  // `connections_max`: open at once, idle ones included; beyond, attempts wait for one another.
  CurlMultiLoop(uv_loop_t* loop, size_t connections_max, DoneFn done);
  // Drops what is under way without calling DoneFn. Not from within DoneFn.
  ~CurlMultiLoop();
  CurlMultiLoop(const CurlMultiLoop&) = delete;
  CurlMultiLoop& operator=(const CurlMultiLoop&) = delete;

  // `easy` must have CloseSocket and this object as CURLOPT_CLOSESOCKETFUNCTION and -DATA. False:
  // curl has no memory, nothing was started.
  [[nodiscard]] bool Add(CURL* easy);
  // Cuts it off; DoneFn will not be called for it. It is under way.
  void Remove(CURL* easy);
  // Ends the connections that wait for another request, so that their files are free: at once when
  // nothing is under way, else with the next attempt that is started. Not from within DoneFn.
  void DropIdle();

  [[nodiscard]] size_t in_flight() const { return in_flight_; }

  static int CloseSocket(void* self, curl_socket_t fd);

 private:
  struct Poll;

  static int OnSocket(CURL* easy, curl_socket_t fd, int what, void* self, void* socket_data);
  static int OnTimer(CURLM* multi, long timeout_ms, void* self);
  static void OnPoll(uv_poll_t* handle, int status, int events);

  int WatchSocket(CURL* easy, curl_socket_t fd, int what, void* socket_data);
  Poll* OpenPoll(curl_socket_t fd);
  void Rest(Poll* poll);
  void ClosePoll(curl_socket_t fd);
  void Act(curl_socket_t fd, int events);
  void RunNow();
  void Drain();
  void FailBroken();

  void OpenMulti();
  void CloseMulti();

  uv_loop_t* loop_;
  const long connections_max_;
  CURLM* multi_ = nullptr;
  DoneFn done_;
  UvTimer timer_;
  Immediate immediate_;
  absl::flat_hash_map<curl_socket_t, Poll*> polls_;
  std::vector<CURL*> broken_;  // could not be polled; to be failed outside of curl's callbacks
  uint64_t last_generation_ = 0;
  size_t in_flight_ = 0;
  bool timed_out_ = false;  // curl asked for a time-out of zero
  bool closing_ = false;
};

}  // namespace belfry
