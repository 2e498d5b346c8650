// http_server.h - the listeners and connections of the API.
//
// Loop thread only. Every uv handle lies on the given loop. Bounded: connections, bytes of
// half-read requests and unsent answers, and per connection what HttpConnection bounds.
//
// Answers given while the loop handles input or prepares to sleep are written together, one write a
// connection, before it sleeps. Who answers from a uv_prepare_t of their own calls FlushWrites()
// afterwards, because the order of such handles is not promised.
//
// To stop: StopAccepting(), serve on; StopReading(); wait for Flushed(); CloseAll(); run the loop
// until closed(); destroy.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/status.h"
#include "http/http_connection.h"
#include "http/http_listener.h"
#include "http/message.h"

namespace belfry {

struct ServerOptions {
  ConnectionLimits connection;
  size_t connections_max = 1024;  // beyond it, clients wait in the backlog of the socket
  size_t buffered_bytes_max = kBufferedBytesMax;
};

class HttpServer final : public Responder, private ConnectionOwner {
 public:
  // All of these outlive the server.
  HttpServer(uv_loop_t* loop, const Clock& clock, RequestHandler& handler, ServerOptions options);
  ~HttpServer() override;
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port that is listened on.
  [[nodiscard]] Result<uint16_t> ListenTcp(const std::string& host, uint16_t port);
  // `mode` (permission bits) says who may connect.
  [[nodiscard]] Status ListenUnix(const std::string& path, unsigned mode = kSocketMode);

  void Respond(const ReplyTo& to, Response response) override;
  void HoldFurther(const ReplyTo& to) override;
  [[nodiscard]] bool Begin(const ReplyTo& to, Response head, StreamOptions options) override;
  [[nodiscard]] bool Write(const ReplyTo& to, std::string_view bytes) override;
  void End(const ReplyTo& to) override;
  void CutOff(const ReplyTo& to) override;

  // `call` after each `every` requests taken, before the turn of the loop ends. It may answer.
  // Called before the first client comes.
  void AfterEach(uint64_t every, std::function<void()> call);

  void FlushWrites();    // writes what was answered so far
  void StopAccepting();  // no new clients; each further answer is the last of its connection
  void StopReading();    // no further request is taken; what is not wholly read is dropped
  void CloseAll();       // everything, at once
  [[nodiscard]] bool Flushed() const;  // every request taken is answered, and the answers are sent
  [[nodiscard]] bool closed() const;

  // Looks at the time-outs; a timer calls it every kConnectionTickMs while there are clients.
  void Tick();

  [[nodiscard]] size_t connections() const { return connection_count_; }
  [[nodiscard]] uint64_t requests() const { return requests_; }  // taken so far

 private:
  struct Place {
    std::unique_ptr<HttpConnection> connection;
    uint32_t generation = 0;
  };

  [[nodiscard]] const ConnectionLimits& limits() const override { return options_.connection; }
  [[nodiscard]] MonoMs Now() const override { return clock_.Mono(); }
  [[nodiscard]] uv_buf_t ReadBuffer() override;
  [[nodiscard]] std::string_view Date() override { return date_; }
  [[nodiscard]] std::string NewRequestId() override;
  [[nodiscard]] bool stopping() const override { return stopping_; }
  [[nodiscard]] std::string CommonHeaders(const Request& request) override {
    return handler_.CommonHeaders(request);
  }
  void HandleRequest(HttpConnection& from, const Request& request, uint64_t sequence) override;
  [[nodiscard]] bool HoldBytes(int64_t change) override;
  void FlushSoon(HttpConnection& connection) override;
  void ResumeSoon(HttpConnection& connection) override;
  void RoomSoon(HttpConnection& connection) override;
  void ConnectionClosed(HttpConnection& connection) override;

  void Accept(int fd, const Peer& peer);
  void ResumeWaiting();
  void StartIdle();
  void PauseOrResumeListeners();
  [[nodiscard]] HttpConnection* Find(uint64_t id) const;

  uv_loop_t* const loop_;
  const Clock& clock_;
  RequestHandler& handler_;
  const ServerOptions options_;
  const std::string request_id_prefix_;
  uv_prepare_t before_sleep_;
  uv_idle_t resume_;  // active while there are connections to resume, or to give room
  uv_timer_t tick_;   // active while there are connections
  int open_handles_ = 3;

  std::vector<std::unique_ptr<HttpListener>> listeners_;
  std::vector<Place> places_;
  std::vector<uint32_t> free_places_;
  size_t connection_count_ = 0;
  std::vector<uint64_t> to_flush_;
  std::vector<uint64_t> to_resume_;
  std::vector<uint64_t> to_give_room_;
  std::vector<char> read_buffer_;
  std::string date_;
  int64_t buffered_bytes_ = 0;
  uint64_t requests_ = 0;
  uint64_t called_every_ = 0;  // 0: never
  std::function<void()> called_;
  uint64_t request_ids_ = 0;
  bool full_ = false;
  bool stopping_ = false;
  bool closing_ = false;
};

}  // namespace belfry
