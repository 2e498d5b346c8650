#include "tests/support/receiver_loop.h"

#include <csignal>

#include "base/check.h"

namespace belfry {
namespace {

constexpr uint64_t kHangMs = 30'000;

}  // namespace

TestLoop::TestLoop() {
  std::signal(SIGPIPE, SIG_IGN);
  CHECK(uv_loop_init(&loop_) == 0);
}

TestLoop::~TestLoop() {
  uv_run(&loop_, UV_RUN_DEFAULT);
  CHECK(uv_loop_close(&loop_) == 0);
}

bool TestLoop::RunUntil(const std::function<bool()>& done) {
  bool hangs = false;
  auto* limit = new uv_timer_t;
  CHECK(uv_timer_init(&loop_, limit) == 0);
  limit->data = &hangs;
  uv_timer_start(
      limit, [](uv_timer_t* t) { *static_cast<bool*>(t->data) = true; }, kHangMs, 0);
  while (!hangs && !done()) uv_run(&loop_, UV_RUN_ONCE);
  uv_close(reinterpret_cast<uv_handle_t*>(limit),
           [](uv_handle_t* h) { delete reinterpret_cast<uv_timer_t*>(h); });
  uv_run(&loop_, UV_RUN_NOWAIT);
  return done();
}

void TestLoop::RunTurns(int turns) {
  for (int i = 0; i < turns; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
}

}  // namespace belfry
