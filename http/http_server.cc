#include "http/http_server.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "base/check.h"
#include "http/response_head.h"

namespace belfry {
namespace {

uv_handle_t* Handle(void* handle) { return static_cast<uv_handle_t*>(handle); }
HttpServer& From(void* data) { return *static_cast<HttpServer*>(data); }

void AppendHex(std::string& out, uint64_t value) {
  char digits[16];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value, 16).ptr);
}

// Differs from run to run, so that ids do not repeat in a log.
std::string RandomPrefix() {
  std::string prefix;
  AppendHex(prefix, std::random_device()());
  return prefix + "-";
}

}  // namespace

HttpServer::HttpServer(uv_loop_t* loop, const Clock& clock, RequestHandler& handler,
                       ServerOptions options)
    : loop_(loop),
      clock_(clock),
      handler_(handler),
      options_(std::move(options)),
      request_id_prefix_(RandomPrefix()),
      read_buffer_(kReadBufferBytes + kBodyPaddingBytes) {
  CHECK(uv_prepare_init(loop, &before_sleep_) == 0);
  CHECK(uv_idle_init(loop, &resume_) == 0);
  CHECK(uv_timer_init(loop, &tick_) == 0);
  before_sleep_.data = resume_.data = tick_.data = this;
  CHECK(uv_prepare_start(&before_sleep_,
                         [](uv_prepare_t* prepare) { From(prepare->data).FlushWrites(); }) == 0);
}

HttpServer::~HttpServer() { CHECK(closed()); }

// --- listening -----------------------------------------------------------------------------------

Result<uint16_t> HttpServer::ListenTcp(const std::string& host, uint16_t port) {
  auto listener =
      HttpListener::Tcp(loop_, host, port, [this](int fd, const Peer& peer) { Accept(fd, peer); });
  if (!listener.ok()) return listener.status();
  listeners_.push_back(std::move(*listener));
  return listeners_.back()->port();
}

Status HttpServer::ListenUnix(const std::string& path, unsigned mode) {
  auto listener =
      HttpListener::Unix(loop_, path, mode, [this](int fd, const Peer& peer) { Accept(fd, peer); });
  if (!listener.ok()) return listener.status();
  listeners_.push_back(std::move(*listener));
  return {};
}

void HttpServer::Accept(int fd, const Peer& peer) {
  if (closing_) {
    close(fd);
    return;
  }
  if (free_places_.empty()) {
    free_places_.push_back(static_cast<uint32_t>(places_.size()));
    places_.emplace_back();
  }
  const uint32_t index = free_places_.back();
  free_places_.pop_back();
  Place& place = places_[index];
  const uint64_t id = uint64_t{++place.generation} << 32 | index;
  place.connection.reset(new HttpConnection(*this, id, peer));
  if (++connection_count_ == 1) {
    date_ = HttpDate(clock_.Wall());
    CHECK(uv_timer_start(
              &tick_, [](uv_timer_t* timer) { From(timer->data).Tick(); },
              static_cast<uint64_t>(kConnectionTickMs),
              static_cast<uint64_t>(kConnectionTickMs)) == 0);
  }
  // False only when it closes itself; ConnectionClosed follows either way.
  (void)place.connection->Open(loop_, fd);
  PauseOrResumeListeners();
}

void HttpServer::PauseOrResumeListeners() {
  const bool full = connection_count_ >= options_.connections_max;
  if (full == full_) return;
  full_ = full;
  for (const auto& listener : listeners_) {
    if (full) {
      listener->Pause();
    } else {
      listener->Resume();
    }
  }
}

void HttpServer::ConnectionClosed(HttpConnection& connection) {
  const auto index = static_cast<uint32_t>(connection.id());
  CHECK(places_[index].connection.get() == &connection);
  places_[index].connection.reset();
  free_places_.push_back(index);
  if (--connection_count_ == 0) uv_timer_stop(&tick_);
  PauseOrResumeListeners();
}

HttpConnection* HttpServer::Find(uint64_t id) const {
  const auto index = static_cast<uint32_t>(id);
  if (index >= places_.size() || places_[index].generation != id >> 32) return nullptr;
  return places_[index].connection.get();
}

// --- requests and answers ------------------------------------------------------------------------

uv_buf_t HttpServer::ReadBuffer() {
  return uv_buf_init(read_buffer_.data(), static_cast<unsigned>(kReadBufferBytes));
}

std::string HttpServer::NewRequestId() {
  std::string id = request_id_prefix_;
  AppendHex(id, ++request_ids_);
  return id;
}

bool HttpServer::HoldBytes(int64_t change) {
  const int64_t bytes = buffered_bytes_ + change;
  if (change > 0 && bytes > static_cast<int64_t>(options_.buffered_bytes_max)) return false;
  buffered_bytes_ = bytes;
  return true;
}

