// uv_handle.h - a libuv handle that is closed by its owner's destructor. Loop thread only.
//
// libuv may touch a handle until its close callback has run, so the handle lives on the heap and
// frees itself there. The owner may be gone by then: run the loop once more before closing it.
#pragma once

#include <uv.h>

#include "base/check.h"

namespace belfry {

template <typename Handle>
class UvHandle {
 public:
  UvHandle() : handle_(new Handle{}) {}
  ~UvHandle() { Close(); }
  UvHandle(const UvHandle&) = delete;
  UvHandle& operator=(const UvHandle&) = delete;

  Handle* get() { return handle_; }
  uv_handle_t* base() { return reinterpret_cast<uv_handle_t*>(handle_); }

  // Call once the uv_..._init of the handle has succeeded; before that nothing is there to close.
  void MarkOpen() { open_ = true; }

 private:
  void Close() {
    if (!open_) {
      delete handle_;
      return;
    }
    uv_close(base(), [](uv_handle_t* h) { delete reinterpret_cast<Handle*>(h); });
  }

  Handle* handle_;
  bool open_ = false;
};

// A timer of one owner: `fn(self)` runs on the loop.
class UvTimer {
 public:
  using Fn = void (*)(void* self);

  UvTimer(uv_loop_t* loop, Fn fn, void* self) : fn_(fn), self_(self) {
    CHECK(uv_timer_init(loop, handle_.get()) == 0);
    handle_.MarkOpen();
    handle_.base()->data = this;
  }

  void StartOnce(int64_t delay_ms) { Start(delay_ms, 0); }
  void StartEvery(int64_t interval_ms) { Start(interval_ms, interval_ms); }
  void Stop() { uv_timer_stop(handle_.get()); }

 private:
  void Start(int64_t delay_ms, int64_t repeat_ms) {
    const auto run = [](uv_timer_t* timer) {
      auto* self = static_cast<UvTimer*>(timer->data);
      self->fn_(self->self_);
    };
    CHECK(uv_timer_start(handle_.get(), run, static_cast<uint64_t>(delay_ms < 0 ? 0 : delay_ms),
                         static_cast<uint64_t>(repeat_ms)) == 0);
  }

  UvHandle<uv_timer_t> handle_;
  Fn fn_;
  void* self_;
};

}  // namespace belfry
