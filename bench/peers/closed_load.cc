#include "bench/peers/closed_load.h"

#include "bench/process_cpu.h"
#include "bench/receiver.h"

namespace belfry {
namespace {

constexpr int64_t kSilenceMs = 10'000;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr size_t kShownMax = 200;

}  // namespace

class ClosedLoad::Connection {
 public:
  Connection(ClosedLoad& load, std::unique_ptr<ReplyReader> reader)
      : load_(load), reader_(std::move(reader)), tcp_(new uv_tcp_t) {
    CHECK(uv_tcp_init(load.loop_.get(), tcp_.get()) == 0);
    tcp_->data = this;
    uv_tcp_nodelay(tcp_.get(), 1);
  }

  void Connect() {
    const auto connected = [](uv_connect_t* request, int status) {
      auto* self = static_cast<Connection*>(request->handle->data);
      delete request;
      if (self == nullptr) return;
      if (status == 0) status = uv_read_start(self->stream(), &EventLoop::ReadBuffer, &OnRead);
      if (status != 0) return self->Fail(uv_strerror(status));
      self->load_.OnUp();
    };
    auto* request = new uv_connect_t;
    const int error = uv_tcp_connect(request, tcp_.get(), load_.plan_.endpoint.get(), connected);
    if (error == 0) return;
    delete request;
    Fail(uv_strerror(error));
  }

  void Send(std::string_view request) {
    sent_ns_ = uv_hrtime();
    uv_buf_t buffer =
        uv_buf_init(const_cast<char*>(request.data()), static_cast<unsigned>(request.size()));
    const int written = uv_try_write(stream(), &buffer, 1);
    if (written < 0) return Fail(uv_strerror(written));
    // Nothing else is on its way on this connection, so a small request always fits.
    if (static_cast<size_t>(written) != request.size()) Fail("the request is too large");
  }

  [[nodiscard]] std::string Shown() const { return reader_->text().substr(0, kShownMax); }

 private:
  static void OnRead(uv_stream_t* stream, ssize_t count, const uv_buf_t* buffer) {
    auto* self = static_cast<Connection*>(stream->data);
    if (count < 0) return self->Fail(uv_strerror(static_cast<int>(count)));
    if (count == 0) return;
    const auto verdict = self->reader_->Take({buffer->base, static_cast<size_t>(count)});
    if (verdict == ReplyReader::Verdict::kMore) return;
    if (verdict == ReplyReader::Verdict::kBroken) {
      return self->Fail("not the reply that was expected: " + self->Shown());
    }
    self->load_.OnReply(*self, verdict == ReplyReader::Verdict::kGood, self->sent_ns_);
  }

  void Fail(const std::string& why) { load_.Fail(load_.plan_.endpoint.host_port + ": " + why); }
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(tcp_.get()); }

  ClosedLoad& load_;
  const std::unique_ptr<ReplyReader> reader_;
  UvPtr<uv_tcp_t> tcp_;
  uint64_t sent_ns_ = 0;
};

ClosedLoad::ClosedLoad(EventLoop& loop, ClosedPlan plan, RequestTemplate request,
                       std::function<void()> on_begin)
    : loop_(loop),
      plan_(std::move(plan)),
      request_(std::move(request)),
      on_begin_(std::move(on_begin)),
      phase_timer_(loop_, [this] { measuring_ ? End() : Begin(); }),
      watch_timer_(loop_, [this] { Watch(); }),
      stop_(loop_, [this] { Fail("interrupted"); }) {}

ClosedLoad::~ClosedLoad() = default;

Result<ClosedResult> ClosedLoad::Run() {
  watch_timer_.Start(kSilenceMs, kSilenceMs);
  for (int i = 0; i < plan_.connections; ++i) {
    connections_.push_back(std::make_unique<Connection>(*this, plan_.reader()));
    connections_.back()->Connect();
    if (!failed_.ok()) break;
  }
  if (failed_.ok()) loop_.Run();
  connections_.clear();
  if (!failed_.ok()) return failed_;
  return std::move(result_);
}

void ClosedLoad::OnUp() {
  if (++up_ < connections_.size() || up_ < static_cast<size_t>(plan_.connections)) return;
  if (plan_.count > 0) {
    Begin();
  } else {
    phase_timer_.Start(plan_.warmup_ms, 0);
  }
  for (const auto& connection : connections_) SendNext(*connection);
}

void ClosedLoad::SendNext(Connection& connection) {
  if (!failed_.ok() || (plan_.count > 0 && sent_ == plan_.count)) return;
  const int64_t left_ms = plan_.due_ms == 0 ? 0 : plan_.due_ms - WallNs() / kNsPerMs;
  connection.Send(request_.Make(++sent_, left_ms));
}

void ClosedLoad::OnReply(Connection& connection, bool good, uint64_t sent_ns) {
  ++answered_;
  if (measuring_) result_.latency_ns.Record(static_cast<int64_t>(uv_hrtime() - sent_ns));
  if (!good) {
    if (result_.bad++ == 0) result_.first_bad = connection.Shown();
  }
  if (plan_.count > 0 && answered_ == plan_.count) return End();
  SendNext(connection);
}

void ClosedLoad::Begin() {
  measuring_ = true;
  begun_ns_ = uv_hrtime();
  result_.own_cpu_us = -OwnCpuMicros();
  if (plan_.count == 0) phase_timer_.Start(plan_.duration_ms, 0);
  on_begin_();
}

void ClosedLoad::End() {
  result_.seconds = static_cast<double>(uv_hrtime() - begun_ns_) / 1e9;
  result_.own_cpu_us += OwnCpuMicros();
  loop_.Stop();
}

void ClosedLoad::Watch() {
  if (answered_ == watched_) {
    Fail("no reply from " + plan_.endpoint.host_port +
         " for 10 s; the last one was: " + connections_.front()->Shown());
  }
  watched_ = answered_;
}

void ClosedLoad::Fail(const std::string& why) {
  if (failed_.ok()) failed_ = IoError(why);
  loop_.Stop();
}

}  // namespace belfry
