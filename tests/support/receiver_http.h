// receiver_http.h - an HTTP receiver inside the test, on its loop: it answers or misbehaves.
#pragma once

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/receiver_loop.h"

namespace belfry {

struct Received {
  std::string head;  // request line and headers, as read, with the blank line
  std::string body;
  int connection = 0;  // from 1
  int index = 0;       // on its connection, from 1

  [[nodiscard]] std::string line() const { return head.substr(0, head.find("\r\n")); }
  // "" when there is none; `name` as sent.
  [[nodiscard]] std::string header(const std::string& name) const;
};

enum class Then {
  kKeep,   // wait for the next request
  kClose,  // FIN
  kReset,  // RST
  kFlood,  // send more bytes for ever
};

struct Answer {
  std::string bytes;
  Then then = Then::kKeep;
};

// A whole answer with Content-Length.
[[nodiscard]] Answer AnswerWith(int status, const std::string& more_headers = "");

class Receiver {
 public:
  using AnswerFn = std::function<Answer(const Received&)>;

  // Listens on 127.0.0.1 or ::1; answers 200 to everything until told otherwise.
  explicit Receiver(TestLoop& loop, bool v6 = false);
  ~Receiver();

  void OnRequest(AnswerFn answer) { answer_ = std::move(answer); }
  // After this many requests on a connection, what comes next is not read: the connection is reset.
  void ResetUnreadAfter(int requests) { reset_unread_after_ = requests; }
  // Does not read at all.
  void StopReading() { reset_unread_after_ = -1; }

  [[nodiscard]] uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(const std::string& path) const;
  [[nodiscard]] const std::vector<Received>& requests() const { return requests_; }
  [[nodiscard]] int connections() const { return connections_; }
  [[nodiscard]] int open_connections() const { return static_cast<int>(open_.size()); }
  [[nodiscard]] int resets_unread() const { return resets_unread_; }
  [[nodiscard]] size_t bytes_sent() const { return bytes_sent_; }

  // Sends `bytes` on every open connection, asked or not.
  void Say(const std::string& bytes);
  // FIN on every open connection.
  void CloseAll();

 private:
  struct Connection;

  void Accept();
  void Read(Connection* connection);
  bool TakeRequest(Connection* connection);
  void Write(Connection* connection);
  void Watch(Connection* connection);
  void Close(Connection* connection, bool reset);

  uv_loop_t* loop_;
  bool v6_;
  int listener_ = -1;
  uv_poll_t* listen_poll_;
  uint16_t port_ = 0;
  AnswerFn answer_;
  int reset_unread_after_ = 0;
  int resets_unread_ = 0;
  size_t bytes_sent_ = 0;
  int connections_ = 0;
  std::map<int, Connection*> open_;
  std::vector<Received> requests_;
};

}  // namespace belfry