void HttpServer::HandleRequest(HttpConnection& from, const Request& request, uint64_t sequence) {
  ++requests_;
  handler_.Handle(request, {this, from.id(), sequence});
  if (called_every_ != 0 && requests_ % called_every_ == 0) called_();
}

void HttpServer::AfterEach(uint64_t every, std::function<void()> call) {
  called_every_ = every;
  called_ = std::move(call);
}

void HttpServer::Respond(const ReplyTo& to, Response response) {
  HttpConnection* connection = Find(to.connection);
  if (connection != nullptr) connection->Respond(to.sequence, std::move(response));
}

void HttpServer::HoldFurther(const ReplyTo& to) {
  HttpConnection* connection = Find(to.connection);
  if (connection != nullptr) connection->HoldFurther(to.sequence);
}

bool HttpServer::Begin(const ReplyTo& to, Response head, StreamOptions options) {
  HttpConnection* connection = Find(to.connection);
  return connection != nullptr && connection->Begin(to.sequence, std::move(head), options);
}

bool HttpServer::Write(const ReplyTo& to, std::string_view bytes) {
  HttpConnection* connection = Find(to.connection);
  return connection != nullptr && connection->WriteStream(to.sequence, bytes);
}

void HttpServer::End(const ReplyTo& to) {
  HttpConnection* connection = Find(to.connection);
  if (connection != nullptr) connection->EndStream(to.sequence);
}

void HttpServer::CutOff(const ReplyTo& to) {
  HttpConnection* connection = Find(to.connection);
  if (connection != nullptr) connection->CutOff(to.sequence);
}

void HttpServer::FlushSoon(HttpConnection& connection) {
  if (std::exchange(connection.flush_asked, true)) return;
  to_flush_.push_back(connection.id());
}

void HttpServer::FlushWrites() {
  for (size_t i = 0; i < to_flush_.size(); ++i) {
    HttpConnection* connection = Find(to_flush_[i]);
    if (connection != nullptr) connection->Flush();
  }
  to_flush_.clear();
}

// Requests set aside are taken in an idle callback: it runs before the uv_prepare_t in which the
// daemon collects what they ask for.
void HttpServer::ResumeSoon(HttpConnection& connection) {
  if (closing_ || std::exchange(connection.resume_asked, true)) return;
  to_resume_.push_back(connection.id());
  StartIdle();
}

void HttpServer::RoomSoon(HttpConnection& connection) {
  if (closing_ || std::exchange(connection.room_asked, true)) return;
  to_give_room_.push_back(connection.id());
  StartIdle();
}

void HttpServer::StartIdle() {
  CHECK(uv_idle_start(&resume_, [](uv_idle_t* idle) { From(idle->data).ResumeWaiting(); }) == 0);
}

void HttpServer::ResumeWaiting() {
  const std::vector<uint64_t> waiting = std::exchange(to_resume_, {});
  for (const uint64_t id : waiting) {
    HttpConnection* connection = Find(id);
    if (connection != nullptr) connection->Resume();
  }
  const std::vector<uint64_t> roomy = std::exchange(to_give_room_, {});
  for (const uint64_t id : roomy) {
    HttpConnection* connection = Find(id);
    if (connection != nullptr) connection->GiveRoom();
  }
  if (to_resume_.empty() && to_give_room_.empty()) uv_idle_stop(&resume_);
}

void HttpServer::Tick() {
  date_ = HttpDate(clock_.Wall());
  for (const Place& place : places_) {
    if (place.connection != nullptr) place.connection->Tick(full_);
  }
}

// --- the end -------------------------------------------------------------------------------------

void HttpServer::StopAccepting() {
  stopping_ = true;
  for (const auto& listener : listeners_) listener->Close();
}

void HttpServer::StopReading() {
  for (const Place& place : places_) {
    if (place.connection != nullptr) place.connection->StopTaking();
  }
}

bool HttpServer::Flushed() const {
  return std::all_of(places_.begin(), places_.end(), [](const Place& place) {
    return place.connection == nullptr || place.connection->settled();
  });
}

void HttpServer::CloseAll() {
  if (closing_) return;
  StopAccepting();
  closing_ = true;
  for (const Place& place : places_) {
    if (place.connection != nullptr) place.connection->Close();
  }
  const auto gone = [](uv_handle_t* handle) { --From(handle->data).open_handles_; };
  uv_close(Handle(&before_sleep_), gone);
  uv_close(Handle(&resume_), gone);
  uv_close(Handle(&tick_), gone);
}

bool HttpServer::closed() const {
  return open_handles_ == 0 && connection_count_ == 0 &&
         std::all_of(listeners_.begin(), listeners_.end(),
                     [](const auto& listener) { return listener->closed(); });
}

}  // namespace belfry
