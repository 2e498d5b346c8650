#include "tests/support/http_rig.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace belfry {

void EchoHandler::Handle(const Request& request, const ReplyTo& to) {
  seen.push_back(std::string(VerbName(request.verb)) + " " + std::string(request.path) + " " +
                 std::string(request.body));
  open.push_back(to);
  if (answer_at_once) AnswerNext(std::string(request.path));
}

void EchoHandler::AnswerNext(std::string body) {
  const ReplyTo to = open.front();
  open.erase(open.begin());
  Response response;
  response.body = std::move(body);
  Respond(to, std::move(response));
}

HttpRig::HttpRig(RequestHandler& handler, ServerOptions options) {
  std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
  EXPECT_EQ(uv_loop_init(&loop), 0);
  server = std::make_unique<HttpServer>(&loop, clock, handler, options);
  const Result<uint16_t> listening = server->ListenTcp("127.0.0.1", 0);
  EXPECT_TRUE(listening.ok()) << listening.status().message();
  port = *listening;
}

HttpRig::~HttpRig() {
  server->CloseAll();
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_TRUE(server->closed());
  server.reset();
  EXPECT_EQ(uv_loop_close(&loop), 0);
}

bool HttpRig::RunUntil(const std::function<bool()>& done) {
  for (int turn = 0; turn < 20'000; ++turn) {
    if (done()) return true;
    Turn();
    if (done()) return true;
    poll(nullptr, 0, 1);
  }
  ADD_FAILURE() << "waited in vain";
  return false;
}

void HttpRig::RunTurns(int turns) {
  for (int turn = 0; turn < turns; ++turn) Turn();
}

void HttpRig::Advance(int64_t ms) {
  clock.mono = clock.mono + ms;
  clock.wall = clock.wall + ms;
  server->Tick();
  RunTurns();
}

void HttpRig::Turn() {
  uv_run(&loop, UV_RUN_NOWAIT);
  if (each_turn) each_turn();
}

HttpClient::HttpClient(HttpRig& rig, int receive_buffer_bytes) : rig_(rig) {
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

bool HttpClient::Send(std::string_view bytes) {
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

const std::string& HttpClient::Received() {
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

std::vector<std::string> HttpClient::Responses(size_t count) {
  rig_.RunUntil([&] { return Split(Received()).size() >= count || ended; });
  return Split(received_);
}

std::string HttpClient::Ask(std::string_view bytes) {
  received_.clear();
  EXPECT_TRUE(Send(bytes));
  const auto responses = Responses(1);
  return responses.empty() ? "" : responses[0];
}

std::string HttpClient::UntilEnd() {
  rig_.RunUntil([&] {
    Received();
    return ended;
  });
  return received_;
}

void HttpClient::ShutdownWriting() { shutdown(fd_, SHUT_WR); }

void HttpClient::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

std::vector<std::string> HttpClient::Split(std::string_view bytes, bool heads_only) {
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

std::string StatusLine(std::string_view response) {
  return std::string(response.substr(0, response.find("\r\n")));
}

std::string BodyOf(std::string_view response) {
  const size_t head = response.find("\r\n\r\n");
  return head == std::string_view::npos ? "" : std::string(response.substr(head + 4));
}

bool HasLine(std::string_view response, std::string_view line) {
  return response.find("\r\n" + std::string(line) + "\r\n") != std::string_view::npos;
}

std::string Get(std::string_view path, std::string_view headers) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) +
         "\r\n";
}

std::string PostJson(std::string_view path, std::string_view body, std::string_view headers) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + std::string(headers) + "\r\n" + std::string(body);
}

}  // namespace belfry
