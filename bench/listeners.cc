#include "bench/listeners.h"

#include <algorithm>
#include <cstdio>

namespace belfry {
namespace {

constexpr uint64_t kConnectingMax = 100;
constexpr std::string_view kSnapshot = "event: snapshot\n";
constexpr std::string_view kReset = "event: reset\n";
constexpr std::string_view kBody = "{\"name\":\"tea\"}";

std::string ResetRequest(const Endpoint& endpoint) {
  return "POST /api/stopwatch HTTP/1.1\r\nHost: " + endpoint.host_port +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(kBody.size()) +
         "\r\n\r\n" + std::string(kBody);
}

uint64_t CountOf(std::string_view word, std::string_view text) {
  uint64_t count = 0;
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) ++count;
  return count;
}

}  // namespace

Listeners::Listeners(EventLoop& loop, const ListenPlan& plan)
    : loop_(loop),
      plan_(plan),
      request_("GET /api/stopwatch/events?name=tea HTTP/1.1\r\nHost: " + plan.endpoint.host_port +
               "\r\n\r\n"),
      reset_(ResetRequest(plan.endpoint)),
      control_(loop, plan_.endpoint, *this),
      limit_(loop, [this] { OnLimit(); }),
      next_(loop, [this] { Reset(); }) {}

Listeners::~Listeners() = default;

Result<ListenResult> Listeners::Run() {
  limit_.Start(plan_.limit_ms, 0);
  control_.Connect();
  loop_.Run();
  if (!failed_.ok()) return failed_;
  return std::move(result_);
}

// The stopwatch is there before anybody asks for it.
void Listeners::OnUp(ClientConnection& connection) {
  connection.Send(reset_, 0);
  connection.Flush();
}

void Listeners::OnAnswer(ClientConnection&, uint64_t tag, int status, std::string_view body) {
  if (status != 200 && status != 201) {
    return Gone("a reset was answered " + std::to_string(status) + ": " + std::string(body));
  }
  if (tag == 0) ConnectMore();
}

void Listeners::OnDown(ClientConnection&, bool, size_t, const std::string& why) { Gone(why); }

void Listeners::Gone(const std::string& why) {
  if (failed_.ok()) failed_ = IoError(why);
  loop_.Stop();
}

void Listeners::ConnectMore() {
  while (clients_.size() < plan_.clients && connecting_ < kConnectingMax) {
    ++connecting_;
    Client& client = clients_.emplace_back();
    client.owner = this;
    client.tcp.reset(new uv_tcp_t);
    CHECK(uv_tcp_init(loop_.get(), client.tcp.get()) == 0);
    client.tcp->data = &client;
    const auto connected = [](uv_connect_t* request, int status) {
      auto* self = static_cast<Client*>(request->handle->data);
      if (self == nullptr) return;
      if (status != 0) return self->owner->Gone(uv_strerror(status));
      auto* stream = reinterpret_cast<uv_stream_t*>(self->tcp.get());
      const std::string& request_text = self->owner->request_;
      uv_buf_t bytes = uv_buf_init(const_cast<char*>(request_text.data()),
                                   static_cast<unsigned>(request_text.size()));
      uv_write(&self->write, stream, &bytes, 1, [](uv_write_t*, int) {});
      uv_read_start(stream, &EventLoop::ReadBuffer,
                    [](uv_stream_t* from, ssize_t count, const uv_buf_t* buffer) {
                      auto* reader = static_cast<Client*>(from->data);
                      if (count < 0) return reader->owner->Gone("a stream ended");
                      reader->owner->Took(*reader, {buffer->base, static_cast<size_t>(count)});
                    });
    };
    const int error =
        uv_tcp_connect(&client.connect, client.tcp.get(), plan_.endpoint.get(), connected);
    if (error != 0) return Gone(uv_strerror(error));
  }
}

void Listeners::Took(Client& client, std::string_view bytes) {
  const std::string text = client.tail + std::string(bytes);
  if (!client.there && text.find(kSnapshot) != std::string::npos) {
    client.there = true;
    --connecting_;
    if (++there_ == plan_.clients) {
      AllThere();
    } else {
      ConnectMore();
    }
  }
  // Shorter than either word, so that none is counted twice.
  const uint64_t resets = CountOf(kReset, text);
  client.tail = text.substr(text.size() - std::min(text.size(), kReset.size() - 1));
  client.heard += resets;
  if (resets == 0 || sent_ns_ == 0) return;
  const auto took_ns = static_cast<int64_t>(uv_hrtime() - sent_ns_);
  result_.heard_ns.Record(took_ns);
  if (++heard_ < plan_.clients) return;
  result_.all_ns.Record(took_ns);
  if (resets_ == plan_.resets) return loop_.Stop();
  next_.Start(100, 0);
}

void Listeners::AllThere() {
  std::fprintf(stderr, "all are there\n");
  limit_.Stop();
  next_.Start(plan_.settle_ms, 0);
}

void Listeners::Reset() {
  ++resets_;
  heard_ = 0;
  limit_.Start(plan_.limit_ms, 0);
  sent_ns_ = uv_hrtime();
  control_.Send(reset_, resets_);
  control_.Flush();
}

void Listeners::OnLimit() {
  if (there_ < plan_.clients) {
    return Gone("only " + std::to_string(there_) + " clients got their snapshot");
  }
  result_.missed += plan_.clients - heard_;
  loop_.Stop();
}

}  // namespace belfry
