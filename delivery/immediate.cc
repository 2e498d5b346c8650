#include "delivery/immediate.h"

namespace belfry {

Immediate::Immediate(uv_loop_t* loop, Fn fn, void* self) : fn_(fn), self_(self) {
  CHECK(uv_idle_init(loop, idle_.get()) == 0);
  idle_.MarkOpen();
  CHECK(uv_check_init(loop, check_.get()) == 0);
  check_.MarkOpen();
  idle_.base()->data = this;
  check_.base()->data = this;
}

void Immediate::Request() {
  if (requested_) return;
  requested_ = true;
  uv_idle_start(idle_.get(), [](uv_idle_t* h) { static_cast<Immediate*>(h->data)->Run(); });
  uv_check_start(check_.get(), [](uv_check_t* h) { static_cast<Immediate*>(h->data)->Run(); });
}

void Immediate::Run() {
  if (!requested_) return;
  requested_ = false;
  uv_idle_stop(idle_.get());
  uv_check_stop(check_.get());
  fn_(self_);
}

}  // namespace belfry
