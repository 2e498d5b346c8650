#include "daemon/clock_watch.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

#include "base/check.h"

namespace belfry {

ClockWatch::ClockWatch(uv_loop_t* loop, std::function<void()> stepped)
    : stepped_(std::move(stepped)),
      fd_(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
  if (fd_ < 0) return;
  poll_ = new uv_poll_t{};
  CHECK(uv_poll_init(loop, poll_, fd_) == 0);
  poll_->data = this;
  Arm();
  uv_poll_start(poll_, UV_READABLE, [](uv_poll_t* poll, int, int) {
    static_cast<ClockWatch*>(poll->data)->Readable();
  });
  uv_unref(reinterpret_cast<uv_handle_t*>(poll_));
}

ClockWatch::~ClockWatch() {
  if (poll_ == nullptr) return;
  uv_poll_stop(poll_);
  uv_close(reinterpret_cast<uv_handle_t*>(poll_),
           [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
  close(fd_);
}

// Far in the future: only the cancellation is wanted.
void ClockWatch::Arm() {
  itimerspec when{};
  when.it_value.tv_sec = time(nullptr) + int64_t{10} * 365 * 24 * 3600;
  timerfd_settime(fd_, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, nullptr);
}

void ClockWatch::Readable() {
  uint64_t expirations = 0;
  const bool cancelled = read(fd_, &expirations, sizeof expirations) < 0 && errno == ECANCELED;
  Arm();
  if (cancelled) stepped_();
}

}  // namespace belfry
