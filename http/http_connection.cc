#include "http/http_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"
#include "http/response_head.h"

namespace belfry {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

size_t BytesOf(const Response& response) { return response.headers.size() + response.body.size(); }

HttpConnection& From(void* data) { return *static_cast<HttpConnection*>(data); }

// Empties `bytes` and gives a long buffer back.
void Release(std::string& bytes) {
  constexpr size_t kKeptBytesMax = 4096;
  if (bytes.capacity() > kKeptBytesMax) std::string().swap(bytes);
  bytes.clear();
}

}  // namespace

HttpConnection::HttpConnection(ConnectionOwner& owner, uint64_t id, const Peer& peer)
    : owner_(owner), id_(id), over_tcp_(peer.over_tcp), parser_(owner.limits().parser, peer) {}

HttpConnection::~HttpConnection() = default;

bool HttpConnection::Open(uv_loop_t* loop, int fd) {
  int error = 0;
  if (over_tcp_) {
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    CHECK(uv_tcp_init(loop, &handle_.tcp) == 0);
    error = uv_tcp_open(&handle_.tcp, fd);
  } else {
    CHECK(uv_pipe_init(loop, &handle_.pipe, 0) == 0);
    error = uv_pipe_open(&handle_.pipe, fd);
  }
  stream()->data = this;
  if (error != 0) {
    close(fd);
    Close();
    return false;
  }
  Settle();
  return !closing_;
}

// --- reading -------------------------------------------------------------------------------------

void HttpConnection::SetReading(bool on) {
  if (on == reading_ || closing_) return;
  reading_ = on;
  if (!on) {
    uv_read_stop(stream());
    return;
  }
  const int error = uv_read_start(
      stream(),
      [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
        *buffer = From(handle->data).owner_.ReadBuffer();
      },
      [](uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
        From(stream->data).OnRead(count, buffer);
      });
  if (error != 0) Close();
}

void HttpConnection::OnRead(ssize_t count, const uv_buf_t* buffer) {
  if (count < 0) {
    OnEnd(count == UV_EOF);
  } else if (draining_) {
    drained_bytes_ += static_cast<size_t>(count);
    if (drained_bytes_ > owner_.limits().drain_bytes_max) Close();
  } else if (count > 0) {
    Take({buffer->base, static_cast<size_t>(count)});
  }
}

void HttpConnection::OnEnd(bool in_order) {
  peer_ended_ = true;
  taking_ = false;
  SetReading(false);
  if (!in_order || draining_ || StreamsEndlessly()) {
    Close();
  } else {
    Settle();
  }
}

bool HttpConnection::MustPause(std::string_view next) const {
  // Nothing is taken behind a slot that holds, so it can only be the last.
  if (!slots_.empty() && slots_.back().holds_further) return true;
  return Overtakes(next) || slots_.size() >= kPipelinedRequestsMax ||
         waiting_bytes_ + UnsentBytes() > kUnsentBytesMax;
}

// Reads are done side by side, and changes one after the other; a read that was sent behind a
// change sees it (RFC 9112, 9.3.2). So all slots are of one kind.
bool HttpConnection::Overtakes(std::string_view next) const {
  if (slots_.empty() || !parser_.idle()) return false;
  const size_t begin = next.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return false;
  constexpr std::string_view kSafe = "GHO";  // GET, HEAD, OPTIONS
  const bool safe = kSafe.find(next[begin]) != std::string_view::npos;
  return safe != slots_.back().safe;
}

size_t HttpConnection::UnsentBytes() const {
  return out_.size() + (writing_ ? stream_queue_bytes() : 0);
}

void HttpConnection::Take(std::string_view input) {
  busy_ = true;
  while (!input.empty() && taking_ && !closing_) {
    if (MustPause(input)) {
      SetAside(input);
      break;
    }
    switch (parser_.Next(input)) {
      case RequestParser::Event::kNeedMore:
        break;
      case RequestParser::Event::kRequest:
        TakeRequest();
        break;
      case RequestParser::Event::kError:
        TakeError(parser_.error().kind, parser_.error().detail);
        break;
    }
  }
  busy_ = false;
  Write();
  Settle();
}

void HttpConnection::SetAside(std::string_view input) {
  parked_.reserve(input.size() + kBodyPaddingBytes);
  parked_.assign(input);
}

void HttpConnection::Resume() {
  resume_asked = false;
  if (closing_ || parked_.empty() || MustPause(parked_)) return;
  const std::string input = std::exchange(parked_, {});
  Take(input);
}

