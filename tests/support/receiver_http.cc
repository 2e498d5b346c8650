#include "tests/support/receiver_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "base/check.h"

namespace belfry {
namespace {

void ClosePoll(uv_poll_t* poll) {
  uv_close(reinterpret_cast<uv_handle_t*>(poll),
           [](uv_handle_t* h) { delete reinterpret_cast<uv_poll_t*>(h); });
}

int Listen(bool v6) {
  const int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_addr = in6addr_loopback;
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* address = v6 ? reinterpret_cast<sockaddr*>(&in6) : reinterpret_cast<sockaddr*>(&in);
  CHECK(bind(fd, address, v6 ? sizeof(in6) : sizeof(in)) == 0);
  CHECK(listen(fd, 1024) == 0);
  return fd;
}

}  // namespace

std::string Received::header(const std::string& name) const {
  const std::string wanted = "\r\n" + name + ":";
  const size_t at = head.find(wanted);
  if (at == std::string::npos) return "";
  const size_t start = head.find_first_not_of(' ', at + wanted.size());
  return head.substr(start, head.find("\r\n", start) - start);
}

Answer AnswerWith(int status, const std::string& more_headers) {
  return {"HTTP/1.1 " + std::to_string(status) + " Word\r\n" + more_headers +
              "Content-Length: 2\r\n\r\nok",
          Then::kKeep};
}

struct Receiver::Connection {
  Receiver* owner = nullptr;
  uv_poll_t* poll = nullptr;
  int fd = -1;
  int number = 0;
  int requests = 0;
  std::string in;
  std::string out;
  Then then = Then::kKeep;
};

Receiver::Receiver(TestLoop& loop, bool v6)
    : loop_(loop.get()),
      v6_(v6),
      listener_(Listen(v6)),
      listen_poll_(new uv_poll_t),
      answer_([](const Received&) { return AnswerWith(200); }) {
  sockaddr_in6 address{};
  socklen_t size = sizeof(address);
  CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin6_port);  // in the same place for both families
  CHECK(uv_poll_init(loop_, listen_poll_, listener_) == 0);
  listen_poll_->data = this;
  uv_poll_start(listen_poll_, UV_READABLE,
                [](uv_poll_t* p, int, int) { static_cast<Receiver*>(p->data)->Accept(); });
}

Receiver::~Receiver() {
  while (!open_.empty()) Close(open_.begin()->second, false);
  ClosePoll(listen_poll_);
  close(listener_);
}

std::string Receiver::url(const std::string& path) const {
  return std::string(v6_ ? "http://[::1]:" : "http://127.0.0.1:") + std::to_string(port_) + path;
}

void Receiver::Accept() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    auto* connection = new Connection;
    connection->owner = this;
    connection->fd = fd;
    connection->number = ++connections_;
    connection->poll = new uv_poll_t;
    CHECK(uv_poll_init(loop_, connection->poll, fd) == 0);
    connection->poll->data = connection;
    open_[connection->number] = connection;
    Watch(connection);
  }
}

void Receiver::Watch(Connection* connection) {
  const bool reads = reset_unread_after_ >= 0 && connection->then != Then::kFlood;
  const int events = (reads ? UV_READABLE : 0) | (connection->out.empty() ? 0 : UV_WRITABLE);
  if (events == 0) {
    uv_poll_stop(connection->poll);
    return;
  }
  uv_poll_start(connection->poll, events, [](uv_poll_t* p, int status, int ready) {
    auto* c = static_cast<Connection*>(p->data);
    if (status < 0) {
      c->owner->Close(c, false);
    } else if (ready & UV_WRITABLE) {
      c->owner->Write(c);
    } else {
      c->owner->Read(c);
    }
  });
}

void Receiver::Read(Connection* connection) {
  if (reset_unread_after_ > 0 && connection->requests >= reset_unread_after_) {
    char byte = 0;
    const bool has_bytes = recv(connection->fd, &byte, 1, MSG_PEEK) > 0;
    if (has_bytes) ++resets_unread_;
    Close(connection, has_bytes);
    return;
  }
  char bytes[16384];
  const ssize_t n = recv(connection->fd, bytes, sizeof(bytes), 0);
  if (n <= 0) {
    if (n < 0 && errno == EAGAIN) return;
    Close(connection, false);
    return;
  }
  connection->in.append(bytes, static_cast<size_t>(n));
  while (TakeRequest(connection)) {
  }
  Write(connection);
}

bool Receiver::TakeRequest(Connection* connection) {
  if (connection->then != Then::kKeep) return false;
  const size_t end = connection->in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  Received received;
  received.head = connection->in.substr(0, end + 4);
  const size_t length = std::strtoul(received.header("Content-Length").c_str(), nullptr, 10);
  if (connection->in.size() < end + 4 + length) return false;
  received.body = connection->in.substr(end + 4, length);
  received.connection = connection->number;
  received.index = ++connection->requests;
  connection->in.erase(0, end + 4 + length);
  requests_.push_back(received);
  const Answer answer = answer_(received);
  connection->out += answer.bytes;
  connection->then = answer.then;
  return true;
}

void Receiver::Write(Connection* connection) {
  while (!connection->out.empty()) {
    const ssize_t n =
        send(connection->fd, connection->out.data(), connection->out.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return Close(connection, false);
    if (n < 0) break;
    bytes_sent_ += static_cast<size_t>(n);
    connection->out.erase(0, static_cast<size_t>(n));
    if (connection->then == Then::kFlood) {
      connection->out.resize(64 * 1024, 'x');
      break;  // the rest in the next turn
    }
  }
  if (connection->out.empty() && connection->then == Then::kClose) return Close(connection, false);
  if (connection->out.empty() && connection->then == Then::kReset) return Close(connection, true);
  Watch(connection);
}

void Receiver::Close(Connection* connection, bool reset) {
  if (reset) {
    const linger now{1, 0};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  }
  open_.erase(connection->number);
  ClosePoll(connection->poll);
  close(connection->fd);
  delete connection;
}

void Receiver::Say(const std::string& bytes) {
  for (const auto& [number, connection] : open_) {
    CHECK(send(connection->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
  }
}

void Receiver::CloseAll() {
  while (!open_.empty()) Close(open_.begin()->second, false);
}

}  // namespace belfry
