// client_connection.h - one keep-alive HTTP/1.1 connection of a client, with pipelining.
//
// Loop thread only. Connect() again after OnDown. Answers come in the order of the requests.
#pragma once

#include <llhttp.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "bench/endpoint.h"
#include "bench/event_loop.h"

namespace belfry {

class ClientConnection;

// What happens on a connection. None of these destroys it; OnAnswer may Send but not Connect.
class ClientEvents {
 public:
  virtual ~ClientEvents() = default;
  virtual void OnUp(ClientConnection& connection) = 0;
  // `tag` is what Send was given; `body` is borrowed for the call.
  virtual void OnAnswer(ClientConnection& connection, uint64_t tag, int status,
                        std::string_view body) = 0;
  // It could not be made (`was_up` false) or it ended. `unanswered` requests stay without answer.
  virtual void OnDown(ClientConnection& connection, bool was_up, size_t unanswered,
                      const std::string& why) = 0;
};

class ClientConnection {
 public:
  // All three outlive this.
  ClientConnection(EventLoop& loop, const Endpoint& endpoint, ClientEvents& events);
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  void Connect();
  // Only while up. What was sent goes out with the next Flush(), or after the running OnAnswer.
  void Send(std::string_view request, uint64_t tag);
  void Flush();

  [[nodiscard]] bool up() const { return state_ == State::kUp; }
  [[nodiscard]] bool down() const { return state_ == State::kDown; }
  [[nodiscard]] size_t unanswered() const { return tags_.size(); }

 private:
  enum class State { kDown, kConnecting, kUp };

  static const llhttp_settings_t& Settings();
  static void OnConnected(uv_connect_t* request, int status);
  static void OnRead(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer);
  void Take(std::string_view bytes);
  bool Answered();
  void WriteRest(size_t written);
  void GoDown(const std::string& why);
  [[nodiscard]] uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(tcp_.get()); }

  EventLoop& loop_;
  const Endpoint& endpoint_;
  ClientEvents& events_;
  State state_ = State::kDown;
  UvPtr<uv_tcp_t> tcp_;
  llhttp_t parser_;
  std::deque<uint64_t> tags_;  // of the requests without an answer
  std::string body_;           // of the answer being read
  std::string out_;            // not handed to the kernel yet
  bool writing_ = false;       // libuv holds bytes that the kernel did not take
  bool parsing_ = false;       // Take() flushes when it is done
  bool last_answer_ = false;   // the daemon wants the connection closed after this one
};

}  // namespace belfry