void HttpConnection::AccountHeld() {
  const size_t unsent = waiting_bytes_ + in_write_.size() + out_.size();
  const auto held = static_cast<int64_t>(parser_.held_bytes() + parked_.size() + unsent);
  if (held == held_bytes_) return;
  if (owner_.HoldBytes(held - held_bytes_)) {
    held_bytes_ = held;
  } else if (unsent > 0) {
    Close();
  } else if (taking_) {
    TakeError(ProblemKind::kOverloaded, "too many requests are half sent");
    Write();
  }
}

HttpConnection::Slot HttpConnection::SlotFor(const Request& request) {
  Slot slot;
  slot.safe = IsSafe(request.verb);
  slot.head_only = request.verb == Verb::kHead;
  slot.http_1_1 = request.http_1_1;
  slot.close = !request.keep_alive;
  const HeaderHit id = FindHeader(request, "x-request-id");
  if (id.count == 1 && IsValidRequestId(id.value)) slot.request_id = id.value;
  slot.headers = owner_.CommonHeaders(request);
  return slot;
}

void HttpConnection::TakeRequest() {
  const Request& request = parser_.request();
  if (!request.keep_alive) taking_ = false;
  slots_.push_back(SlotFor(request));
  owner_.HandleRequest(*this, request, first_sequence_ + slots_.size() - 1);
  parser_.Release();
}

void HttpConnection::TakeError(ProblemKind kind, std::string_view detail) {
  taking_ = false;
  Release(parked_);
  Slot slot;
  if (const Request* head = parser_.head()) slot = SlotFor(*head);
  slot.close = true;
  slots_.push_back(std::move(slot));
  Keep(slots_.back(), Problem(kind, detail));
  parser_.Release();
  RenderReady();
}

// --- answering -----------------------------------------------------------------------------------

void HttpConnection::HoldFurther(uint64_t sequence) {
  const uint64_t index = sequence - first_sequence_;
  if (index < slots_.size()) slots_[index].holds_further = true;
}

void HttpConnection::Respond(uint64_t sequence, Response response) {
  const uint64_t index = sequence - first_sequence_;
  if (closing_ || index >= slots_.size()) return;
  Keep(slots_[index], std::move(response));
  if (index == 0) RenderReady();
  // An answer that waits for its turn has to be accounted for, too.
  if (!busy_) owner_.FlushSoon(*this);
}

void HttpConnection::Keep(Slot& slot, Response response) {
  CHECK(!slot.response);
  waiting_bytes_ += BytesOf(response);
  slot.response = std::move(response);
}

void HttpConnection::RenderReady() {
  while (!slots_.empty() && slots_.front().response && !slots_.front().head_rendered) {
    RenderFront();
    if (slots_.front().stream.source == nullptr) {
      EndFront();
    } else {
      slots_.front().head_rendered = true;
      room_owed_ = true;
      OfferRoom();
    }
  }
}

void HttpConnection::RenderFront() {
  Slot& slot = slots_.front();
  if (slot.request_id.empty()) slot.request_id = owner_.NewRequestId();
  const bool stopping_last = owner_.stopping() && slots_.size() == 1;
  slot.close |= stopping_last || (slot.streamed && !slot.http_1_1);
  AppendResponse(out_, *slot.response,
                 {.request_id = slot.request_id,
                  .date = owner_.Date(),
                  .headers = slot.headers,
                  .http_1_1 = slot.http_1_1,
                  .close = slot.close,
                  .head_only = slot.head_only,
                  .streamed = slot.streamed});
  waiting_bytes_ -= BytesOf(*slot.response);
}

void HttpConnection::PopFront() {
  const bool close = slots_.front().close;
  slots_.pop_front();
  ++first_sequence_;
  if (!close) return;
  last_rendered_ = true;
  taking_ = false;
  TellStreamsGone();
  slots_.clear();
  waiting_bytes_ = 0;
  Release(parked_);
}

// In its turn: behind the answers to all requests before it.
void HttpConnection::SendContinue() {
  if (!taking_ || !slots_.empty() || continued_ == parser_.messages()) return;
  if (!parser_.WantsContinue()) return;
  continued_ = parser_.messages();
  out_.append(kContinue);
  Write();
}

void HttpConnection::Flush() {
  flush_asked = false;
  if (closing_) return;
  Write();
  Settle();
}

void HttpConnection::Write() {
  if (writing_ || closing_ || out_.empty()) return;
  uv_buf_t bytes = uv_buf_init(out_.data(), static_cast<unsigned>(out_.size()));
  int sent = uv_try_write(stream(), &bytes, 1);
  if (sent == UV_EAGAIN) sent = 0;
  if (sent < 0) {
    Close();
    return;
  }
  if (static_cast<size_t>(sent) == out_.size()) {
    Release(out_);
    return;
  }
  in_write_ = std::exchange(out_, {});
  bytes = uv_buf_init(in_write_.data() + sent, static_cast<unsigned>(in_write_.size()) - sent);
  const int error = uv_write(&write_, stream(), &bytes, 1, [](uv_write_t* write, int status) {
    From(write->handle->data).OnWritten(status);
  });
  if (error != 0) {
    Close();
    return;
  }
  writing_ = true;
}

