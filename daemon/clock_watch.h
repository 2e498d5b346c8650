// clock_watch.h - notices that somebody set the system's clock.
//
// Loop thread only. The kernel wakes us through a timerfd (TFD_TIMER_CANCEL_ON_SET); where that is
// not to be had, the loop's look at the clock once a second has to do.
#pragma once

#include <uv.h>

#include <functional>

namespace belfry {

class ClockWatch {
 public:
  // `loop` outlives this; run it once more after the destructor. `stepped` runs on the loop.
  ClockWatch(uv_loop_t* loop, std::function<void()> stepped);
  ~ClockWatch();
  ClockWatch(const ClockWatch&) = delete;
  ClockWatch& operator=(const ClockWatch&) = delete;

 private:
  void Arm();
  void Readable();

  std::function<void()> stepped_;
  int fd_ = -1;
  uv_poll_t* poll_ = nullptr;
};

}  // namespace belfry
