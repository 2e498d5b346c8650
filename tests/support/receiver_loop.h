// receiver_loop.h - a libuv loop for one test, and waiting on it without sleeping.
#pragma once

#include <uv.h>

#include <functional>

namespace belfry {

class TestLoop {
 public:
  TestLoop();
  // Everything that uses the loop must be destroyed before.
  ~TestLoop();
  TestLoop(const TestLoop&) = delete;
  TestLoop& operator=(const TestLoop&) = delete;

  uv_loop_t* get() { return &loop_; }

  // Runs the loop until `done()`. False when that takes so long that something hangs.
  [[nodiscard]] bool RunUntil(const std::function<bool()>& done);
  // Turns of the loop that do not block: whatever is ready now happens.
  void RunTurns(int turns);

 private:
  uv_loop_t loop_;
};

}  // namespace belfry
