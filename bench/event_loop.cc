#include "bench/event_loop.h"

#include <signal.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

namespace belfry {

EventLoop::EventLoop() {
  CHECK(uv_loop_init(&loop_) == 0);
  loop_.data = this;
}

EventLoop::~EventLoop() {
  // A Stop() that came when nothing ran ends the first of these at once.
  while (uv_run(&loop_, UV_RUN_DEFAULT) != 0) {
  }
  CHECK(uv_loop_close(&loop_) == 0);
}

void EventLoop::ReadBuffer(uv_handle_t* handle, size_t, uv_buf_t* buffer) {
  auto* self = static_cast<EventLoop*>(handle->loop->data);
  *buffer = uv_buf_init(self->read_buffer_.data(), self->read_buffer_.size());
}

LoopTimer::LoopTimer(EventLoop& loop, std::function<void()> call)
    : call_(std::move(call)), timer_(new uv_timer_t) {
  CHECK(uv_timer_init(loop.get(), timer_.get()) == 0);
  timer_->data = this;
}

void LoopTimer::Start(int64_t first_ms, int64_t period_ms) {
  const auto fired = [](uv_timer_t* timer) { static_cast<LoopTimer*>(timer->data)->call_(); };
  CHECK(uv_timer_start(timer_.get(), fired, static_cast<uint64_t>(first_ms),
                       static_cast<uint64_t>(period_ms)) == 0);
}

PreciseTimer::PreciseTimer(EventLoop& loop, uint64_t gap_ns, std::function<void()> call)
    : gap_ns_(gap_ns),
      call_(std::move(call)),
      fd_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      poll_(new uv_poll_t) {
  CHECK(fd_ >= 0);
  CHECK(uv_poll_init(loop.get(), poll_.get(), fd_) == 0);
  poll_->data = this;
  const auto ready = [](uv_poll_t* poll, int, int) {
    static_cast<PreciseTimer*>(poll->data)->GoOff();
  };
  CHECK(uv_poll_start(poll_.get(), UV_READABLE, ready) == 0);
}

PreciseTimer::~PreciseTimer() {
  uv_poll_stop(poll_.get());
  close(fd_);
}

void PreciseTimer::GoOff() {
  uint64_t times = 0;
  // Nothing to read: it was set anew since it went off.
  if (read(fd_, &times, sizeof times) != sizeof times) return;
  set_for_ns_ = 0;
  not_before_ns_ = uv_hrtime() + gap_ns_;
  call_();
}

void PreciseTimer::StartAt(uint64_t at_ns) {
  at_ns = std::max(at_ns, not_before_ns_);
  if (set_for_ns_ != 0 && set_for_ns_ <= at_ns) return;
  set_for_ns_ = at_ns;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(at_ns / 1'000'000'000);
  when.it_value.tv_nsec = static_cast<long>(at_ns % 1'000'000'000);
  CHECK(timerfd_settime(fd_, TFD_TIMER_ABSTIME, &when, nullptr) == 0);
}

StopSignals::StopSignals(EventLoop& loop, std::function<void()> call) : call_(std::move(call)) {
  const int numbers[] = {SIGINT, SIGTERM};
  for (size_t i = 0; i < signals_.size(); ++i) {
    signals_[i].reset(new uv_signal_t);
    CHECK(uv_signal_init(loop.get(), signals_[i].get()) == 0);
    signals_[i]->data = this;
    const auto caught = [](uv_signal_t* s, int) { static_cast<StopSignals*>(s->data)->call_(); };
    CHECK(uv_signal_start(signals_[i].get(), caught, numbers[i]) == 0);
  }
}

}  // namespace belfry
