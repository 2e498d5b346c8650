// immediate.h - "as soon as the stack is empty, in this turn of the loop". Loop thread only.
//
// A timer of 0 ms would run inside libuv's timer phase and, armed again by what it runs, starve
// I/O; one of 1 ms costs 1 ms an attempt. This one runs before the poll (idle phase) or right
// after it (check phase), whichever comes next, and keeps the poll from blocking until then.
#pragma once

#include "delivery/uv_handle.h"

namespace belfry {

class Immediate {
 public:
  using Fn = void (*)(void* self);

  Immediate(uv_loop_t* loop, Fn fn, void* self);

  // `fn(self)` will run once, not from within this call. Asked for again while it runs: once more,
  // in the next phase.
  void Request();

 private:
  void Run();

  UvHandle<uv_idle_t> idle_;
  UvHandle<uv_check_t> check_;
  Fn fn_;
  void* self_;
  bool requested_ = false;
};

}  // namespace belfry
