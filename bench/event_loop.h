// event_loop.h - the libuv loop of the load driver, and the handles that live on it.
//
// One thread. A handle is freed by libuv's own close callback, some turns after its owner let go of
// it; the loop therefore outlives every owner and waits for those callbacks when it is destroyed.
#pragma once

#include <uv.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/check.h"

namespace belfry {

struct CloseUvHandle {
  template <typename Handle>
  void operator()(Handle* handle) const {
    handle->data = nullptr;  // callbacks that still come find nobody
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
  }
};
// Holds a handle whose uv_..._init succeeded.
template <typename Handle>
using UvPtr = std::unique_ptr<Handle, CloseUvHandle>;

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  uv_loop_t* get() { return &loop_; }
  void Run() { uv_run(&loop_, UV_RUN_DEFAULT); }  // until Stop()
  void Stop() { uv_stop(&loop_); }

  // An alloc callback for every stream of this loop: what was read is used up in its read callback.
  static void ReadBuffer(uv_handle_t* handle, size_t suggested, uv_buf_t* buffer);

 private:
  uv_loop_t loop_;
  std::array<char, 64 * 1024> read_buffer_;
};

// Calls back after `first_ms` and, unless `period_ms` is 0, every `period_ms` from then on.
class LoopTimer {
 public:
  LoopTimer(EventLoop& loop, std::function<void()> call);
  void Start(int64_t first_ms, int64_t period_ms);
  void Stop() { uv_timer_stop(timer_.get()); }

 private:
  std::function<void()> call_;
  UvPtr<uv_timer_t> timer_;
};

// Calls back at a point of uv_hrtime() to within microseconds; a LoopTimer knows only milliseconds.
// Two calls are at least `gap_ns` apart: each wakes the process, and that is what it costs.
class PreciseTimer {
 public:
  PreciseTimer(EventLoop& loop, uint64_t gap_ns, std::function<void()> call);
  ~PreciseTimer();
  PreciseTimer(const PreciseTimer&) = delete;
  PreciseTimer& operator=(const PreciseTimer&) = delete;
  // One call at `at_ns`, or when the gap is over. One that is set and comes no later stands for it.
  void StartAt(uint64_t at_ns);

 private:
  void GoOff();

  const uint64_t gap_ns_;
  std::function<void()> call_;
  int fd_;
  uint64_t set_for_ns_ = 0;  // 0: not set
  uint64_t not_before_ns_ = 0;
  UvPtr<uv_poll_t> poll_;
};

// Calls back on SIGINT and SIGTERM instead of letting them end the process.
class StopSignals {
 public:
  StopSignals(EventLoop& loop, std::function<void()> call);

 private:
  std::function<void()> call_;
  std::array<UvPtr<uv_signal_t>, 2> signals_;
};

}  // namespace belfry
