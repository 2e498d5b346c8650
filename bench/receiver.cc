#include "bench/receiver.h"

#include <llhttp.h>
#include <sys/socket.h>

#include <chrono>
#include <utility>

namespace belfry {
namespace {

constexpr int kBacklog = 4096;
constexpr std::string_view kAnswer = "HTTP/1.1 204 No Content\r\n\r\n";
constexpr int64_t kSweepMs = 1;
constexpr uint64_t kNsPerMs = 1'000'000;
constexpr uint64_t kAtOnceNs = kNsPerMs / 10;  // less is no wait: closed behind the answer

}  // namespace

int64_t WallNs() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
}

class Receiver::Connection {
 public:
  explicit Connection(Receiver& receiver) : receiver_(receiver), tcp_(new uv_tcp_t) {
    CHECK(uv_tcp_init(receiver.loop_.get(), tcp_.get()) == 0);
    tcp_->data = this;
    llhttp_init(&parser_, HTTP_REQUEST, &Settings());
    parser_.data = this;
    receiver_.connections_.insert(this);
  }

  bool Accept() {
    auto* listener = reinterpret_cast<uv_stream_t*>(receiver_.listener_.get());
    if (uv_accept(listener, stream()) != 0) return false;
    uv_tcp_nodelay(tcp_.get(), 1);
    const auto read = [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
      auto* self = static_cast<Connection*>(stream->data);
      if (count < 0 || (count > 0 && !self->Take(buffer->base, static_cast<size_t>(count)))) {
        self->End();
      }
    };
    return uv_read_start(stream(), &EventLoop::ReadBuffer, read) == 0;
  }

  void End() {
    receiver_.connections_.erase(this);
    delete this;
  }

  // Ends our side when the connection is idle and its time is up.
  void CloseIfIdle(uint64_t now_ns) {
    if (close_ns_ == 0 || now_ns < close_ns_) return;
    close_ns_ = 0;
    closed_ = true;
    ++receiver_.closed_idle_;
    uv_os_fd_t fd = -1;
    CHECK(uv_fileno(reinterpret_cast<uv_handle_t*>(tcp_.get()), &fd) == 0);
    shutdown(fd, SHUT_WR);
  }

 private:
  static const llhttp_settings_t& Settings() {
    static const llhttp_settings_t settings = [] {
      llhttp_settings_t s;
      llhttp_settings_init(&s);
      s.on_url = [](llhttp_t* parser, const char* at, size_t length) {
        static_cast<Connection*>(parser->data)->target_.append(at, length);
        return 0;
      };
      s.on_message_complete = [](llhttp_t* parser) {
        static_cast<Connection*>(parser->data)->Requested();
        return 0;
      };
      return s;
    }();
    return settings;
  }

  // False when the connection is over.
  bool Take(const char* bytes, size_t count) {
    read_wall_ns_ = WallNs();
    close_ns_ = 0;
    const bool clear = llhttp_execute(&parser_, bytes, count) == HPE_OK;
    return Write() && clear && !last_;
  }

  void Requested() {
    (closed_ ? receiver_.idle_close_.on_unanswered : receiver_.on_request_)(target_, read_wall_ns_);
    target_.clear();
    if (closed_) return;
    out_ += kAnswer;
    last_ = llhttp_should_keep_alive(&parser_) == 0;
    const bool may_idle = receiver_.idle_close_.within_ms > 0 && !last_;
    if (may_idle) close_ns_ = uv_hrtime() + receiver_.DrawIdleNs();
  }

  // A client that does not read its answers is not served further: they are few bytes each.
  bool Write() {
    if (out_.empty()) return true;
    uv_buf_t buffer = uv_buf_init(out_.data(), static_cast<unsigned>(out_.size()));
    const int written = uv_try_write(stream(), &buffer, 1);
    const bool all = written == static_cast<int>(out_.size());
    out_.clear();
    if (close_ns_ != 0) CloseIfIdle(uv_hrtime() + kAtOnceNs);
    return all;
  }

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(tcp_.get()); }

  Receiver& receiver_;
  UvPtr<uv_tcp_t> tcp_;
  llhttp_t parser_;
  std::string target_;
  std::string out_;
  int64_t read_wall_ns_ = 0;
  uint64_t close_ns_ = 0;  // when it is closed if nothing comes; 0: not
  bool closed_ = false;    // on our side
  bool last_ = false;
};

Receiver::Receiver(EventLoop& loop, RequestFn on_request, IdleClose idle_close)
    : loop_(loop),
      on_request_(std::move(on_request)),
      idle_close_(std::move(idle_close)),
      random_(idle_close_.seed),
      sweep_(loop, [this] { CloseIdle(); }),
      listener_(new uv_tcp_t) {
  CHECK(uv_tcp_init(loop.get(), listener_.get()) == 0);
  listener_->data = this;
  if (idle_close_.within_ms > 0) sweep_.Start(kSweepMs, kSweepMs);
}

Receiver::~Receiver() { EndAll(); }

void Receiver::EndAll() {
  while (!connections_.empty()) (*connections_.begin())->End();
}

Result<std::unique_ptr<Receiver>> Receiver::Listen(EventLoop& loop, const Endpoint& endpoint,
                                                   RequestFn on_request, IdleClose idle_close) {
  std::unique_ptr<Receiver> receiver(
      new Receiver(loop, std::move(on_request), std::move(idle_close)));
  const auto on_connection = [](uv_stream_t* listener, int status) {
    if (status == 0) static_cast<Receiver*>(listener->data)->Accept();
  };
  auto* stream = reinterpret_cast<uv_stream_t*>(receiver->listener_.get());
  int error = uv_tcp_bind(receiver->listener_.get(), endpoint.get(), 0);
  if (error == 0) error = uv_listen(stream, kBacklog, on_connection);
  if (error != 0) {
    return IoError("cannot listen on " + endpoint.host_port + ": " + uv_strerror(error));
  }
  return receiver;
}

void Receiver::Accept() {
  auto* connection = new Connection(*this);
  if (!connection->Accept()) connection->End();
}

void Receiver::CloseIdle() {
  const uint64_t now_ns = uv_hrtime();
  for (Connection* connection : connections_) connection->CloseIfIdle(now_ns);
}

uint64_t Receiver::DrawIdleNs() {
  return random_() % (static_cast<uint64_t>(idle_close_.within_ms) * kNsPerMs);
}

std::string Receiver::address() const {
  sockaddr_storage address{};
  int size = sizeof address;
  CHECK(uv_tcp_getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  return AddressText(address);
}

}  // namespace belfry
