#include "bench/fire.h"

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "base/rfc3339.h"
#include "bench/process_cpu.h"

namespace belfry {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kLookMs = 100;
constexpr double kNsPerSecond = 1e9;

// The number at the start of `text`; 0 when there is none.
uint64_t NumberIn(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Of `{"id":7}`.
uint64_t IdIn(std::string_view body) {
  constexpr std::string_view kStart = "{\"id\":";
  return body.substr(0, kStart.size()) == kStart ? NumberIn(body.substr(kStart.size())) : 0;
}

}  // namespace

bool FireResult::clean() const {
  return not_set.empty() && missing() == 0 && early == 0 && duplicates == 0 && unknown == 0;
}

Fire::Fire(EventLoop& loop, FirePlan plan)
    : loop_(loop),
      plan_(std::move(plan)),
      path_("/fire-" + std::to_string(WallNs()) + "/"),
      look_timer_(loop_, [this] { Look(); }),
      stop_(loop_, [this] { Fail("interrupted"); }) {}

int64_t Fire::DueMs(size_t i) const {
  const int64_t steps = std::max<int64_t>(1, plan_.count - 1);
  return first_due_ms_ + plan_.spread_ms * static_cast<int64_t>(i) / steps;
}

Result<FireResult> Fire::Run() {
  if (plan_.pid != 0) {
    if (const Result<int64_t> cpu = CpuMicrosOf(plan_.pid); !cpu.ok()) return cpu.status();
  }
  const auto on_webhook = [this](std::string_view t, int64_t at_ns) { OnWebhook(t, at_ns); };
  Result<std::unique_ptr<Receiver>> receiver = Receiver::Listen(loop_, plan_.receiver, on_webhook);
  if (!receiver.ok()) return receiver.status();
  receiver_ = std::move(*receiver);
  timers_.resize(static_cast<size_t>(plan_.count));
  arrivals_.reserve(timers_.size());
  first_due_ms_ = SystemClock().Wall().ms + plan_.lead_ms;
  begun_ns_ = look_ns_ = uv_hrtime();
  look_timer_.Start(kLookMs, kLookMs);
  ClientEvents& events = *this;
  const size_t connections = std::min(static_cast<size_t>(plan_.connections), timers_.size());
  for (size_t i = 0; i < connections; ++i) {
    connections_.push_back(std::make_unique<ClientConnection>(loop_, plan_.daemon, events));
  }
  for (const auto& connection : connections_) {
    if (failed_.ok()) connection->Connect();
  }
  if (failed_.ok()) loop_.Run();
  connections_.clear();
  receiver_.reset();
  if (!failed_.ok()) return failed_;
  return Report();
}

void Fire::OnUp(ClientConnection& connection) {
  SendNext(connection);
  connection.Flush();
}

void Fire::SendNext(ClientConnection& connection) {
  if (next_ == timers_.size()) return;
  const std::string body = "{\"at\":\"" + FormatRfc3339({DueMs(next_)}) + "\",\"url\":\"http://" +
                           receiver_->address() + path_ + "\"}";
  request_ =
      "POST /timers HTTP/1.1\r\nHost: " + plan_.daemon.host_port +
      "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  connection.Send(request_, next_++);
}

void Fire::OnAnswer(ClientConnection& connection, uint64_t tag, int status, std::string_view body) {
  const uint64_t id = status == 201 ? IdIn(body) : 0;
  if (id != 0) {
    timers_[tag] = {id, WallNs()};
  } else {
    ++not_set_["status " + std::to_string(status)];
  }
  Answered();
  SendNext(connection);
}

void Fire::Answered() {
  if (++answered_ < timers_.size()) return;
  set_seconds_ = static_cast<double>(uv_hrtime() - begun_ns_) / kNsPerSecond;
  arrived_before_ = arrivals_.size();
  if (plan_.pid == 0) return;
  const Result<int64_t> cpu = CpuMicrosOf(plan_.pid);
  if (!cpu.ok()) return Fail(cpu.status().message());
  daemon_cpu_us_ = *cpu;
}

void Fire::OnDown(ClientConnection& connection, bool was_up, size_t unanswered,
                  const std::string& why) {
  if (!was_up) return Fail("cannot connect to " + plan_.daemon.host_port + ": " + why);
  if (unanswered > 0) not_set_[why] += unanswered;
  for (size_t i = 0; i < unanswered; ++i) Answered();
  if (next_ < timers_.size()) connection.Connect();
}

void Fire::OnWebhook(std::string_view target, int64_t arrived_wall_ns) {
  if (target.substr(0, path_.size()) != path_) return;
  Arrival& arrival = arrivals_[NumberIn(target.substr(path_.size()))];
  if (arrival.times++ == 0) arrival.first_wall_ns = arrived_wall_ns;
}

void Fire::Look() {
  const bool setting = answered_ < timers_.size();
  const size_t count = setting ? answered_ : arrivals_.size();
  const uint64_t now_ns = uv_hrtime();
  const double seconds = static_cast<double>(now_ns - look_ns_) / kNsPerSecond;
  // The first look after the last answer compares two different counts.
  const double per_second =
      count > look_count_ ? static_cast<double>(count - look_count_) / seconds : 0;
  look_ns_ = now_ns;
  look_count_ = count;
  const int64_t last_due_ms = DueMs(timers_.size() - 1);
  const int64_t left_ms = last_due_ms - WallNs() / kNsPerMs;
  progress_.Show(setting ? "setting" : "firing", per_second, std::max<int64_t>(0, left_ms),
                 NotSet());
  if (setting) return;
  // Once all are here, wait a moment for what may come twice. One that was not acknowledged may
  // come all the same, so then the whole limit is waited.
  const bool all_here = arrivals_.size() >= timers_.size();
  if (left_ms < -plan_.limit_ms || (all_here && left_ms < -kSecondMs)) loop_.Stop();
}

void Fire::Fail(const std::string& why) {
  if (failed_.ok()) failed_ = IoError(why);
  loop_.Stop();
}

uint64_t Fire::NotSet() const {
  uint64_t sum = 0;
  for (const auto& [why, count] : not_set_) sum += count;
  return sum;
}

Result<FireResult> Fire::Report() const {
  FireResult result;
  result.set_seconds = set_seconds_;
  result.not_set = not_set_;
  int64_t first_ns = INT64_MAX;
  int64_t last_ns = INT64_MIN;
  for (size_t i = 0; i < timers_.size(); ++i) {
    if (timers_[i].id == 0) continue;
    ++result.set;
    const int64_t due_ns = DueMs(i) * kNsPerMs;
    if (timers_[i].acknowledged_wall_ns > due_ns) ++result.set_late;
    const auto found = arrivals_.find(timers_[i].id);
    if (found == arrivals_.end()) continue;
    const Arrival& arrival = found->second;
    ++result.arrived;
    result.duplicates += arrival.times - 1;
    first_ns = std::min(first_ns, arrival.first_wall_ns);
    last_ns = std::max(last_ns, arrival.first_wall_ns);
    if (arrival.first_wall_ns < due_ns) {
      ++result.early;
    } else if (timers_[i].acknowledged_wall_ns <= due_ns) {
      result.late_ns.Record(arrival.first_wall_ns - due_ns);
    }
  }
  result.unknown = arrivals_.size() - result.arrived;
  result.arrived_then = arrivals_.size() - arrived_before_;
  if (plan_.pid != 0) {
    const Result<int64_t> cpu = CpuMicrosOf(plan_.pid);
    if (!cpu.ok()) return IoError("the daemon ended: " + cpu.status().message());
    result.daemon_cpu_us = *cpu - daemon_cpu_us_;
  }
  if (result.arrived > 1) {
    result.arriving_seconds = static_cast<double>(last_ns - first_ns) / kNsPerSecond;
  }
  return result;
}

}  // namespace belfry
