#include "bench/client_connection.h"

namespace belfry {
namespace {

std::string Words(int uv_error) { return uv_strerror(uv_error); }

}  // namespace

ClientConnection::ClientConnection(EventLoop& loop, const Endpoint& endpoint, ClientEvents& events)
    : loop_(loop), endpoint_(endpoint), events_(events) {}

const llhttp_settings_t& ClientConnection::Settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_body = [](llhttp_t* parser, const char* at, size_t length) {
      static_cast<ClientConnection*>(parser->data)->body_.append(at, length);
      return 0;
    };
    s.on_message_complete = [](llhttp_t* parser) {
      return static_cast<ClientConnection*>(parser->data)->Answered() ? 0 : -1;
    };
    return s;
  }();
  return settings;
}

void ClientConnection::Connect() {
  CHECK(state_ == State::kDown);
  tcp_.reset(new uv_tcp_t);
  CHECK(uv_tcp_init(loop_.get(), tcp_.get()) == 0);
  tcp_->data = this;
  uv_tcp_nodelay(tcp_.get(), 1);
  llhttp_init(&parser_, HTTP_RESPONSE, &Settings());
  parser_.data = this;
  state_ = State::kConnecting;
  body_.clear();
  out_.clear();
  writing_ = false;
  last_answer_ = false;
  auto* request = new uv_connect_t;
  if (const int error = uv_tcp_connect(request, tcp_.get(), endpoint_.get(), &OnConnected);
      error != 0) {
    delete request;
    GoDown(Words(error));
  }
}

void ClientConnection::OnConnected(uv_connect_t* request, int status) {
  auto* self = static_cast<ClientConnection*>(request->handle->data);
  delete request;
  if (self == nullptr) return;
  if (status == 0) status = uv_read_start(self->stream(), &EventLoop::ReadBuffer, &OnRead);
  if (status != 0) return self->GoDown(Words(status));
  self->state_ = State::kUp;
  self->events_.OnUp(*self);
}

void ClientConnection::OnRead(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
  auto* self = static_cast<ClientConnection*>(stream->data);
  if (count > 0) return self->Take({buffer->base, static_cast<size_t>(count)});
  if (count == UV_EOF) return self->GoDown("closed by the other side");
  if (count < 0) self->GoDown(Words(static_cast<int>(count)));
}

void ClientConnection::Take(std::string_view bytes) {
  parsing_ = true;
  const llhttp_errno_t error = llhttp_execute(&parser_, bytes.data(), bytes.size());
  parsing_ = false;
  if (error != HPE_OK) {
    return GoDown(std::string("the answer is not HTTP: ") + llhttp_get_error_reason(&parser_));
  }
  if (last_answer_) return GoDown("closed by the other side");
  Flush();
}

bool ClientConnection::Answered() {
  if (parser_.status_code < 200) {
    body_.clear();
    return true;
  }
  if (tags_.empty()) {
    llhttp_set_error_reason(&parser_, "nobody asked for it");
    return false;
  }
  last_answer_ = llhttp_should_keep_alive(&parser_) == 0;
  const uint64_t tag = tags_.front();
  tags_.pop_front();
  events_.OnAnswer(*this, tag, parser_.status_code, body_);
  body_.clear();
  return true;
}

void ClientConnection::Send(std::string_view request, uint64_t tag) {
  CHECK(state_ == State::kUp);
  out_ += request;
  tags_.push_back(tag);
}

void ClientConnection::Flush() {
  if (out_.empty() || writing_ || parsing_ || state_ != State::kUp) return;
  uv_buf_t buffer = uv_buf_init(out_.data(), static_cast<unsigned>(out_.size()));
  const int written = uv_try_write(stream(), &buffer, 1);
  if (written < 0 && written != UV_EAGAIN) return GoDown(Words(written));
  const size_t taken = written < 0 ? 0 : static_cast<size_t>(written);
  if (taken < out_.size()) return WriteRest(taken);
  out_.clear();
}

void ClientConnection::WriteRest(size_t written) {
  struct Rest {
    uv_write_t request;
    std::string bytes;
  };
  auto* rest = new Rest{{}, out_.substr(written)};
  out_.clear();
  rest->request.data = rest;
  uv_buf_t buffer = uv_buf_init(rest->bytes.data(), static_cast<unsigned>(rest->bytes.size()));
  const auto done = [](uv_write_t* request, int status) {
    auto* self = static_cast<ClientConnection*>(request->handle->data);
    delete static_cast<Rest*>(request->data);
    if (self == nullptr) return;
    self->writing_ = false;
    if (status != 0) return self->GoDown(Words(status));
    self->Flush();
  };
  writing_ = true;
  if (const int error = uv_write(&rest->request, stream(), &buffer, 1, done); error != 0) {
    delete rest;
    GoDown(Words(error));
  }
}

void ClientConnection::GoDown(const std::string& why) {
  const bool was_up = state_ == State::kUp;
  const size_t unanswered = tags_.size();
  state_ = State::kDown;
  tags_.clear();
  tcp_.reset();
  events_.OnDown(*this, was_up, unanswered, why);
}

}  // namespace belfry
