// http_rig.h - an HttpServer on loopback with a clock that stands still, and clients that talk to
// it from the same thread. Waiting for something runs the server's loop; no test asserts how long.
#pragma once

#include <uv.h>

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
  void Handle(const Request& request, const ReplyTo& to) override;
  // Answers the oldest request that is open.
  void AnswerNext(std::string body);

  bool answer_at_once = true;
  std::vector<std::string> seen;
  std::vector<ReplyTo> open;
};

class HttpRig {
 public:
  explicit HttpRig(RequestHandler& handler, ServerOptions options = {});
  ~HttpRig();
  HttpRig(const HttpRig&) = delete;

  // Runs the loop until `done`; false, and a failure, when that takes far too long.
  bool RunUntil(const std::function<bool()>& done);
  // Lets everything happen that is going to happen without further input.
  void RunTurns(int turns = 20);
  void Advance(int64_t ms);

  uv_loop_t loop;
  StillClock clock;
  std::unique_ptr<HttpServer> server;
  uint16_t port = 0;
  std::function<void()> each_turn;  // what else the daemon's loop would do

 private:
  void Turn();
};

class HttpClient {
 public:
  explicit HttpClient(HttpRig& rig, int receive_buffer_bytes = 0);
  ~HttpClient() { Close(); }
  HttpClient(const HttpClient&) = delete;

  // False: the server has closed.
  bool Send(std::string_view bytes);
  // What has come so far.
  const std::string& Received();
  // Waits for `count` whole responses and hands them out with those before them.
  std::vector<std::string> Responses(size_t count);
  std::string Ask(std::string_view bytes);
  // Waits until the server has closed its side; everything that was received.
  std::string UntilEnd();
  void ShutdownWriting();
  void Close();
  [[nodiscard]] int fd() const { return fd_; }

  // Whole responses at the front of `bytes`, bodies by Content-Length; interim ones stand alone.
  static std::vector<std::string> Split(std::string_view bytes, bool heads_only = false);

  bool ended = false;
  bool reset = false;

 private:
  HttpRig& rig_;
  int fd_ = -1;
  std::string received_;
};

[[nodiscard]] std::string StatusLine(std::string_view response);
[[nodiscard]] std::string BodyOf(std::string_view response);
[[nodiscard]] bool HasLine(std::string_view response, std::string_view line);
[[nodiscard]] std::string Get(std::string_view path, std::string_view headers = "");
[[nodiscard]] std::string PostJson(std::string_view path, std::string_view body,
                                   std::string_view headers = "");

}  // namespace belfry
