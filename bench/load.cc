#include "bench/load.h"

#include <algorithm>

#include "bench/process_cpu.h"

namespace belfry {
namespace {

constexpr int64_t kLookMs = 100;
constexpr int64_t kConnectLimitMs = 10'000;
constexpr int64_t kDrainLimitMs = 2'000;
constexpr uint64_t kUnreachableNs = 5'000'000'000;
// Open loop: what became due meanwhile leaves together. A wake-up for each request would take so
// much of the processor that it slows the daemon that is measured.
constexpr uint64_t kWakeGapNs = 200'000;
constexpr double kNsPerSecond = 1e9;

}  // namespace

uint64_t LoadResult::errors() const {
  uint64_t sum = 0;
  for (const auto& [status, count] : by_status) {
    if (status < 200 || status > 299) sum += count;
  }
  for (const auto& [why, count] : broken) sum += count;
  return sum;
}

Load::Load(EventLoop& loop, LoadPlan plan, RequestSource& source)
    : loop_(loop),
      plan_(std::move(plan)),
      source_(source),
      phase_timer_(loop_, [this] { NextPhase(); }),
      look_timer_(loop_, [this] { Look(); }),
      due_timer_(loop_, kWakeGapNs, [this] { SendDue(); }),
      stop_(loop_, [this] { phase_ == Phase::kMeasuring ? EndMeasuring() : Fail("interrupted"); }) {
}

Result<LoadResult> Load::Run() {
  if (plan_.pid != 0) {
    if (const Result<int64_t> cpu = CpuMicrosOf(plan_.pid); !cpu.ok()) return cpu.status();
  }
  if (plan_.rate > 0) interval_ns_ = static_cast<uint64_t>(kNsPerSecond / plan_.rate);
  ClientEvents& events = *this;
  for (int i = 0; i < plan_.connections; ++i) {
    connections_.push_back(std::make_unique<ClientConnection>(loop_, plan_.endpoint, events));
  }
  look_ns_ = last_up_ns_ = uv_hrtime();
  look_timer_.Start(kLookMs, kLookMs);
  phase_timer_.Start(kConnectLimitMs, 0);
  for (const auto& connection : connections_) {
    if (failed_.ok()) connection->Connect();
  }
  if (failed_.ok()) loop_.Run();
  connections_.clear();
  if (!failed_.ok()) return failed_;
  return std::move(result_);
}

void Load::NextPhase() {
  switch (phase_) {
    case Phase::kConnecting:
      return Fail("not all connections were accepted within 10 s");
    case Phase::kWarmup:
      return BeginMeasuring();
    case Phase::kMeasuring:
      return EndMeasuring();
    case Phase::kDraining:
      return loop_.Stop();
  }
}

void Load::BeginMeasuring() {
  phase_ = Phase::kMeasuring;
  result_ = LoadResult();
  if (plan_.pid != 0) {
    const Result<int64_t> cpu = CpuMicrosOf(plan_.pid);
    if (!cpu.ok()) return Fail(cpu.status().message());
    result_.daemon_cpu_us = -*cpu;
  }
  result_.own_cpu_us = -OwnCpuMicros();
  begun_ns_ = uv_hrtime();
  ends_ns_ = begun_ns_ + static_cast<uint64_t>(plan_.duration_ms) * 1'000'000;
  phase_timer_.Start(plan_.duration_ms, 0);
}

void Load::EndMeasuring() {
  phase_ = Phase::kDraining;
  const uint64_t now_ns = uv_hrtime();
  result_.seconds = static_cast<double>(now_ns - begun_ns_) / kNsPerSecond;
  result_.own_cpu_us += OwnCpuMicros();
  if (plan_.pid != 0) {
    const Result<int64_t> cpu = CpuMicrosOf(plan_.pid);
    if (!cpu.ok()) return Fail("the daemon ended: " + cpu.status().message());
    *result_.daemon_cpu_us += *cpu;
  }
  if (interval_ns_ > 0 && next_due_ns_ < now_ns) {
    result_.unsent = (now_ns - next_due_ns_) / interval_ns_;
  }
  ends_ns_ = now_ns;
  phase_timer_.Start(kDrainLimitMs, 0);
}

void Load::Look() {
  const uint64_t now_ns = uv_hrtime();
  bool unanswered = false;
  for (const auto& connection : connections_) {
    if (connection->up()) last_up_ns_ = now_ns;
    if (connection->unanswered() > 0) unanswered = true;
    if (connection->down() && phase_ != Phase::kDraining) connection->Connect();
  }
  if (phase_ == Phase::kDraining && !unanswered) return loop_.Stop();
  if (now_ns - last_up_ns_ > kUnreachableNs) {
    return Fail("no connection to " + plan_.endpoint.host_port + " for 5 s");
  }
  const double seconds = static_cast<double>(now_ns - look_ns_) / kNsPerSecond;
  const double per_second = static_cast<double>(answers_ - look_answers_) / seconds;
  look_ns_ = now_ns;
  look_answers_ = answers_;
  const bool warming = phase_ == Phase::kWarmup;
  int64_t left_ms = ends_ns_ > now_ns ? static_cast<int64_t>((ends_ns_ - now_ns) / 1'000'000) : 0;
  if (warming) left_ms += plan_.duration_ms;
  if (phase_ == Phase::kConnecting) left_ms = -1;
  progress_.Show(warming ? "warming up" : "measuring", per_second, left_ms, errors_);
}

void Load::OnUp(ClientConnection& connection) {
  if (interval_ns_ > 0) free_.insert(free_.end(), static_cast<size_t>(plan_.pipeline), &connection);
  if (sending() && interval_ns_ == 0) Fill(connection);
  const auto up = [](const auto& c) { return c->up(); };
  if (phase_ != Phase::kConnecting || !std::all_of(connections_.begin(), connections_.end(), up)) {
    return;
  }
  phase_ = Phase::kWarmup;
  next_due_ns_ = uv_hrtime();
  ends_ns_ = next_due_ns_ + static_cast<uint64_t>(plan_.warmup_ms) * 1'000'000;
  phase_timer_.Start(plan_.warmup_ms, 0);
  if (interval_ns_ > 0) return SendDue();
  for (const auto& c : connections_) Fill(*c);
}

void Load::OnAnswer(ClientConnection& connection, uint64_t tag, int status, std::string_view) {
  ++answers_;
  if (status < 200 || status > 299) ++errors_;
  const uint64_t now_ns = uv_hrtime();
  if (phase_ == Phase::kMeasuring) {
    result_.latency_ns.Record(static_cast<int64_t>(now_ns - tag));
    ++result_.by_status[status];
  }
  if (!sending()) return;
  if (interval_ns_ == 0) return connection.Send(source_.Next(), now_ns);
  free_.push_back(&connection);
  if (next_due_ns_ <= now_ns) SendDue();
}

void Load::OnDown(ClientConnection& connection, bool was_up, size_t unanswered,
                  const std::string& why) {
  if (phase_ == Phase::kConnecting) {
    return Fail("cannot connect to " + plan_.endpoint.host_port + ": " + why);
  }
  std::erase(free_, &connection);
  const uint64_t broken = was_up ? unanswered : 1;
  errors_ += broken;
  if (phase_ == Phase::kMeasuring && broken > 0) result_.broken[why] += broken;
  // A daemon may end a connection after any answer. One that cannot be made waits for Look().
  if (was_up && sending()) connection.Connect();
}

void Load::Fill(ClientConnection& connection) {
  for (int i = 0; i < plan_.pipeline; ++i) connection.Send(source_.Next(), uv_hrtime());
  connection.Flush();
}

void Load::SendDue() {
  const uint64_t now_ns = uv_hrtime();
  while (sending() && next_due_ns_ <= now_ns && !free_.empty()) {
    ClientConnection& connection = *free_.front();
    free_.pop_front();
    connection.Send(source_.Next(), next_due_ns_);
    next_due_ns_ += interval_ns_;
    connection.Flush();
  }
  // With no connection free, the next answer comes back here.
  if (sending() && next_due_ns_ > now_ns) due_timer_.StartAt(next_due_ns_);
}

void Load::Fail(const std::string& why) {
  if (failed_.ok()) failed_ = IoError(why);
  loop_.Stop();
}

}  // namespace belfry
