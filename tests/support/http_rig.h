// http_rig.h - an HttpServer on loopback with a clock that stands still, and clients that talk to
// it from the same thread. Waiting for something runs the server's loop; no test asserts how long.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "http/http_server.h"

namespace belfry {

class StillClock final : public Clock {
 public:
  WallMs wall{1'795'248'000'000};  // 2026-11-21T08:00:00Z
  MonoMs mono{1'000};
  [[nodiscard]] WallMs Wall() const override { return wall; }
  [[nodiscard]] MonoMs Mono() const override { return mono; }
};

// Writes down what came and, unless told to wait, answers with the path.
class EchoHandler final : public RequestHandler {
 public:
  void Handle(const Request& request, const ReplyTo& to) override {
    seen.push_back(std::string(VerbName(request.verb)) + " " + std::string(request.path) + " " +
                   std::string(request.body));
    open.push_back(to);
    if (answer_at_once) AnswerNext(std::string(request.path));
  }
  // Answers the oldest request that is open.
  void AnswerNext(std::string body) {
    const ReplyTo to = open.front();
    open.erase(open.begin());
    Response response;
    response.body = std::move(body);
    Respond(to, std::move(response));
  }

  bool answer_at_once = true;
  std::vector<std::string> seen;
  std::vector<ReplyTo> open;
};

class HttpRig {
 public:
  explicit HttpRig(RequestHandler& handler, ServerOptions options = {}) {
    std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
    EXPECT_EQ(uv_loop_init(&loop), 0);
    server = std::make_unique<HttpServer>(&loop, clock, handler, options);
    const Result<uint16_t> listening = server->ListenTcp("127.0.0.1", 0);
    EXPECT_TRUE(listening.ok()) << listening.status().message();
    port = *listening;
  }
  ~HttpRig() {
    server->CloseAll();
    uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_TRUE(server->closed());
    server.reset();
    EXPECT_EQ(uv_loop_close(&loop), 0);
  }
  HttpRig(const HttpRig&) = delete;

  // Runs the loop until `done`; false, and a failure, when that takes far too long.
  bool RunUntil(const std::function<bool()>& done) {
    for (int turn = 0; turn < 20'000; ++turn) {
      if (done()) return true;
      Turn();
      if (done()) return true;
      poll(nullptr, 0, 1);
    }
    ADD_FAILURE() << "waited in vain";
    return false;
  }
  // Lets everything happen that is going to happen without further input.
  void RunTurns(int turns = 20) {
    for (int turn = 0; turn < turns; ++turn) Turn();
  }
  void Advance(int64_t ms) {
    clock.mono = clock.mono + ms;
    clock.wall = clock.wall + ms;
    server->Tick();
    RunTurns();
  }

  uv_loop_t loop;
  StillClock clock;
  std::unique_ptr<HttpServer> server;
  uint16_t port = 0;
  std::function<void()> each_turn;  // what else the daemon's loop would do

 private:
  void Turn() {
    uv_run(&loop, UV_RUN_NOWAIT);
    if (each_turn) each_turn();
  }
};

class HttpClient {
 public:
  explicit HttpClient(HttpRig& rig, int receive_buffer_bytes = 0) : rig_(rig) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(rig.port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~HttpClient() { Close(); }
  HttpClient(const HttpClient&) = delete;

  // False: the server has closed.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<size_t>(sent));
      } else if (sent < 0 && errno != EAGAIN) {
        return false;
      }
      rig_.RunTurns(1);
    }
    return true;
  }
  // What has come so far.
  const std::string& Received() {
    char buffer[65536];
    while (!ended && fd_ >= 0) {
      const ssize_t count = recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (count > 0) {
        received_.append(buffer, static_cast<size_t>(count));
      } else if (count == 0) {
        ended = true;
      } else if (errno != EAGAIN) {
        ended = reset = true;
      } else {
        break;
      }
    }
    return received_;
  }
  // Waits for `count` whole responses and hands them out with those before them.
  std::vector<std::string> Responses(size_t count) {
    rig_.RunUntil([&] { return Split(Received()).size() >= count || ended; });
    return Split(received_);
  }
  std::string Ask(std::string_view bytes) {
    received_.clear();
    EXPECT_TRUE(Send(bytes));
    const auto responses = Responses(1);
    return responses.empty() ? "" : responses[0];
  }
  // Waits until the server has closed its side; everything that was received.
  std::string UntilEnd() {
    rig_.RunUntil([&] {
      Received();
      return ended;
    });
    return received_;
  }
  void ShutdownWriting() { shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int fd() const { return fd_; }

  // Whole responses at the front of `bytes`, bodies by Content-Length; interim ones stand alone.
  static std::vector<std::string> Split(std::string_view bytes, bool heads_only = false) {
    std::vector<std::string> out;
    while (true) {
      const size_t head = bytes.find("\r\n\r\n");
      if (head == std::string_view::npos) return out;
      size_t length = head + 4;
      const size_t field = bytes.substr(0, head).find("Content-Length: ");
      if (field != std::string_view::npos && !heads_only) {
        length += std::stoul(std::string(bytes.substr(field + 16, 20)));
      }
      if (bytes.size() < length) return out;
      out.emplace_back(bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
  }

  bool ended = false;
  bool reset = false;

 private:
  HttpRig& rig_;
  int fd_ = -1;
  std::string received_;
};

inline std::string StatusLine(std::string_view response) {
  return std::string(response.substr(0, response.find("\r\n")));
}
inline std::string BodyOf(std::string_view response) {
  const size_t head = response.find("\r\n\r\n");
  return head == std::string_view::npos ? "" : std::string(response.substr(head + 4));
}
inline bool HasLine(std::string_view response, std::string_view line) {
  return response.find("\r\n" + std::string(line) + "\r\n") != std::string_view::npos;
}
inline std::string Get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) +
         "\r\n";
}
inline std::string PostJson(std::string_view path, std::string_view body,
                            std::string_view headers = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

}  // namespace belfry