void HttpConnection::OnWritten(int status) {
  writing_ = false;
  Release(in_write_);
  if (closing_) return;
  if (status < 0) {
    Close();
    return;
  }
  Write();
  Settle();
}

// --- the end -------------------------------------------------------------------------------------

void HttpConnection::Settle() {
  if (closing_ || busy_) return;
  AccountHeld();
  if (closing_) return;
  if (!draining_) {
    SendContinue();
    if (closing_) return;
    if (!taking_ && slots_.empty() && !Unsent()) {
      if (!last_rendered_ || peer_ended_) {
        Close();
        return;
      }
      BeginDrain();
    } else {
      if (taking_ && !parked_.empty() && !MustPause(parked_)) owner_.ResumeSoon(*this);
      SetReading(parked_.empty() && ((taking_ && !MustPause({})) || StreamsEndlessly()));
    }
  }
  if (room_owed_) OfferRoom();
  if (!closing_) ArmDeadline();
}

// Closing a socket with unread bytes resets it, and the client might lose the answer.
void HttpConnection::BeginDrain() {
  draining_ = true;
  const int error = uv_shutdown(&shutdown_, stream(), [](uv_shutdown_t*, int) {});
  if (error != 0) {
    Close();
    return;
  }
  SetReading(true);
}

void HttpConnection::StopTaking() {
  if (closing_ || draining_) return;
  taking_ = false;
  Release(parked_);
  Settle();
}

void HttpConnection::Close() {
  if (closing_) return;
  closing_ = true;
  reading_ = false;
  TellStreamsGone();
  slots_.clear();
  waiting_bytes_ = 0;
  Release(out_);
  Release(parked_);
  if (held_bytes_ != 0) (void)owner_.HoldBytes(-held_bytes_);
  held_bytes_ = 0;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_), [](uv_handle_t* handle) {
    HttpConnection& self = From(handle->data);
    self.owner_.ConnectionClosed(self);
  });
}

// --- time-outs -----------------------------------------------------------------------------------

void HttpConnection::ArmDeadline() {
  Wait wait = Wait::kNothing;
  int64_t timeout_ms = 0;
  const ConnectionLimits& limits = owner_.limits();
  if (draining_) {
    wait = Wait::kDrain;
    timeout_ms = limits.drain_timeout_ms;
  } else if (reading_) {
    switch (parser_.phase()) {
      case RequestParser::Phase::kHead:
        wait = Wait::kHead;
        timeout_ms = limits.head_timeout_ms;
        break;
      case RequestParser::Phase::kBody:
        wait = Wait::kBody;
        timeout_ms = limits.body_timeout_ms;
        break;
      case RequestParser::Phase::kIdle:
        if (slots_.empty() && !Unsent()) wait = Wait::kIdle;
        timeout_ms = limits.idle_timeout_ms;
        break;
    }
  }
  if (wait != wait_ || wait_message_ != parser_.messages()) {
    wait_ = wait;
    wait_message_ = parser_.messages();
    if (wait != Wait::kNothing) deadline_ = owner_.Now() + timeout_ms;
  }
  const size_t unsent = writing_ ? stream_queue_bytes() : 0;
  if (unsent != unsent_seen_ && unsent != 0) {
    write_deadline_ = owner_.Now() + limits.write_stall_timeout_ms;
  }
  unsent_seen_ = unsent;
}

// Each byte of a body gives time for more, so that a slow client that goes on may finish.
MonoMs HttpConnection::Deadline() const {
  if (wait_ != Wait::kBody) return deadline_;
  return deadline_ +
         static_cast<int64_t>(parser_.body_bytes()) * kSecondMs / kBodyBytesPerSecondMin;
}

void HttpConnection::Tick(bool crowded) {
  if (closing_) return;
  ArmDeadline();
  const MonoMs now = owner_.Now();
  const int64_t idle_spared_ms = owner_.limits().idle_timeout_ms - kCrowdedIdleTimeoutMs;
  const bool evicted = crowded && wait_ == Wait::kIdle && now + idle_spared_ms >= Deadline();
  const bool stalled = unsent_seen_ != 0 && now >= write_deadline_;
  const bool late = wait_ != Wait::kNothing && now >= Deadline();
  if (late && (wait_ == Wait::kHead || wait_ == Wait::kBody)) {
    TakeError(ProblemKind::kRequestTimeout, "the request did not arrive in time");
    Write();
    Settle();
  } else if (late || evicted || stalled) {
    Close();
  }
}

}  // namespace belfry
